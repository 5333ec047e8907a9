#include "dialect/request_model.h"

/* A native Codex client's name stays as it is, as all of its body. */
int request_model_read(struct turn *t, struct jv value, struct sv *ret_effort, struct api_err *err)
{
	struct model_name parts = {.effort = SV_NONE};
	struct sv name;

	if (!jv_str(value, t->arena, &name))
		parts = t->native ? (struct model_name){.model = name}
				  : model_name_read(name, &t->models);
	if (parts.model.n == 0)
		return api_err_param(err, "model", "'model' must be a non-empty string.");
	t->model = parts.model;
	*ret_effort = parts.effort;
	return 0;
}
