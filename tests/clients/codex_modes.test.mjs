// The published Codex CLI, wired by codex-config, in each of its modes; and older versions of it.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import test from "node:test";

import { assertSucceeded, assertUnnoticed, startWired, wireCodex } from "./codex.mjs";
import { startRelay, startSim } from "./relay.mjs";

const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const addFile = "*** Begin Patch\n*** Add File: notes/hello.txt\n+hello\n*** End Patch\n";

// The provider that the CLI has by itself, sent to the relay.
const builtIn = `model = "gpt-5.5"
chatgpt_base_url = "{url}/backend-api/"
openai_base_url = "{url}/backend-api/codex"
`;

// How each kind of model is told to use a tool.
const kinds = {
	"gpt-5.5": {
		shell: (cmd) => `call exec_command ${JSON.stringify({ cmd })}`,
		patch: (text) => `call apply_patch <<<${text}>>>`,
	},
	"gpt-6.1-sol": {
		shell: (cmd) => `call exec <<<const r = await tools.exec_command(${JSON.stringify({ cmd })}); text(r.output);>>>`,
		patch: (text) => `call exec <<<text(await tools.apply_patch(${JSON.stringify(text)}));>>>`,
	},
};

// The ways in which the CLI talks to the relay. Where handshakes are refused, its log tells of them.
const modes = {
	"api-key": { mode: "api-key" },
	"api-key over WebSockets": { mode: "api-key", websockets: true },
	"api-key, WebSockets refused": { mode: "api-key", websockets: true, config: { websockets: "off" } },
	chatgpt: { mode: "chatgpt" },
	"chatgpt over WebSockets": { mode: "chatgpt", websockets: true },
	"chatgpt-tls": { mode: "chatgpt-tls" },
};

// "GET /path" of all that the CLI asked for, with the statuses of the answers.
function asked(relay) {
	return relay.tap.exchanges().map(({ request, answer }) => {
		const [method, target] = request.start.split(" ");

		return `${method} ${target.split("?")[0]} ${answer.start.split(" ")[1]}`;
	});
}

// Who speaks to the relay on a socket is heard upstream on one too; codex-config gives chatgpt-tls sockets by itself.
function assertTransport(name, turns) {
	const method = /over WebSockets|chatgpt-tls/.test(name) ? "WS" : "POST";

	assert.deepEqual(new Set(turns.map((turn) => turn.method)), new Set([method]));
}

// What the tap in front of the plain listener saw.
function assertPaths(name, paths) {
	const turns = {
		"api-key": ["POST /v1/responses 200"],
		"api-key over WebSockets": ["GET /v1/responses 101"],
		"api-key, WebSockets refused": ["GET /v1/responses 426", "POST /v1/responses 200"],
		"chatgpt-tls": [],
	};
	const turn = name === "chatgpt" ? "POST /backend-api/codex/responses 200" : "GET /backend-api/codex/responses 101";

	if (name in turns) {
		assert.deepEqual([...paths], turns[name]);
		return;
	}
	assert.ok(paths.has(turn), [...paths].join());
	assert.ok(paths.has("GET /backend-api/wham/accounts/check 200"));
	assert.ok(paths.has("GET /backend-api/wham/settings/user 200"));
}

for (const [model, kind] of Object.entries(kinds)) {
	for (const [name, wired] of Object.entries(modes)) {
		const assertWell = wired.config ? assertUnnoticed : assertSucceeded;

		test(`${name}, ${model}: text, tools, a patch and a picture, in one conversation`, async (t) => {
			const { sim, codex, account, relay } = await startWired(t, { ...wired, model });
			const file = path.join(codex.work, "file.png");
			await writeFile(file, Buffer.from(png, "base64"));

			const picture = await codex.exec("--image", file, "--", "what is this");
			assertWell(picture);
			assert.equal(picture.text, "1 image: what is this");
			const shell = await codex.exec("resume", "--last", kind.shell("echo sum-$((40 + 2)) | tee made.txt"));
			assertWell(shell);
			assert.match(shell.text, /^tool said: .*sum-42/s);
			assert.equal(await readFile(path.join(codex.work, "made.txt"), "utf8"), "sum-42\n");
			const patch = await codex.exec("resume", "--last", kind.patch(addFile));
			assertWell(patch);
			assert.equal(await readFile(path.join(codex.work, "notes", "hello.txt"), "utf8"), "hello\n");
			const last = await codex.exec("resume", "--last", "think then say exactly: good bye");
			assertWell(last);
			assert.equal(last.text, "good bye");

			const turns = await sim.turns();
			assert.deepEqual(turns.map((turn) => turn.status), Array(6).fill(200));
			assert.equal(new Set(turns.map((turn) => turn.account)).size, 1);
			assert.equal(new Set(turns.map((turn) => turn.headers["session-id"])).size, 1);
			for (const turn of turns) {
				assert.notEqual(turn.headers["chatgpt-account-id"], account?.id);
			}
			assertTransport(name, turns);
			assertPaths(name, new Set(asked(relay)));
		});
	}
}

test("chatgpt: the CLI takes the relay's list of models", async (t) => {
	const { relay, codex } = await startWired(t, { mode: "chatgpt", model: "gpt-5.5" });

	// It gives up on a list after five seconds, which a busy machine can take, and asks again in the next run.
	assertSucceeded(await codex.exec("say exactly: hello"));
	assertSucceeded(await codex.exec("say exactly: again"));
	const cache = JSON.parse(await readFile(path.join(codex.home, "models_cache.json"), "utf8"));
	const served = relay.tap.exchanges().findLast(({ request, answer }) =>
		request.start.includes("/codex/models") && answer?.complete);
	assert.equal(served.answer.start.split(" ")[1], "200");
	assert.equal(cache.etag, served.answer.headers.etag);
	assert.deepEqual(cache.models.map((m) => m.slug).sort(),
		JSON.parse(served.answer.body).models.map((m) => m.slug).sort());
});

test("chatgpt: an IDE is shown the relay's models and the limits of its slots together", async (t) => {
	const { relay, codex, sim } = await startWired(t, {
		mode: "chatgpt",
		model: "gpt-5.5",
		config: { usage: { backend: "codex-api" } },
		prepare: async (sim) => {
			for (const [index, id] of sim.accounts.entries()) {
				await sim.account(id, { primary: { used_percent: 30 * index, reset_in_seconds: 1000 + index } });
			}
		},
	});
	for (const number of sim.accounts.keys()) {
		await relay.waitForEvent("usage.check", (line) => line.slot_id === `slot-${number + 1}` && line.ok);
	}
	const answers = await codex.ask([
		["account/rateLimits/read", undefined],
		["model/list", {}],
	]);

	const { rateLimits } = answers["account/rateLimits/read"];
	assert.equal(rateLimits.primary.usedPercent, 30);
	assert.equal(rateLimits.primary.windowDurationMins, 300);
	assert.equal(rateLimits.secondary.usedPercent, 0);
	assert.equal(rateLimits.planType, "plus");
	const served = JSON.parse((await fetch(`${relay.url}/backend-api/codex/models?client_version=0.169.0`,
		{ headers: { authorization: "Bearer relay-dev-token" } }).then((reply) => reply.text())));
	assert.deepEqual(answers["model/list"].data.map((model) => model.id).sort(),
		served.models.filter((model) => model.visibility === "list").map((model) => model.slug).sort());
});

test("chatgpt: a login that the relay does not know costs no refreshes", async (t) => {
	const sim = await startSim(t);
	const account = await sim.addLogin();
	const relay = await startRelay(t, sim);
	const codex = await wireCodex(t, relay, { mode: "chatgpt", model: "gpt-5.5", account });
	const run = await codex.exec("say exactly: never");

	assert.equal(run.code, 1);
	assert.equal(run.text, "");
	assert.ok(asked(relay).every((line) => line.endsWith(" 403")), asked(relay).join());
	assert.equal((await sim.turns()).length, 0);
});

for (const [name, wired] of Object.entries(modes)) {
	test(`${name}: a sub-agent runs on its root's slot`, async (t) => {
		const { sim, codex } = await startWired(t, { ...wired, model: "gpt-6.1-sol" });
		const task = JSON.stringify({ task_name: "child_one", message: "say exactly: hello" });
		// The CLI ends with its root: that one's second answer comes when the agent has asked.
		await sim.script("*", { match: "function_call_output", delay_ms: 3000 });
		const run = await codex.exec(`call spawn_agent ${task}`);

		// At its end the CLI may log that its agent is gone already.
		assertUnnoticed(run);
		const turns = await sim.turns();
		assertTransport(name, turns);
		const agents = turns.filter((turn) => turn.headers["x-openai-subagent"]);
		assert.ok(agents.length >= 1, JSON.stringify(turns.map((turn) => turn.headers)));
		assert.equal(agents[0].headers["session-id"], turns[0].headers["session-id"]);
		assert.notEqual(agents[0].headers["thread-id"], turns[0].headers["thread-id"]);
		assert.equal(new Set(turns.map((turn) => turn.account)).size, 1);
		assert.deepEqual(new Set(turns.map((turn) => turn.status)), new Set([200]));
	});
}

const longContext = { input_tokens: 30000, output_tokens: 10, total_tokens: 30010 };
const compactSoon = "model_auto_compact_token_limit = 20000\n";

// What a turn is for, by its frame or its head.
const purpose = (turn) => turn.json.client_metadata["x-codex-turn-metadata"] ?? turn.headers["x-codex-turn-metadata"];

for (const [name, model] of [["chatgpt", "gpt-5.5"], ["chatgpt", "gpt-6.1-sol"], ["chatgpt over WebSockets", "gpt-6.1-sol"]]) {
	test(`${name}, ${model}: a conversation that is too long is made short by the CLI itself`, async (t) => {
		const { sim, codex } = await startWired(t, { ...modes[name], model, settings: compactSoon });
		await sim.script("*", { usage: longContext });
		const run = await codex.exec(kinds[model].shell("echo hi"));

		assertSucceeded(run);
		const turns = await sim.turns();
		assertTransport(name, turns);
		const compactions = turns.filter((turn) => purpose(turn).includes('"compaction"'));
		assert.equal(compactions.length, 1);
		assert.deepEqual(compactions[0].json.tools ?? [], []);
		assert.equal(new Set(turns.map((turn) => turn.account)).size, 1);
		assert.deepEqual(new Set(turns.map((turn) => turn.status)), new Set([200]));
	});
}

// How the CLI makes a conversation short upstream; chatgpt-tls: see the built-in provider.
for (const [name, model, wired] of [
	...["api-key", "api-key over WebSockets", "api-key, WebSockets refused"].flatMap((name) =>
		Object.keys(kinds).map((model) => [name, model, modes[name]])),
	["the built-in provider of 0.142.5", "gpt-5.5", { login: true, version: "0.142.5", settings: builtIn }],
]) {
	test(`${name}, ${model}: a conversation that is too long is made short upstream, on its slot`, async (t) => {
		const settings = compactSoon + (wired.settings ?? "");
		const { sim, codex } = await startWired(t, { ...wired, model, settings });
		await sim.script("*", { usage: longContext });
		const run = await codex.exec(kinds[model].shell("echo hi"));

		assertUnnoticed(run);
		const turns = await sim.turns();
		const at = turns.findIndex((turn) => turn.json.input.at(-1).type === "compaction_trigger");
		assert.ok(at > 0, JSON.stringify(turns.map((turn) => turn.json.input.map((item) => item.type))));
		assert.ok(turns[at + 1].json.input.some((item) => item.type === "compaction"));
		assert.equal(turns[at + 1].json.previous_response_id, undefined);
		assert.equal(new Set(turns.map((turn) => turn.account)).size, 1);
		assert.deepEqual(new Set(turns.map((turn) => turn.status)), new Set([200]));
		if (name in modes) {
			assertTransport(name, turns);
		}
	});
}

test("a refused WebSocket makes the CLI use HTTP at once", async (t) => {
	const { sim, relay, codex } = await startWired(t, { ...modes["api-key, WebSockets refused"], model: "gpt-5.5" });
	const run = await codex.exec("say exactly: hello");

	assertUnnoticed(run);
	assert.equal(run.text, "hello");
	assert.deepEqual(asked(relay), ["GET /v1/responses 426", "POST /v1/responses 200"]);
	assert.equal((await sim.turns()).length, 1);
});

for (const [model, kind] of Object.entries(kinds)) {
	test(`chatgpt-tls, ${model}: the built-in provider`, async (t) => {
		const { sim, codex, account } = await startWired(t, { mode: "chatgpt-tls", model, settings: compactSoon });
		await sim.script("*", { usage: longContext });
		const run = await codex.exec(kind.shell("echo sum-$((40 + 2))"));

		assertUnnoticed(run);
		assert.match(run.text, /^tool said: .*sum-42/s);
		const turns = await sim.turns();
		const at = turns.findIndex((turn) => turn.json.input.at(-1).type === "compaction_trigger");
		assert.ok(turns[at + 1].json.input.some((item) => item.type === "compaction"));
		assert.equal(new Set(turns.map((turn) => turn.account)).size, 1);
		assert.ok(turns.every((turn) => turn.status === 200 && turn.headers["x-codex-routing-hint"]));
		assert.ok(turns.every((turn) => turn.headers["chatgpt-account-id"] !== account.id));
		const cache = JSON.parse(await readFile(path.join(codex.home, "models_cache.json"), "utf8"));
		assert.ok(cache.models.some((entry) => entry.description === "A simulated model."));
		const last = await codex.exec("resume", "--last", kind.patch(addFile));
		assertUnnoticed(last);
		assert.equal(await readFile(path.join(codex.work, "notes", "hello.txt"), "utf8"), "hello\n");
	});
}

// The newest CLI uses its built-in provider over TLS only; this one packs its bodies over plain HTTP too.
test("the built-in provider of 0.142.5: no WebSocket, bodies packed with zstd", async (t) => {
	const { sim, relay, codex } = await startWired(t, {
		config: { websockets: "off" },
		login: true,
		version: "0.142.5",
		settings: builtIn,
	});
	const run = await codex.exec("say exactly: hello");

	assertUnnoticed(run);
	assert.equal(run.text, "hello");
	const turns = relay.tap.exchanges().filter(({ request }) => request.start.includes("/codex/responses"));
	assert.deepEqual(turns.map(({ answer }) => answer.start.split(" ")[1]), ["426", "200"]);
	assert.equal(turns[1].request.headers["content-encoding"], "zstd");
	const [turn] = await sim.turns();
	assert.equal(turn.headers["content-encoding"], undefined);
	assert.equal(turn.json.input.at(-1).content.at(-1).text, "say exactly: hello");
});

test("the built-in provider of 0.142.5 over a WebSocket, with a login", async (t) => {
	const { sim, relay, codex } = await startWired(t, { login: true, version: "0.142.5", settings: builtIn });
	const run = await codex.exec(kinds["gpt-5.5"].shell("echo sum-$((40 + 2))"));

	assertUnnoticed(run);
	assert.match(run.text, /^tool said: .*sum-42/s);
	const turns = asked(relay).filter((line) => line.includes("/codex/responses"));
	assert.deepEqual(turns, ["GET /backend-api/codex/responses 101"]);
	assert.deepEqual((await sim.turns()).map((turn) => turn.status), [200, 200]);
});

for (const version of ["0.142.5", "0.98.0"]) {
	for (const mode of ["api-key", "chatgpt"]) {
		test(`Codex CLI ${version}, ${mode}: text and a tool`, async (t) => {
			const { sim, codex } = await startWired(t, { mode, model: "gpt-5.5", version });
			const text = await codex.exec("say exactly: hello");
			const tool = await codex.exec(kinds["gpt-5.5"].shell("echo sum-$((40 + 2))"));

			assert.equal(text.code, 0, text.stdout + text.stderr);
			assert.equal(text.text, "hello");
			assert.equal(tool.code, 0, tool.stdout + tool.stderr);
			assert.match(tool.text, /sum-42/);
			const turns = await sim.turns();
			assert.deepEqual(turns.map((turn) => turn.status), [200, 200, 200]);
			assert.ok(turns.every((turn) => turn.headers["user-agent"].startsWith(`codex_exec/${version}`)));
		});
	}
}

// What it says of WebSockets; where they are refused it warns, and the CLI uses HTTP.
const sockets = {
	"api-key": /✓ websocket +Responses WebSocket is not enabled/,
	"api-key, WebSockets refused": /websocket +Responses WebSocket failed; HTTPS fallback may still work/,
	chatgpt: /✓ websocket +Responses WebSocket is not enabled/,
};

for (const [name, wired] of Object.entries(modes)) {
	test(`${name}: codex doctor finds the relay`, async (t) => {
		const { relay, codex } = await startWired(t, { ...wired, model: "gpt-5.5" });
		const run = await codex.run("doctor");

		// The tap is in front of the plain listener only.
		assert.match(asked(relay).join(), name === "chatgpt-tls" ? /^$/ : /HEAD \/\S+\/responses 401/);
		assert.doesNotMatch(run.stdout + run.stderr, /unreachable/i, run.stdout);
		assert.match(run.stdout, /✓ reachability active provider endpoints are reachable/);
		assert.match(run.stdout, sockets[name] ?? /✓ websocket +connected \(HTTP 101/);
	});
}
