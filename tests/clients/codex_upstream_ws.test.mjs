// The published Codex CLI on a WebSocket, which the relay carries on upstream: what reaches upstream is what the CLI
// would have sent there itself, and nothing that goes wrong behind the relay reaches the CLI.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import test from "node:test";

import { assertSucceeded, makeCodex, startWired } from "./codex.mjs";
import { startRelay, startSim, startTap } from "./relay.mjs";

const kinds = {
	"gpt-5.5": (cmd) => `call exec_command ${JSON.stringify({ cmd })}`,
	"gpt-6.1-sol": (cmd) => `call exec <<<const r = await tools.exec_command(${JSON.stringify({ cmd })}); text(r.output);>>>`,
};

const upgrades = (tap) => tap.starts().filter((line) => /^GET \S+\/codex\/responses /.test(line)).length;
const transports = (relay) => relay.events("request.finish").map(({ transport, incremental }) => `${transport} ${incremental}`);

// Taps on both sides of the relay. The CLI may not try again: whatever reached it would be seen.
async function start(t, { model = "gpt-5.5", ...config } = {}) {
	const sim = await startSim(t);
	const upstream = await startTap(t, sim.address);
	const relay = await startRelay(t, sim, { upstream: { baseUrl: `${upstream.url}/backend-api` }, ...config });
	const codex = await makeCodex(t, relay.base, { model, websockets: true });
	return { sim, upstream, relay, codex };
}

async function say(conversation, text) {
	assert.deepEqual(await conversation(`say exactly: ${text}`), { text, errors: [] });
}

// --- What reaches upstream

// The CLI's own frames beside the turns that came of them; a warm-up is answered by the relay.
function assertSameBytes(tap, turns) {
	const frames = tap.frames();
	const asked = frames.filter((text) => JSON.parse(text).generate !== false);

	assert.ok(frames.length > asked.length, "the CLI sent no warm-up");
	assert.equal(asked.length, turns.length);
	for (const [i, text] of asked.entries()) {
		const { input, tools, previous_response_id: previous } = JSON.parse(text);
		const items = JSON.stringify(input);

		assert.ok(text.includes(`"input":${items}`), "the CLI writes its JSON in another way now");
		assert.equal(turns[i].method, "WS");
		if (tools) {
			assert.ok(turns[i].body.includes(`"tools":${JSON.stringify(tools)}`));
		}
		if (i > 0) { // behind a warm-up the relay knows what upstream does not
			assert.equal(turns[i].json.previous_response_id, previous);
			assert.ok(turns[i].body.includes(`"input":${items}`), turns[i].body);
		} else {
			assert.ok(turns[i].body.includes(`${items.slice(1)}`), turns[i].body);
		}
	}
}

for (const [name, wired, model] of [
	["api-key", { mode: "api-key", websockets: true }, "gpt-5.5"],
	["chatgpt", { mode: "chatgpt", websockets: true }, "gpt-6.1-sol"],
]) {
	test(`${name}, ${model}: new items only, byte for byte the CLI's own, on one socket`, async (t) => {
		const { sim, relay, codex } = await startWired(t, { ...wired, model });
		const conversation = await codex.converse();

		await say(conversation, "one");
		const tool = await conversation(kinds[model]("echo sum-$((40 + 2))"));
		assert.match(tool.text, /^tool said: .*sum-42/s);
		assert.deepEqual(tool.errors, []);
		await say(conversation, "three");

		const turns = await sim.turns();
		assert.deepEqual(turns.map((turn) => turn.status), [200, 200, 200, 200]);
		assert.equal((await sim.call("GET", "stats")).sockets, 1);
		assertSameBytes(relay.tap, turns);
		await relay.waitForFinished(turns.length);
		assert.deepEqual(transports(relay), ["websocket false", ...Array(3).fill("websocket true")]);
	});
}

test("the socket to upstream waits for a CLI that comes back", async (t) => {
	const { sim, upstream, codex } = await start(t);

	assertSucceeded(await codex.exec("think then say exactly: first"));
	const run = await codex.exec("resume", "--last", "say exactly: second");
	assertSucceeded(run);
	assert.equal(run.text, "second");
	assert.equal(upgrades(upstream), 1);
	const [first, second] = await sim.turns();
	assert.equal(second.account, first.account);
	assert.equal(second.json.previous_response_id, undefined); // the CLI writes its items anew
});

// --- What goes wrong is not seen

for (const [model, shell] of Object.entries(kinds)) {
	test(`${model}: a slot that is exhausted in the middle of a turn`, async (t) => {
		const { sim, upstream, codex } = await start(t, { model });
		const running = codex.exec(shell("until [ -e go ]; do sleep 0.05; done; echo went"));

		await sim.wait("finished>=2"); // the upgrade, and the turn
		const [first] = await sim.turns();
		await sim.exhaust(first.account);
		await writeFile(path.join(codex.work, "go"), "");
		const run = await running;

		assertSucceeded(run);
		assert.match(run.text, /^tool said: .*went/s);
		assert.doesNotMatch(run.stdout + run.stderr, /limit|Reconnecting|fall/i);
		const turns = await sim.turns();
		assert.deepEqual(turns.map((turn) => `${turn.method} ${turn.status}`), ["WS 200", "WS 429", "WS 200"]);
		assert.notEqual(turns[2].account, first.account);
		assert.equal(turns[2].json.previous_response_id, undefined);
		assert.equal(upgrades(upstream), 2);
	});
}

test("a slot that is exhausted between turns: the next slot gets all, then new items only", async (t) => {
	const { sim, codex } = await start(t);
	const conversation = await codex.converse();

	await say(conversation, "one");
	const [first] = await sim.turns();
	await sim.exhaust(first.account);
	await say(conversation, "two");
	await say(conversation, "three");

	const turns = await sim.turns();
	assert.deepEqual(turns.map((turn) => `${turn.method} ${turn.status}`), ["WS 200", "WS 429", "WS 200", "WS 200"]);
	assert.notEqual(turns[2].account, first.account);
	assert.equal(turns[3].account, turns[2].account);
	assert.equal(turns[2].json.previous_response_id, undefined);
	assert.equal(turns[3].json.input.length, 1);
});

test("an upstream that ends its sockets between turns", async (t) => {
	const { sim, upstream, codex } = await start(t);
	const conversation = await codex.converse();

	await say(conversation, "one");
	upstream.cut();
	await sim.wait("sockets==0");
	await say(conversation, "two");
	await say(conversation, "three");

	const turns = await sim.turns();
	assert.deepEqual(turns.map((turn) => turn.method), ["WS", "WS", "WS"]);
	assert.equal(new Set(turns.map((turn) => turn.account)).size, 1);
	assert.equal(turns[1].json.previous_response_id, undefined);
	assert.equal(turns[2].json.input.length, 1);
	assert.equal(upgrades(upstream), 2);
});

// What a turn is answered with, the transports by which it was tried, and the failures that the relay tells of.
const refused = (code) => ({ status: 400, body: { error: { code, message: "no" } } });
const troubles = [
	["closes the socket at once", { close_code: 1011 }, ["WS", "WS"], 0],
	["ends the connection at once", { cut_after_events: 0 }, ["WS", "WS"], 0],
	["resets the connection", { reset: true }, ["WS", "WS"], 0],
	["closes the socket before output", { close_code: 1011, cut_after_events: 2 }, ["WS", "POST"], 1],
	["ends the connection before output", { cut_after_events: 2 }, ["WS", "POST"], 1],
	["ends the socket's life", refused("websocket_connection_limit_reached"), ["WS", "WS"], 0],
	["has forgotten the answer before", refused("previous_response_not_found"), ["WS", "WS"], 0],
	["takes no frames of that size", { close_code: 1009 }, ["WS", "POST"], 0],
	["is overloaded", { first_event_failure: { code: "server_is_overloaded", message: "busy" } }, ["WS", "WS"], 1],
];

test("the second turn meets an upstream that", async (t) => {
	const { sim, relay, codex } = await start(t);

	for (const [i, [what, script, tries, failures]] of troubles.entries()) {
		await t.test(what, async () => {
			const conversation = await codex.converse();
			await say(conversation, "one");
			await sim.call("DELETE", "requests");
			const before = relay.events("attempt.failed").length;
			await sim.script("*", script);
			await say(conversation, "two");
			await say(conversation, "three");

			const turns = await sim.turns();
			assert.deepEqual(turns.map((turn) => turn.method), [...tries, "WS"]);
			assert.equal(turns[0].json.input.length, 1);
			assert.equal(turns[1].json.previous_response_id, undefined);
			assert.ok(turns[1].json.input.length > 3);
			await relay.waitForFinished(3 * (i + 1));
			assert.equal(relay.events("attempt.failed").length - before, failures);
		});
	}
});

for (const [what, script] of [
	["refuses the upgrade", { status: 426, body: { detail: "no" } }],
	["does not answer the upgrade", { stall: true }],
]) {
	test(`an upstream that ${what}: HTTP, without another try`, async (t) => {
		const { sim, upstream, codex } = await start(t);
		await sim.script("*", { on_upgrade: true, repeat: -1, ...script });
		const conversation = await codex.converse();

		await say(conversation, "one");
		await say(conversation, "two");
		assert.deepEqual((await sim.turns()).map((turn) => `${turn.method} ${turn.status}`), ["POST 200", "POST 200"]);
		assert.equal(upgrades(upstream), 1);
	});
}
