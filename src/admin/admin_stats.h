/* GET /admin/stats, /admin/config, /admin/dependency-map. */
#ifndef ADMIN_ADMIN_STATS_H
#define ADMIN_ADMIN_STATS_H

#include "admin/admin.h"

void admin_stats_get(struct relay *r, struct http_stream *s);
/* {"config":{…},"configError":…,"needsRestart":[…]} */
void admin_stats_config(struct relay *r, struct http_stream *s);
void admin_stats_dependency_map(struct relay *r, struct http_stream *s);

#endif
