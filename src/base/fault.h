/*
 * Places at which a test can have the process die as by kill -9: RELAY_FAULT=<name> in the
 * environment. Without the variable they do nothing.
 *
 *	refresh-before-send	a refresh token is noted as spent, the request has not gone out
 *	refresh-after-answer	the issuer has answered, the new grant is not on disk
 *	refresh-after-write	the new grant is on disk, the note is still there
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

void fault_point(const char *name);

#endif
