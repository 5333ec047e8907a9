// Which error class of the OpenAI Node SDK each failure becomes, and what the error carries.

import assert from "node:assert/strict";
import test from "node:test";
import OpenAI from "openai";

import { errorOf, sdk } from "./openai.mjs";
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
	"a reset instead of an answer": {
		fail: (sim) => sim.script("*", { reset: true, ...forever }),
		error: [OpenAI.InternalServerError, 502, "server_error", "upstream_truncated"],
	},
	"an upstream where nobody listens": {
		fail: () => {}, config: { upstream: { baseUrl: "http://127.0.0.1:1/backend-api" } },
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
	test(name, (t) => Promise.all(shapes.map(async ([shape, ask]) => {
		const { sim, relay } = await startBoth(t, { accounts: 2, config: { retry: { maxAttempts: 2 }, ...config } });
		await fail(sim);
		const error = await errorOf(ask(sdk(relay)));

		assert.ok(error instanceof kind, `${shape}: ${error}`);
		assert.deepEqual([error.status, error.type, error.code, error.param], [status, type, code, param], shape);
		assert.match(error.message, says, shape);
		assert.doesNotMatch(JSON.stringify(error.error), /<html|127\.0\.0\.1|acct-/, shape);
		assert.equal(error.requestID, error.headers.get("x-relay-request-id"), shape);
		await relay.waitForEvent("request.finish", (line) => line.request_id === error.requestID && line.status === status);
		if (retryAfter) {
			const wait = Number(error.headers.get("retry-after"));
			assert.ok(wait >= retryAfter[0] && wait <= retryAfter[1], `${shape}: retry-after ${wait}`);
		}
	})));
}

// Behind the first output the status is out: the error is the stream's.
for (const [name, ask] of Object.entries(ways)) {
	test(`${name}: an error behind output carries upstream's words and code`, async (t) => {
		const { sim, relay } = await startBoth(t);
		await sim.script("*", { fail_after_events: 9, failure: { code: "server_error", message: "It broke." } });
		const seen = [];
		const error = await errorOf((async () => {
			for await (const item of await ask(sdk(relay), true)) {
				seen.push(item);
			}
		})());

		if (name === "chat") {
			assert.ok(error instanceof OpenAI.APIError, error);
			assert.match(error.message, /It broke\./);
			assert.equal(error.type, "server_error");
			assert.ok(!seen.some((chunk) => chunk.choices[0]?.finish_reason));
		} else {
			assert.equal(seen.at(-1).type, "response.failed");
			assert.equal(seen.at(-1).response.error.message, "It broke.");
			assert.ok(!seen.some((event) => event.type === "response.completed"));
		}
		assert.ok(seen.length > 3);
	});

	test(`${name}: with its own retries the SDK gets over a short limit of all slots`, async (t) => {
		const { sim, relay } = await startBoth(t, { accounts: 2 });
		await sim.script("*", { status: 429, headers: { "retry-after": "1" }, body: { error: { code: "rate_limit_exceeded", message: "Slow." } }, repeat: 2 });
		const answer = await ask(sdk(relay, { maxRetries: 2 }), false);

		assert.ok(answer.id);
		assert.deepEqual((await sim.turns()).map((turn) => turn.status), [429, 429, 200]);
	});
}

test("a body that is too large is an APIError that says so", async (t) => {
	const { relay } = await startBoth(t, { accounts: 1, config: { maxBodyBytes: 4096 } });

	for (const ask of Object.values(ways)) {
		const error = await errorOf(ask(sdk(relay), false, { instructions: "x".repeat(5000), input: "x", messages: [] }));
		assert.ok(error instanceof OpenAI.APIError, error);
		assert.deepEqual([error.status, error.code], [413, "payload_too_large"]);
	}
});

test("wrong members are named by the error's param", async (t) => {
	const { sim, relay } = await startBoth(t);
	const wrong = [
		["chat", { messages: "hello" }, "messages"],
		["chat", { tools: [{ type: "function", function: {} }] }, /^tools\[0\]/],
		["chat", { n: 3 }, "n"],
		["chat", { messages: [{ role: "user", content: [{ type: "input_audio", input_audio: { data: "", format: "wav" } }] }] }, /^messages\[0\]/],
		["responses", { input: 7 }, "input"],
		["responses", { tools: {} }, "tools"],
		["responses", { model: "" }, "model"],
	];

	for (const [way, more, param] of wrong) {
		const error = await errorOf(ways[way](sdk(relay), false, more));
		assert.ok(error instanceof OpenAI.BadRequestError, `${JSON.stringify(more)}: ${error}`);
		assert.equal(error.type, "invalid_request_error");
		assert.match(error.param, param instanceof RegExp ? param : new RegExp(`^${param}$`), JSON.stringify(more));
	}
	assert.equal((await sim.turns()).length, 0);
});
