/* Makes a small JSON value that satisfies a JSON schema. */
#ifndef SIM_SCHEMA_H
#define SIM_SCHEMA_H

#include "base/jv.h"

/*
 * Appends the value. Understood: type (also a list), enum, const, default, properties, required,
 * items, minItems, minimum, maximum, minLength, maxLength, anyOf, oneOf, allOf, $ref into $defs
 * or definitions. Without "required" all properties are filled.
 */
void sim_schema_fill(struct jv schema, struct buf *out);

#endif
