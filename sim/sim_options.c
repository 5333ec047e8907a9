#include "sim/sim_options.h"

#include "sim/sim_accounts.h"
#include "version.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

enum { OPT_LISTEN = 256, OPT_ACCOUNTS, OPT_PLAN, OPT_PACE, OPT_SEED, OPT_CAPACITY, OPT_NO_LOG };

static const char HELP[] =
	"usage: codex-sim [options]\n"
	"\n"
	"A simulated Codex backend: OAuth, usage, models and the Responses stream, with "
	"scriptable\n"
	"accounts. For trying clients without an account, and for tests. See docs/sim.md.\n"
	"\n"
	"  --listen HOST:PORT  address (default 127.0.0.1:8790; port 0 takes a free one)\n"
	"  --accounts N        accounts to begin with (default 3): acct-1, acct-2, ...\n"
	"  --plan PLAN         free, go, plus, team, business, edu, prolite, pro or enterprise\n"
	"                      (default plus)\n"
	"  --pace-ms N         pause between events of a stream (default 0: all at once)\n"
	"  --seed N            makes ids and tokens repeatable (default 1)\n"
	"  --capacity N        tokens that fill the 5 h window of a plus account; 0: windows do\n"
	"                      not drain (default 20000000, with --no-log 0)\n"
	"  --no-log            keep no request log: for benchmarks\n"
	"  --quiet             print nothing but the start line and errors\n"
	"  --help, --version\n"
	"\n"
	"On start one JSON line is printed: "
	"{\"event\":\"sim.start\",\"listen\":\"127.0.0.1:8790\",\n"
	"\"accounts\":[{\"id\":\"acct-1\",...}]}. SIGTERM and SIGINT end it with status 0.\n"
	"\n"
	"Base URL for clients: http://HOST:PORT/backend-api; OAuth issuer: http://HOST:PORT.\n"
	"The last user text tells the model what to do:\n"
	"  count to 5 every 20ms     five deltas, paced\n"
	"  call TOOL {\"a\":1}         calls a declared tool; arguments are made from its schema\n"
	"                            when none are given; <<<raw input>>> for custom tools;\n"
	"                            \"call A and B\", \"call A then call B\"\n"
	"  ... use the tool ...      calls the first declared tool\n"
	"  say exactly: TEXT         that text\n"
	"  think ...                 a reasoning item first\n"
	"  refuse, incomplete, big N, messages N, cite URL, search the web for X, fail CODE,\n"
	"  after Nms ...\n"
	"  anything else             echoed\n"
	"\n"
	"Control API (no authentication), under http://HOST:PORT/_sim/:\n"
	"  GET|POST accounts; GET|POST accounts/ID; GET accounts/ID/auth-profiles.json, auth.json\n"
	"  GET|POST|DELETE accounts/ID/script (ID may be *); GET|DELETE requests; GET wait\n"
	"  GET stats; GET|POST clock; GET|POST settings; POST reset; POST device/approve|deny\n";

static const struct option OPTIONS[] = {
	{"listen", required_argument, NULL, OPT_LISTEN},
	{"accounts", required_argument, NULL, OPT_ACCOUNTS},
	{"plan", required_argument, NULL, OPT_PLAN},
	{"pace-ms", required_argument, NULL, OPT_PACE},
	{"seed", required_argument, NULL, OPT_SEED},
	{"capacity", required_argument, NULL, OPT_CAPACITY},
	{"no-log", no_argument, NULL, OPT_NO_LOG},
	{"quiet", no_argument, NULL, 'q'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0},
};

static int number(const char *name, const char *text, uint64_t most, uint64_t *ret)
{
	if (sv_u64(sv_cstr(text), ret) == 0 && *ret <= most)
		return 0;
	fprintf(stderr, "codex-sim: --%s: not a number up to %llu: %s\n", name,
		(unsigned long long)most, text);
	return -EINVAL;
}

static int take(int option, const char *value, struct sim_options *o)
{
	uint64_t n = 0;
	int err = 0;

	switch (option) {
	case OPT_LISTEN:
		o->listen = value;
		return 0;
	case OPT_ACCOUNTS:
		err = number("accounts", value, 10000, &n);
		o->accounts = (unsigned)n;
		return err;
	case OPT_PLAN:
		o->plan = value;
		if (sim_accounts_is_plan(sv_cstr(value)))
			return 0;
		fprintf(stderr, "codex-sim: --plan: unknown plan: %s\n", value);
		return -EINVAL;
	case OPT_PACE:
		err = number("pace-ms", value, 600000, &n);
		o->pace_ms = (int64_t)n;
		return err;
	case OPT_SEED:
		return number("seed", value, UINT64_MAX, &o->seed);
	case OPT_CAPACITY:
		err = number("capacity", value, INT64_MAX, &n);
		o->capacity_tokens = (int64_t)n;
		return err;
	case OPT_NO_LOG:
		o->no_log = true;
		return 0;
	case 'q':
		o->quiet = true;
		return 0;
	case 'h':
		fputs(HELP, stdout);
		return 1;
	case 'V':
		puts("codex-sim " RELAY_VERSION);
		return 1;
	default:
		fputs("codex-sim: try --help\n", stderr);
		return -EINVAL;
	}
}

int sim_options_parse(int argc, char **argv, struct sim_options *ret)
{
	struct sim_options o = {.listen = "127.0.0.1:8790",
		.accounts = 3,
		.plan = "plus",
		.seed = 1,
		.capacity_tokens = -1};
	int option, verdict;

	while ((option = getopt_long(argc, argv, "qhV", OPTIONS, NULL)) != -1) {
		verdict = take(option, optarg, &o);
		if (verdict)
			return verdict;
	}
	if (optind < argc) {
		fprintf(stderr, "codex-sim: unexpected argument: %s\n", argv[optind]);
		return -EINVAL;
	}
	if (o.capacity_tokens < 0)
		o.capacity_tokens = o.no_log ? 0 : 20000000;
	*ret = o;
	return 0;
}
