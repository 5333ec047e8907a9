// What the published Codex CLI tells its user when upstream fails: the words of the failure when every
// slot fails, nothing when another slot, or another try, could serve.

import assert from "node:assert/strict";
import test from "node:test";

import { assertFailed, assertSucceeded, makeCodex } from "./codex.mjs";
import { startBoth, startTap } from "./relay.mjs";

const models = ["gpt-5.5", "gpt-6.1-sol"];
const overloaded = { code: "server_is_overloaded", message: "Our servers are currently overloaded." };
const usageLimit = { type: "usage_limit_reached", code: "usage_limit_reached", message: "The usage limit has been reached", resets_in_seconds: 7200 };
const rateLimit = { type: "rate_limit_exceeded", code: "rate_limit_exceeded", message: "Slow down." };
const tooLong = { type: "invalid_request_error", code: "context_length_exceeded", param: "input", message: "Too long." };

const plain429 = { status: 429, headers: { "retry-after": "1" }, body: { error: rateLimit } };

async function eachAccount(sim, change) {
	for (const id of sim.accounts) {
		await sim.account(id, change);
	}
}

async function start(t, accounts, model, retries) {
	const { sim, relay } = await startBoth(t, { accounts, config: { retry: { maxAttempts: 4 } } });
	const tap = await startTap(t, relay.address);
	const codex = await makeCodex(t, `${tap.url}/v1`, { model, ...retries });
	return { sim, relay, tap, codex };
}

// --- Every slot fails

// told: the CLI's last words. requests: how often the CLI asks with the retries that it is allowed.
const forever = { repeat: -1 };
const defaults = { requestRetries: 4, streamRetries: 5 };
const everySlot = {
	"usage limit": {
		fail: (sim) => sim.script("*", { status: 429, body: { error: usageLimit }, ...forever }),
		told: /^You\u2019ve hit your usage limit\. (.* )?[Tt]ry again at (.* )?\d+:\d\d [AP]M\.$/,
		retries: defaults, requests: 1,
	},
	"usage limit as first event": {
		fail: (sim) => sim.script("*", { first_event_failure: usageLimit, ...forever }),
		told: /^You\u2019ve hit your usage limit\. /,
		retries: defaults, requests: 1,
	},
	"context length": {
		fail: (sim) => sim.script("*", { status: 400, body: { error: tooLong }, ...forever }),
		told: /^Codex ran out of room in the model's context window\. Start a new thread or clear earlier history before retrying\.$/,
		retries: defaults, requests: 1,
	},
	"context length as first event": {
		fail: (sim) => sim.script("*", { first_event_failure: tooLong, ...forever }),
		told: /^Codex ran out of room in the model's context window\. /,
		retries: defaults, requests: 1,
	},
	"overloaded": {
		fail: (sim) => sim.script("*", { status: 503, body: { error: overloaded }, ...forever }),
		told: /^Selected model is at capacity\. Please try a different model\.$/,
		retries: defaults, requests: 5,
	},
	"overloaded as first event": {
		fail: (sim) => sim.script("*", { first_event_failure: overloaded, ...forever }),
		told: /^Selected model is at capacity\. Please try a different model\.$/,
		retries: { requestRetries: 0, streamRetries: 5 }, requests: 1,
	},
	"plain 429": {
		fail: (sim) => sim.script("*", { ...plain429, ...forever }),
		told: /^exceeded retry limit, last status: 429 Too Many Requests, request id: \S+$/,
		retries: { requestRetries: 4, streamRetries: 1 }, requests: 2,
	},
	"401, and no other token to be had": {
		fail: (sim) => eachAccount(sim, { revoke_access: true, revoke_refresh: true }),
		told: /^unexpected status 403 Forbidden: No slot can serve \(2 configured\): 0 disabled, 2 in need of a new login\., url: /,
		retries: { requestRetries: 1, streamRetries: 1 }, requests: 3,
	},
	"a stream cut before output": {
		fail: (sim) => sim.script("*", { cut_after_events: 2, ...forever }),
		told: /^unexpected status 502 Bad Gateway: The upstream's answer ended early\., url: \S+, request id: \S+$/,
		retries: { requestRetries: 0, streamRetries: 1 }, requests: 2,
	},
	"a stream cut behind output": {
		fail: (sim) => sim.script("*", { cut_after_events: 6, ...forever }),
		told: /^stream disconnected before completion: /,
		retries: { requestRetries: 4, streamRetries: 1 }, requests: 2,
	},
};

for (const [i, [name, { fail, told, retries, requests }]] of Object.entries(everySlot).entries()) {
	const model = models[i % models.length];

	test(`every slot fails (${model}): ${name}`, async (t) => {
		const { sim, tap, codex } = await start(t, 2, model, retries);
		await fail(sim);
		const run = await codex.exec("count to 5");

		assertFailed(run);
		assert.match(run.errors.at(-1), told);
		assert.equal(run.text, "");
		assert.equal(tap.exchanges().length, requests);
		assert.ok(run.errors.slice(0, -2).every((text) => text.startsWith("Reconnecting...")), run.errors.join("\n"));
	});
}

test("a relay without slots is not a usage limit", async (t) => {
	const { codex, tap } = await start(t, 0, "gpt-5.5", { requestRetries: 4, streamRetries: 0 });
	const run = await codex.exec("hello");

	assertFailed(run);
	assert.match(run.errors.at(-1), /^unexpected status 403 Forbidden: No slot is configured: add an account with slot-login\., url: /);
	assert.equal(tap.exchanges().length, 1);
});

// --- Another slot, or another try, could serve. The CLI may not retry: whatever reached it would be seen.

const served = {
	"plain 429, then another slot": {
		accounts: 2, fail: (sim) => sim.script("acct-1", plain429), turns: ["acct-1 429", "acct-2 200"],
	},
	"usage limit, then another slot": {
		accounts: 2, fail: (sim) => sim.script("acct-1", { first_event_failure: usageLimit }),
		turns: ["acct-1 200", "acct-2 200"],
	},
	"overloaded, then the only slot again": {
		accounts: 1, fail: (sim) => sim.script("*", { status: 503, body: { error: overloaded } }),
		turns: ["acct-1 503", "acct-1 200"],
	},
	"401, then the same slot with another token": {
		accounts: 2, fail: (sim) => sim.account("acct-1", { revoke_access: true }), turns: ["acct-1 401", "acct-1 200"],
		refreshes: 1,
	},
	"401 and no other token, then another slot": {
		accounts: 2, fail: (sim) => sim.account("acct-1", { revoke_access: true, revoke_refresh: true }),
		turns: ["acct-1 401", "acct-2 200"],
	},
	"a stream cut before output, then another slot": {
		accounts: 2, fail: (sim) => sim.script("acct-1", { cut_after_events: 2, cut_mid_event: true }),
		turns: ["acct-1 200", "acct-2 200"],
	},
	"four slots that fail in four ways, then the fifth": {
		accounts: 4,
		fail: async (sim) => {
			await sim.script("acct-1", { status: 503, body: { error: overloaded } });
			await sim.script("acct-2", plain429);
			await sim.script("acct-3", { cut_after_events: 2 });
		},
		turns: ["acct-1 503", "acct-2 429", "acct-3 200", "acct-4 200"],
	},
};

for (const [i, [name, { accounts, fail, turns, refreshes = 0 }]] of Object.entries(served).entries()) {
	const model = models[i % models.length];

	test(`not seen by the CLI (${model}): ${name}`, async (t) => {
		const { sim, tap, codex } = await start(t, accounts, model, {});
		await fail(sim);
		const run = await codex.exec("say exactly: the answer");

		assertSucceeded(run);
		assert.equal(run.text, "the answer");
		assert.equal(tap.exchanges().length, 1);
		assert.deepEqual((await sim.turns()).map((turn) => `${turn.account} ${turn.status}`), turns);
		assert.equal((await sim.call("GET", "stats")).refreshes, refreshes);
	});
}

test("plain 429 of every slot, then ok: the CLI waits as long as it is told, and goes on", async (t) => {
	const { sim, tap, codex } = await start(t, 2, "gpt-5.5", defaults);
	await sim.script("*", { ...plain429, repeat: 2 });
	const run = await codex.exec("say exactly: the answer");

	assert.equal(run.code, 0, run.stdout);
	assert.equal(run.text, "the answer");
	const [first, ...more] = tap.exchanges();
	assert.match(first.answer.start, / 429 /);
	assert.ok(Number(first.answer.headers["retry-after"]) <= 2);
	assert.equal(more.length, 1, "it did not ask before a slot was back");
});

test("a stream cut behind output, then ok: the CLI asks again, and says everything once", async (t) => {
	const { sim, tap, codex } = await start(t, 2, "gpt-6.1-sol", defaults);
	await sim.script("*", { cut_after_events: 9 });
	const run = await codex.exec("count to 30");

	assert.equal(run.code, 0, run.stdout);
	assert.equal(run.text, Array.from({ length: 30 }, (_, i) => i + 1).join(" "));
	assert.equal(tap.exchanges().length, 2);
	assert.equal(new Set((await sim.turns()).map((turn) => turn.account)).size, 1, "it stays on its slot");
});
