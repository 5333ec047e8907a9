/*
 * Which backend does what, and who needs it (SPEC 2 "/admin/dependency-map"): shows whether the
 * relay depends on OpenClaw. For the admin API and the command dependency-map. Pure.
 */
#ifndef CONF_DEPENDENCY_MAP_H
#define CONF_DEPENDENCY_MAP_H

#include "conf/conf.h"

#include <jansson.h>

/* {"auth":…,"usage":…,"runner":…,"stateControlPlane":…}: the value of "dependencyMap". New. */
json_t *dependency_map_json(const struct conf *c);

#endif
