// Which error class of the OpenAI Node SDK each failure becomes, and what the error carries.

import assert from "node:assert/strict";
import test from "node:test";
import OpenAI from "openai";

import { all, errorOf, sdk } from "./openai.mjs";
import { startBoth } from "./relay.mjs";

const model = "gpt-5.4";

const ways = {
	chat: (client, stream, more) =>
		client.chat.completions.create({ model, messages: [{ role: "user", content: "count to 30" }], stream, ...more }),
	responses: (client, stream, more) => client.responses.create({ model, input: "count to 30", stream, ...more }),
};
const shapes = Object.entries(ways).flatMap(([name, ask]) =>
	[false, true].map((stream) => [`${name} ${stream ? "streamed" : "whole"}`, (client, more) => ask(client, stream, more)]));

const forever = { repeat: -1 };
const told = (status, error) => (sim) => sim.script("*", { status, body: { error }, ...forever });
const everyAccount = (change) => async (sim) => {
	for (const id of sim.accounts) {
		await sim.account(id, change);
	}
};
const mistake = (code, param = null) => ({ message: `About ${code}.`, type: "invalid_request_error", param, code });

// What upstream does, and the error: class, status, type, code; param and words where upstream gave them.
const failures = {
	"a parameter that upstream refuses": {
		fail: told(400, mistake("invalid_value", "reasoning.effort")),
		error: [OpenAI.BadRequestError, 400, "invalid_request_error", "invalid_value"], param: "reasoning.effort", says: /About/,
	},
	"a parameter that upstream does not know": {
		fail: (sim) => sim.script("*", { status: 400, body: { detail: "Unsupported parameter: shoe_size" } }),
		error: [OpenAI.BadRequestError, 400, "invalid_request_error", null], says: /shoe_size/,
	},
	"a prompt that is too long": {
		fail: (sim) => sim.script("*", { first_event_failure: { code: "context_length_exceeded", message: "Too long." } }),
		error: [OpenAI.BadRequestError, 400, "invalid_request_error", "context_length_exceeded"], says: /Too long\./,
	},
	"a conflict": {
		fail: told(409, mistake("conflict")), error: [OpenAI.ConflictError, 409, "invalid_request_error", "conflict"], says: /About/,
	},
	"a request that cannot be processed": {
		fail: told(422, mistake("unprocessable", "input")),
		error: [OpenAI.UnprocessableEntityError, 422, "invalid_request_error", "unprocessable"], param: "input", says: /About/,
	},
	"all slots at their usage limits": {
		fail: everyAccount({ primary: { used_percent: 100, reset_in_seconds: 1800 } }),
		error: [OpenAI.RateLimitError, 429, "rate_limit_error", "rate_limit_exceeded"], retryAfter: [1700, 1801],
	},
	"all slots rate limited for a moment": {
		fail: (sim) => sim.script("*", { status: 429, headers: { "retry-after": "7" }, body: { error: { code: "rate_limit_exceeded", message: "Slow." } }, ...forever }),
		error: [OpenAI.RateLimitError, 429, "rate_limit_error", "rate_limit_exceeded"], retryAfter: [5, 8],
	},
	"logins that upstream refuses": {
		fail: everyAccount({ revoke_access: true, revoke_refresh: true }),
		error: [OpenAI.InternalServerError, 502, "server_error", "upstream_auth"],
	},
	"accounts that were closed": {
		fail: everyAccount({ state: "deactivated" }), error: [OpenAI.InternalServerError, 502, "server_error", "upstream_account"],
	},
	"a page of a firewall": {
		fail: everyAccount({ state: "blocked" }), error: [OpenAI.InternalServerError, 502, "server_error", "upstream_blocked"],
	},
	"an overload": {
		fail: told(503, { code: "server_is_overloaded", message: "Full." }),
		error: [OpenAI.InternalServerError, 503, "server_error", "server_is_overloaded"], says: /Full\./,
	},
	"a failure without words": {
		fail: (sim) => sim.script("*", { status: 500, body: "<html>oops</html>", ...forever }),
		error: [OpenAI.InternalServerError, 502, "server_error", "upstream_error"],
	},
	"a reset": {
		fail: (sim) => sim.script("*", { reset: true, ...forever }),
		error: [OpenAI.InternalServerError, 502, "server_error", "upstream_unreachable"],
	},
	"an answer that ends too early": {
		fail: (sim) => sim.script("*", { cut_after_events: 2, cut_clean: true, ...forever }),
		error: [OpenAI.InternalServerError, 502, "server_error", "upstream_truncated"],
	},
	"an answer that makes no sense": {
		fail: (sim) => sim.script("*", { bad_json_at: 1, ...forever }),
		error: [OpenAI.InternalServerError, 502, "server_error", "upstream_protocol"],
	},
	"silence": {
		fail: (sim) => sim.script("*", { stall: "before_head", ...forever }),
		error: [OpenAI.InternalServerError, 504, "server_error", "upstream_timeout"],
		config: { requestTimeoutSeconds: 1 },
	},
};

for (const [name, { fail, error: [kind, status, type, code], param = null, says = /./, retryAfter, config }] of Object.entries(failures)) {
	test(name, async (t) => {
		const { sim, relay } = await startBoth(t, { accounts: 2, config: { retry: { maxAttempts: 2 }, ...config } });

		for (const [shape, ask] of shapes) {
			// Each shape meets slots that know nothing of the one before.
			await sim.call("POST", "reset", {});
			const fresh = shape === shapes[0][0] ? relay : (await startBoth(t, { accounts: 0 })).relay;
			assert.ok(fresh);
			await fail(sim);
			const error = await errorOf(ask(sdk(relay)));
			assert.ok(error instanceof kind, `${shape}: ${error}`);
			assert.deepEqual([error.status, error.type, error.code, error.param], [status, type, code, param], shape);
			assert.match(error.message, says, shape);
			assert.ok(!/<html|127\.0\.0\.1|acct-/.test(JSON.stringify(error.error)), JSON.stringify(error.error));
			assert.equal(error.requestID, error.headers.get("x-relay-request-id"), shape);
			assert.ok(relay.events("request.finish").length >= 0);
			if (retryAfter) {
				const wait = Number(error.headers.get("retry-after"));
				assert.ok(wait >= retryAfter[0] && wait <= retryAfter[1], `${shape}: retry-after ${wait}`);
			}
		}
	});
}
