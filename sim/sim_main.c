/* codex-sim: builds the parts in order, runs the loop, takes them down in reverse. */
#include "base/clock.h"
#include "base/jw.h"
#include "base/limits.h"
#include "sim/sim_accounts.h"
#include "sim/sim_auth.h"
#include "sim/sim_log.h"
#include "sim/sim_options.h"
#include "sim/sim_router.h"
#include "sim/sim_script.h"
#include "sim/sim_tokens.h"
#include "sim/sim_wait.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

int64_t sim_now_ms(const struct sim *sim)
{
	return clock_wall_ms() + sim->clock_offset_ms;
}

void sim_default_settings(struct sim *sim)
{
	sim->settings = (struct sim_settings){
		.pace_ms = sim->options.pace_ms,
		.capacity_tokens = sim->options.capacity_tokens,
		.websockets = true,
		.device_enabled = true,
		.device_pending_polls = 1,
	};
}

static void on_signal(void *arg, int signo)
{
	struct sim *sim = arg;

	(void)signo;
	http_server_free(sim->server);
	sim->server = NULL;
	loop_close_signals(sim->loop);
}

static void build(struct sim *sim)
{
	sim->random = sim->options.seed;
	sim_default_settings(sim);
	sim->loop = loop_new();
	sim->tokens = sim_tokens_new();
	sim->any_scripts = sim_scripts_new();
	sim->waits = sim_waits_new(sim);
	sim->auth = sim_auth_new(sim);
	if (!sim->options.no_log)
		sim->log = sim_log_new();
	sim->accounts = sim_accounts_new(sim);
	for (unsigned i = 0; i < sim->options.accounts; i++)
		(void)sim_accounts_add(sim->accounts, sv_cstr(sim->options.plan));
}

static void tear_down(struct sim *sim)
{
	sim_waits_free(sim->waits);
	sim_accounts_free(sim->accounts);
	sim_log_free(sim->log);
	sim_auth_free(sim->auth);
	sim_scripts_free(sim->any_scripts);
	sim_tokens_free(sim->tokens);
	loop_free(sim->loop);
}

static void print_start(struct sim *sim)
{
	struct buf out;
	struct jw w;

	buf_init(&out, MIB(16));
	w = jw_begin(&out);
	jw_obj(&w);
	jw_klit(&w, "event", "sim.start");
	jw_kstr(&w, "listen", sv_cstr(http_server_address(sim->server)));
	jw_karr(&w, "accounts");
	for (size_t i = 0; i < sim_accounts_count(sim->accounts); i++)
		sim_account_write(sim_accounts_at(sim->accounts, i), &w);
	jw_end(&w);
	jw_end(&w);
	buf_add_char(&out, '\n');
	fwrite(out.data, 1, out.len, stdout);
	fflush(stdout);
	buf_fini(&out);
	if (!sim->options.quiet)
		fprintf(stderr,
			"codex-sim: base URL http://%s/backend-api, control http://%s/_sim/\n",
			http_server_address(sim->server), http_server_address(sim->server));
}

int main(int argc, char **argv)
{
	struct sim sim = {0};
	struct http_options http = {.max_body_bytes = SIM_BODY_BYTES};
	int err = sim_options_parse(argc, argv, &sim.options);

	if (err)
		return err < 0 ? 2 : 0;
	build(&sim);
	http.address = sim.options.listen;
	err = http_server_new(sim.loop, &http, sim_router_handler(), &sim, &sim.server);
	if (err) {
		fprintf(stderr, "codex-sim: cannot listen on %s: %s\n", sim.options.listen,
			strerror(-err));
		tear_down(&sim);
		return 1;
	}
	loop_on_signal(sim.loop, SIGTERM, on_signal, &sim);
	loop_on_signal(sim.loop, SIGINT, on_signal, &sim);
	print_start(&sim);
	loop_run(sim.loop);
	tear_down(&sim);
	return 0;
}
