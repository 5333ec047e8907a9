// The published Codex CLI through the relay over a WebSocket, each turn of which goes upstream over HTTP.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import test from "node:test";

import { makeCodex } from "./codex.mjs";
import { startBoth, startRelay, startSim, startTap } from "./relay.mjs";

const models = [
	{ model: "gpt-5.5", shell: (cmd) => `call exec_command ${JSON.stringify({ cmd })}` },
	{
		model: "gpt-6.1-sol",
		shell: (cmd) => `call exec <<<const r = await tools.exec_command(${JSON.stringify({ cmd })}); text(r.output);>>>`,
	},
];

function assertSucceeded(run) {
	assert.equal(run.code, 0, `${run.signal} ${run.stdout} ${run.stderr}`);
	assert.deepEqual(run.errors, []);
}

// A CLI whose connections to the relay are looked at: it must not have used HTTP for its turns.
async function start(t, options = {}) {
	const both = await startBoth(t, { config: { upstream: { transport: "http" } } });
	const tap = await startTap(t, both.relay.address);
	const codex = await makeCodex(t, `${tap.url}/v1`, { websockets: true, ...options });
	return { ...both, tap, codex };
}

function assertSockets(tap, count) {
	const starts = tap.starts();
	assert.equal(starts.filter((line) => /^GET \/v1\/responses /.test(line)).length, count, starts.join("\n"));
	assert.deepEqual(starts.filter((line) => /^POST /.test(line)), []);
}

for (const { model, shell } of models) {
	test(`${model}: text over a socket`, async (t) => {
		const { sim, tap, codex } = await start(t, { model });
		const run = await codex.exec("say exactly: Hello from the other side.");

		assertSucceeded(run);
		assert.equal(run.text, "Hello from the other side.");
		assertSockets(tap, 1);
		const turns = await sim.turns();
		assert.equal(turns.length, 1);
		assert.equal(turns[0].json.model, model);
		assert.equal(turns[0].json.previous_response_id, undefined);
		const usage = run.events.find((event) => event.type === "turn.completed").usage;
		assert.ok(usage.input_tokens > 0 && usage.output_tokens > 0, JSON.stringify(usage));
	});

	test(`${model}: a tool's output goes back as a new item, the slot gets the whole conversation`, async (t) => {
		const { sim, tap, codex } = await start(t, { model });
		const run = await codex.exec(shell("echo sum-$((40 + 2)) | tee made.txt"));

		assertSucceeded(run);
		assert.equal(await readFile(path.join(codex.work, "made.txt"), "utf8"), "sum-42\n");
		assert.match(run.text, /^tool said: .*sum-42/s);
		assertSockets(tap, 1);
		const turns = await sim.turns();
		assert.deepEqual(turns.map((turn) => turn.status), [200, 200]);
		const [first, second] = turns.map((turn) => turn.json.input);
		assert.deepEqual(second.slice(0, first.length), first);
		assert.match(JSON.stringify(second.at(-1)), /"(custom_tool|function)_call_output".*sum-42/);
		assert.ok(turns[1].headers["x-codex-turn-metadata"]);
		assert.equal(turns[0].account, turns[1].account);
	});

	test(`${model}: a slot that is exhausted in the middle of a turn is not noticed`, async (t) => {
		const { sim, tap, codex } = await start(t, { model });
		const running = codex.exec(shell("until [ -e go ]; do sleep 0.05; done; echo went"));

		await sim.wait("finished>=1");
		const [first] = await sim.turns();
		await sim.exhaust(first.account);
		await writeFile(path.join(codex.work, "go"), "");
		const run = await running;

		assertSucceeded(run);
		assert.match(run.text, /^tool said: .*went/s);
		assert.doesNotMatch(run.stdout + run.stderr, /limit|Reconnecting|fall/i);
		assertSockets(tap, 1);
		const turns = await sim.turns();
		assert.deepEqual(turns.map((turn) => turn.status), [200, 429, 200]);
		assert.notEqual(turns[2].account, first.account);
	});

	test(`${model}: resume opens another socket and goes on`, async (t) => {
		const { sim, tap, codex } = await start(t, { model });
		assertSucceeded(await codex.exec("think then say exactly: first answer"));
		const run = await codex.exec("resume", "--last", "say exactly: second answer");

		assertSucceeded(run);
		assert.equal(run.text, "second answer");
		assertSockets(tap, 2);
		const turns = await sim.turns();
		assert.deepEqual(turns.map((turn) => turn.status), [200, 200]);
		assert.equal(turns[0].account, turns[1].account);
		assert.equal(turns[1].json.input.filter((item) => item.type === "reasoning").length, 1);
	});
}

for (const [what, script] of [
	["cuts the stream before output", { cut_after_events: 2 }],
	["resets the connection", { reset: true }],
	["is overloaded", { first_event_failure: { code: "server_is_overloaded", message: "busy" } }],
]) {
	test(`an upstream that ${what} is not noticed`, async (t) => {
		const { sim, tap, codex } = await start(t, { model: "gpt-5.5" });
		await sim.script("*", script);
		const run = await codex.exec("say exactly: still here");

		assertSucceeded(run);
		assert.equal(run.text, "still here");
		assert.equal((await sim.turns()).length, 2);
		assertSockets(tap, 1);
	});
}

test("an upstream that is cut in the middle of the answer: the CLI asks again and gets it", async (t) => {
	const { sim, codex } = await start(t, { model: "gpt-5.5", streamRetries: 2 });
	await sim.script("*", { cut_after_events: 8 });
	const run = await codex.exec("say exactly: one two three four five six seven eight nine");

	assert.equal(run.code, 0, run.stdout + run.stderr);
	assert.match(run.text, /one two three four five six seven eight nine$/);
});

test("all slots exhausted: the CLI tells when they reset", async (t) => {
	const { sim, codex } = await start(t, { model: "gpt-5.5" });
	for (const account of sim.accounts) {
		await sim.exhaust(account);
	}
	const run = await codex.exec("say exactly: never");

	assert.equal(run.code, 1, run.stdout + run.stderr);
	assert.match(run.errors.join("\n"), /usage limit/i);
});

test("websockets off: the CLI uses HTTP at once and says nothing", async (t) => {
	const sim = await startSim(t);
	const relay = await startRelay(t, sim, { websockets: "off" });
	const tap = await startTap(t, relay.address);
	const codex = await makeCodex(t, `${tap.url}/v1`, { model: "gpt-5.5", websockets: true });
	const run = await codex.exec("say exactly: over HTTP");

	assertSucceeded(run);
	assert.equal(run.text, "over HTTP");
	const starts = tap.starts();
	assert.equal(starts.filter((line) => line.startsWith("GET /v1/responses ")).length, 1, starts.join("\n"));
	assert.equal(starts.filter((line) => line.startsWith("POST /v1/responses ")).length, 1, starts.join("\n"));
});
