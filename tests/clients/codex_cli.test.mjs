// The published Codex CLI through the relay and codex-sim.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import test from "node:test";

import { assertFailed, assertSucceeded, makeCodex } from "./codex.mjs";
import { startBoth, startRelay, startSim, startTap } from "./relay.mjs";

// How each kind of model is offered tools: a list (gpt-5.5), or one code tool as an input item.
const kinds = [
	{
		model: "gpt-5.5",
		shell: (cmd) => `call exec_command ${JSON.stringify({ cmd })}`,
		patch: (text) => `call apply_patch <<<${text}>>>`,
		tools: (body) => body.tools.map((tool) => tool.name ?? tool.type),
	},
	{
		model: "gpt-6.1-sol",
		shell: (cmd) => `call exec <<<const r = await tools.exec_command(${JSON.stringify({ cmd })}); text(r.output);>>>`,
		patch: (text) => `call exec <<<text(await tools.apply_patch(${JSON.stringify(text)}));>>>`,
		tools: (body) => body.input.find((item) => item.type === "additional_tools").tools.map((tool) => tool.name),
	},
];

const addFile = "*** Begin Patch\n*** Add File: notes/hello.txt\n+hello\n+grüße, 世界\n*** End Patch\n";

const unicode = [
	"emoji 👋🏽 👩‍👩‍👧‍👦 🇩🇪",
	"CJK 漢字 かな 한국어 𠮷",
	"combining é å \u0301x",
	"right to left שלום عربي",
	"separators \u2028 and \u2029, nothing \u200b, escape \\u0041 \"quoted\"",
].join(" | ");

for (const kind of kinds) {
	const { model } = kind;

	test(`${model}: text`, async (t) => {
		const { sim, relay } = await startBoth(t);
		const codex = await makeCodex(t, relay.base, { model });
		const run = await codex.exec("say exactly: Hello from the other side.");

		assertSucceeded(run);
		assert.equal(run.text, "Hello from the other side.");
		const turns = await sim.turns();
		assert.equal(turns.length, 1);
		assert.equal(turns[0].json.model, model);
		assert.ok(kind.tools(turns[0].json).length > 0);
		const usage = run.events.find((event) => event.type === "turn.completed").usage;
		assert.ok(usage.input_tokens > 0 && usage.output_tokens > 0, JSON.stringify(usage));
	});

	test(`${model}: text in every script`, async (t) => {
		const { sim, relay } = await startBoth(t);
		const codex = await makeCodex(t, relay.base, { model });
		const run = await codex.exec(`say exactly: ${unicode}`);

		assertSucceeded(run);
		assert.equal(run.text, unicode);
		const [turn] = await sim.turns();
		assert.equal(turn.json.input.at(-1).content.at(-1).text, `say exactly: ${unicode}`);
	});

	test(`${model}: a shell tool runs and its output goes back`, async (t) => {
		const { sim, relay } = await startBoth(t);
		const codex = await makeCodex(t, relay.base, { model });
		const run = await codex.exec(kind.shell("echo sum-$((40 + 2)) | tee made.txt"));

		assertSucceeded(run);
		assert.equal(await readFile(path.join(codex.work, "made.txt"), "utf8"), "sum-42\n");
		const command = run.items.find((item) => item.type === "command_execution");
		assert.equal(command.exit_code, 0);
		assert.equal(command.aggregated_output, "sum-42\n");
		assert.match(run.text, /^tool said: .*sum-42/s);
		const turns = await sim.turns();
		assert.deepEqual(turns.map((turn) => turn.status), [200, 200]);
		assert.match(JSON.stringify(turns[1].json.input.at(-1)), /"(custom_tool|function)_call_output".*sum-42/);
	});

	test(`${model}: apply_patch creates a file`, async (t) => {
		const { sim, relay } = await startBoth(t);
		const codex = await makeCodex(t, relay.base, { model });
		const run = await codex.exec(kind.patch(addFile));

		assertSucceeded(run);
		assert.equal(await readFile(path.join(codex.work, "notes", "hello.txt"), "utf8"), "hello\ngrüße, 世界\n");
		assert.deepEqual((await sim.turns()).map((turn) => turn.status), [200, 200]);
	});

	test(`${model}: resume sends the history with its encrypted reasoning, to the same slot`, async (t) => {
		const { sim, relay } = await startBoth(t);
		const codex = await makeCodex(t, relay.base, { model });
		const first = await codex.exec("think then say exactly: first answer");
		// What would be best is not where the conversation's blobs are.
		await sim.account("acct-1", { primary: { used_percent: 60 }, secondary: { used_percent: 60 } });
		const second = await codex.exec("resume", "--last", "say exactly: second answer");

		assertSucceeded(first);
		assertSucceeded(second);
		assert.equal(first.text, "first answer");
		assert.equal(second.text, "second answer");
		const turns = await sim.turns();
		assert.deepEqual(turns.map((turn) => turn.status), [200, 200]);
		assert.equal(turns[0].account, turns[1].account);
		assert.equal(turns[0].headers["session-id"], turns[1].headers["session-id"]);
		const reasoning = turns[1].json.input.filter((item) => item.type === "reasoning");
		assert.equal(reasoning.length, 1);
		assert.ok(reasoning[0].encrypted_content.length > 0);
		const said = turns[1].json.input.filter((item) => item.role === "assistant");
		assert.deepEqual(said.map((item) => item.content[0].text), ["first answer"]);
	});

	test(`${model}: bodies and events pass byte for byte, credentials do not`, async (t) => {
		const sim = await startSim(t);
		const above = await startTap(t, sim.address);
		const relay = await startRelay(t, sim, { upstream: { baseUrl: `${above.url}/backend-api` } });
		const below = await startTap(t, relay.address);
		const codex = await makeCodex(t, `${below.url}/v1`, { model });
		const run = await codex.exec(kind.shell("echo ünïcödé"));

		assertSucceeded(run);
		const turns = await sim.turns();
		const fromCli = below.exchanges();
		const toSim = above.exchanges().filter(({ request }) => request.start.includes("/codex/responses"));
		assert.equal(fromCli.length, 2);
		assert.equal(toSim.length, 2);
		for (const [i, { request, answer }] of fromCli.entries()) {
			const sent = toSim[i];
			assert.match(request.start, /^POST \/v1\/responses /);
			assert.ok(request.body.equals(sent.request.body), "the body was changed");
			assert.ok(request.body.equals(Buffer.from(turns[i].body)), "the body was changed on its way");
			assert.ok(answer.complete);
			assert.ok(answer.body.equals(sent.answer.body), "the events were changed");
			for (const name of ["session-id", "thread-id", "x-client-request-id", "x-codex-window-id",
				"x-codex-turn-metadata", "originator", "user-agent"]) {
				assert.ok(request.headers[name], name);
				assert.equal(sent.request.headers[name], request.headers[name], name);
			}
			assert.notEqual(sent.request.headers.authorization, request.headers.authorization);
			assert.ok(sent.request.headers["chatgpt-account-id"]);
		}
	});
}

test("an image goes along", async (t) => {
	const { sim, relay } = await startBoth(t);
	const codex = await makeCodex(t, relay.base, { model: "gpt-5.5" });
	const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
	const file = path.join(codex.work, "file.png");
	await writeFile(file, Buffer.from(png, "base64"));
	const run = await codex.exec("--image", file, "--", "what is this");

	assertSucceeded(run);
	assert.equal(run.text, "1 image: what is this");
	const [turn] = await sim.turns();
	const image = turn.json.input.at(-1).content.find((part) => part.type === "input_image");
	assert.match(image.image_url, /^data:image\/png;base64,/);
});

// "5:25 PM" as the CLI writes it.
function clockTime(unixSeconds) {
	const time = new Date(unixSeconds * 1000);
	const hours = time.getUTCHours();
	const minutes = String(time.getUTCMinutes()).padStart(2, "0");

	return `${hours % 12 || 12}:${minutes} ${hours < 12 ? "AM" : "PM"}`;
}

for (const { model } of kinds) {
	test(`${model}: when every slot is exhausted the CLI says so at once, with the soonest reset`, async (t) => {
		const { sim, relay } = await startBoth(t, { accounts: 3 });
		const tap = await startTap(t, relay.address);
		const codex = await makeCodex(t, `${tap.url}/v1`, { model, requestRetries: 4, streamRetries: 5 });
		await sim.exhaust("acct-1", 3 * 3600);
		const { primary } = await sim.exhaust("acct-2", 2 * 3600);
		await sim.exhaust("acct-3", 4 * 3600);
		const expected = new RegExp("^You\u2019ve hit your usage limit\\. Upgrade to Pro \\(https://[^)]*\\), visit "
			+ "https://chatgpt\\.com/\\S+usage to purchase more credits or try again at "
			+ `(.* )?${clockTime(primary.reset_at)}\\.$`);

		const first = await codex.exec("say exactly: never");
		assertFailed(first);
		assert.match(first.errors[0], expected);
		assert.equal(first.text, "");
		const turns = await sim.turns();
		assert.deepEqual(turns.map((turn) => turn.account).sort(), ["acct-1", "acct-2", "acct-3"]);
		assert.equal(tap.exchanges().length, 1, "the CLI sent its request again");

		// The relay knows now, and leaves the accounts alone.
		const second = await codex.exec("say exactly: never");
		assertFailed(second);
		assert.match(second.errors[0], expected);
		assert.equal((await sim.turns()).length, turns.length);
		assert.equal(tap.exchanges().length, 2);
	});
}

const overloaded = { code: "server_is_overloaded", message: "Our servers are currently overloaded." };
const limited = { type: "usage_limit_reached", code: "usage_limit_reached", message: "The usage limit has been reached" };

const rollOvers = {
	"429 usage_limit_reached": (sim) => sim.exhaust("acct-1"),
	"401 of a revoked token": (sim) => sim.account("acct-1", { revoke_access: true, revoke_refresh: true }),
	"403 of a blocked account": (sim) => sim.account("acct-1", { state: "blocked" }),
	"503 overloaded": (sim) => sim.script("acct-1", { status: 503, body: { error: overloaded } }),
	"500 without a body that says why": (sim) => sim.script("acct-1", { status: 500, body: "oops" }),
	"a reset instead of an answer": (sim) => sim.script("acct-1", { reset: true }),
	"overloaded as first event": (sim) => sim.script("acct-1", { first_event_failure: overloaded }),
	"usage limit as first event": (sim) => sim.script("acct-1", { first_event_failure: limited }),
	"an error event before all others": (sim) =>
		sim.script("acct-1", { first_event_failure: overloaded, bare: true, failure_form: "error" }),
	"a stream cut before output": (sim) => sim.script("acct-1", { cut_after_events: 2 }),
	"a stream reset before output": (sim) => sim.script("acct-1", { reset_after_events: 2 }),
	"a stream that ends without an end": (sim) => sim.script("acct-1", { cut_after_events: 2, cut_clean: true }),
};

for (const [i, [name, prepare]] of Object.entries(rollOvers).entries()) {
	const { model } = kinds[i % kinds.length];

	test(`roll-over, not seen by the CLI (${model}): ${name}`, async (t) => {
		const { sim, relay } = await startBoth(t, { accounts: 2 });
		const tap = await startTap(t, relay.address);
		const codex = await makeCodex(t, `${tap.url}/v1`, { model });
		await prepare(sim);
		const run = await codex.exec("say exactly: the answer");

		assertSucceeded(run);
		assert.equal(run.text, "the answer");
		assert.equal(tap.exchanges().length, 1);
		assert.equal(tap.exchanges()[0].answer.headers["x-relay-slot-id"], "slot-2");
		assert.deepEqual((await sim.turns()).map((turn) => turn.account), ["acct-1", "acct-2"]);
		assert.deepEqual(relay.events("attempt.failed").map((line) => line.slot_id), ["slot-1"]);
	});
}

test("a stream cut behind output is an error, and no other slot is asked", async (t) => {
	const { sim, relay } = await startBoth(t, { accounts: 2 });
	const codex = await makeCodex(t, relay.base, { model: "gpt-5.5" });
	await sim.script("*", { cut_after_events: 6 });
	const run = await codex.exec("count to 5");

	assertFailed(run);
	assert.ok(run.errors.length > 0);
	assert.equal(run.text, "");
	assert.equal((await sim.turns()).length, 1);
});

test("with its own retries the CLI recovers from a stream cut behind output", async (t) => {
	const { sim, relay } = await startBoth(t, { accounts: 2 });
	const codex = await makeCodex(t, relay.base, { model: "gpt-5.5", streamRetries: 2 });
	await sim.script("*", { cut_after_events: 6 });
	const run = await codex.exec("count to 5");

	assert.equal(run.code, 0, run.stdout);
	assert.equal(run.text, "1 2 3 4 5");
	assert.equal((await sim.turns()).length, 2);
});

test("a failure that is the request's own reaches the CLI as it was", async (t) => {
	const { sim, relay } = await startBoth(t, { accounts: 2 });
	const codex = await makeCodex(t, relay.base, { model: "gpt-5.5", streamRetries: 2 });
	await sim.script("*", { first_event_failure: { code: "context_length_exceeded", message: "Too long." } });
	const run = await codex.exec("hello");

	assertFailed(run);
	assert.match(run.errors.at(-1), /^Codex ran out of room in the model's context window\./);
	assert.equal((await sim.turns()).length, 1);
});

test("when every slot is overloaded the CLI says so, and asks no more", async (t) => {
	const { sim, relay } = await startBoth(t, { accounts: 2, config: { retry: { maxAttempts: 3 } } });
	const codex = await makeCodex(t, relay.base, { model: "gpt-5.5" });
	await sim.script("*", { status: 503, body: { error: overloaded }, repeat: -1 });
	const run = await codex.exec("hello");

	assertFailed(run);
	assert.equal(run.errors.at(-1), "Selected model is at capacity. Please try a different model.");
	assert.equal((await sim.turns()).length, 3);
});

test("when every slot is limited for a moment the CLI waits and asks again", async (t) => {
	const { sim, relay } = await startBoth(t, { accounts: 2 });
	const tap = await startTap(t, relay.address);
	const codex = await makeCodex(t, `${tap.url}/v1`, { model: "gpt-5.5", streamRetries: 3 });
	const body = { error: { type: "rate_limit_exceeded", code: "rate_limit_exceeded", message: "Slow down." } };
	await sim.script("*", { status: 429, headers: { "retry-after": "1" }, body, repeat: 2 });
	const run = await codex.exec("say exactly: at last");

	assert.equal(run.code, 0, run.stdout + run.stderr);
	assert.equal(run.text, "at last");
	assert.deepEqual((await sim.turns()).map((turn) => turn.status), [429, 429, 200]);
	assert.ok(tap.exchanges().length >= 2, "the CLI asked once only");
});

test("keep-alive events carry the CLI over an upstream that thinks", async (t) => {
	const { sim, relay } = await startBoth(t, { config: { heartbeatSeconds: 1 } });
	const tap = await startTap(t, relay.address);
	const codex = await makeCodex(t, `${tap.url}/v1`, { model: "gpt-5.5", idleTimeoutMs: 3000 });
	const message = { type: "message", id: "msg_1", role: "assistant", content: [] };
	const event = (value) => `event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`;
	await sim.script("*", {
		pace_ms: 5000,
		events: [
			event({ type: "response.created", response: { id: "resp_1" } })
				+ event({ type: "response.output_item.added", output_index: 0, item: message }),
			event({
				type: "response.output_item.done",
				output_index: 0,
				item: { ...message, content: [{ type: "output_text", text: "at last", annotations: [] }] },
			}) + event({ type: "response.completed", response: { id: "resp_1", output: [] } }),
		],
	});
	const run = await codex.exec("hello");

	assertSucceeded(run);
	assert.equal(run.text, "at last");
	const [{ answer }] = tap.exchanges();
	const beats = answer.body.toString().split("\n").filter((line) => line === 'data: {"type":"keepalive"}');
	assert.ok(beats.length >= 3 && beats.length <= 6, `${beats.length} keep-alive events`);
});
