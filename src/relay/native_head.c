#include "relay/native_head.h"

#include <assert.h>
#include <stdio.h>

static void add(struct native_head *h, struct sv name, struct sv value)
{
	assert(h->count < NATIVE_HEAD_MAX);
	h->headers[h->count++] = (struct http_header){name, value};
}

static bool is_window(struct sv name)
{
	return sv_istarts(name, SV("x-codex-primary-")) ||
	       sv_istarts(name, SV("x-codex-secondary-"));
}

static bool is_of_account(struct sv name)
{
	return is_window(name) || sv_istarts(name, SV("x-codex-credits-")) ||
	       sv_ieq(name, SV("x-codex-plan-type"));
}

static char *next_value(struct native_head *h)
{
	assert(h->value_count < NATIVE_HEAD_ADDED);
	return h->values[h->value_count++];
}

static void add_number(struct native_head *h, struct sv name, int64_t value)
{
	char *text = next_value(h);

	snprintf(text, sizeof(h->values[0]), "%lld", (long long)value);
	add(h, name, sv_cstr(text));
}

static void add_window(struct native_head *h, const struct pool_window *w, struct sv percent,
	struct sv minutes, struct sv reset_at)
{
	char *text;

	if (!w->known)
		return;
	text = next_value(h);
	snprintf(text, sizeof(h->values[0]), "%.2f", w->used_percent);
	add(h, percent, sv_cstr(text));
	if (w->length_s)
		add_number(h, minutes, w->length_s / 60);
	if (w->resets_at_s)
		add_number(h, reset_at, w->resets_at_s);
}

static bool add_pool(struct native_head *h, struct slot_table *slots, int64_t now_ms)
{
	struct pool_usage pool;

	pool_usage_of(slots, now_ms, &pool);
	add_window(h, &pool.window[POOL_5H], SV("x-codex-primary-used-percent"),
		SV("x-codex-primary-window-minutes"), SV("x-codex-primary-reset-at"));
	add_window(h, &pool.window[POOL_WEEK], SV("x-codex-secondary-used-percent"),
		SV("x-codex-secondary-window-minutes"), SV("x-codex-secondary-reset-at"));
	return pool.window[POOL_5H].known || pool.window[POOL_WEEK].known;
}

void native_head_make(struct native_head *h, const struct conf *conf, struct slot_table *slots,
	const struct http_header *headers, size_t count, int64_t now_ms)
{
	bool pooled = conf->codex_limits == CODEX_LIMITS_POOL;
	bool has_windows = false, has_etag = false;

	h->count = h->value_count = 0;
	for (size_t i = 0; i < count; i++) {
		struct sv name = headers[i].name;

		if (sv_ieq(name, SV("x-models-etag"))) {
			has_etag = true;
			continue;
		}
		if (sv_ieq(name, SV("x-codex-active-limit")) || (pooled && is_of_account(name)))
			continue;
		has_windows |= is_window(name);
		add(h, name, headers[i].value);
	}
	if (pooled)
		has_windows = add_pool(h, slots, now_ms);
	if (has_windows)
		add(h, SV("x-codex-active-limit"), SV("codex"));
	pool_models_etag(conf, slots, h->etag);
	if (has_etag && h->etag[0])
		add(h, SV("x-models-etag"), sv_cstr(h->etag));
}
