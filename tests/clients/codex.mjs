// Runs the published Codex CLI against the relay, with nothing else to reach.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";

import { clientsDir, JsonLines, startRelay, startSim, temporaryDir, token } from "./relay.mjs";

const RUN_MS = 60000;

function find(dir, pattern) {
	const name = readdirSync(dir).find((entry) => pattern.test(entry));
	if (!name) {
		throw new Error(`nothing like ${pattern} in ${dir}: run npm ci --ignore-scripts`);
	}
	return path.join(dir, name);
}

const modules = path.join(clientsDir, "node_modules");
const platform = process.arch === "arm64" ? /^aarch64-unknown-linux/ : /^x86_64-unknown-linux/;

// Where npm put the package of each version, and the native program in it.
const versions = {
	"0.169.0": () => [find(path.join(modules, "@openai"), /^codex-/), "bin"],
	"0.142.5": () => [find(modules, /^codex-0\.142\.5-/), "bin"],
	"0.98.0": () => [path.join(modules, "codex-0.98.0"), "codex"],
};

function codexBin(version) {
	const [dir, bin] = versions[version]();
	return path.join(find(path.join(dir, "vendor"), platform), bin, "codex");
}

// The five settings after the provider keep the CLI away from the network; it knows no other host.
const config = (model, base, { requestRetries = 0, streamRetries = 0, idleTimeoutMs = 60000, websockets = false }) => `
model = ${JSON.stringify(model)}
model_provider = "relay"
check_for_update_on_startup = false

[analytics]
enabled = false

[otel]
metrics_exporter = "none"

[features]
plugins = false
apps = false
remote_plugin = false

[model_providers.relay]
name = "relay"
base_url = ${JSON.stringify(base)}
wire_api = "responses"
env_key = "RELAY_KEY"
request_max_retries = ${requestRetries}
stream_max_retries = ${streamRetries}
stream_idle_timeout_ms = ${idleTimeoutMs}
supports_websockets = ${websockets}
`;

const offline = `check_for_update_on_startup = false
[analytics]
enabled = false
[otel]
metrics_exporter = "none"
[features]
plugins = false
apps = false
remote_plugin = false
`;

// An installation that the relay's own codex-config has pointed at the relay, unless mode is left out and
// the settings do. In ChatGPT mode it is signed in to an account of the simulator that is no slot.
export async function wireCodex(t, relay, { mode, model, version, settings = "", account }) {
	const root = await temporaryDir(t);
	const [home, work] = [path.join(root, "home"), path.join(root, "work")];

	await mkdir(home);
	await mkdir(work);
	await writeFile(path.join(home, "config.toml"), settings + offline);
	if (account) {
		await writeFile(path.join(home, "auth.json"), JSON.stringify(account.auth), { mode: 0o600 });
	}
	if (mode) {
		await relay.command("codex-config", "--write", "--mode", mode, "--model", model, "--codex-home", home,
			"--url", mode === "chatgpt-tls" ? relay.tlsUrl : relay.url);
	}
	const env = { CODEX_CA_CERTIFICATE: relay.tlsUrl && path.join(relay.root, "tls", "ca.pem") };

	return {
		exec: (...args) => exec(home, work, args, version, env),
		run: (...args) => start(home, work, args, version ?? "0.169.0", env),
		ask: (requests) => ask(home, work, requests),
		converse: talker(t, home, work),
		home,
		work,
	};
}

// All of it, with the CLI wired in a mode. With a login of its own it asks for models: the relay knows them.
export async function startWired(t, { login = false, websockets = false, prepare = () => {}, config = {}, ...options }) {
	const sim = await startSim(t);
	await prepare(sim);
	const account = login || options.mode !== "api-key" ? await sim.addLogin() : undefined;
	const relay = await startRelay(t, sim, {
		...(account && {
			tls: options.mode === "chatgpt-tls",
			codexClients: { trustAccounts: [account.id] }, models: { ttlSeconds: 3600 }, logLevel: "debug",
		}),
		...config,
	});
	for (const number of account ? sim.accounts.keys() : []) {
		await relay.waitForEvent("models.fetch", (line) => line.slot_id === `slot-${number + 1}` && line.ok);
	}
	const settings = options.settings?.replaceAll("{url}", relay.url);
	const codex = await wireCodex(t, relay, { ...options, settings, account });

	if (websockets) {
		const file = path.join(codex.home, "config.toml");
		const text = await readFile(file, "utf8");
		await writeFile(file, text.replace("wire_api", "supports_websockets = true\nwire_api"));
	}
	return { sim, relay, codex, account };
}

// A Codex installation of its own: home, working directory, configuration. By default the CLI does not
// retry, so that only the relay can have made a failure invisible.
export async function makeCodex(t, base, { model, ...retries }) {
	const root = await temporaryDir(t);
	const home = path.join(root, "home");
	const work = path.join(root, "work");

	await mkdir(home);
	await mkdir(work);
	await writeFile(path.join(home, "config.toml"), config(model, base, retries));
	return { exec: (...args) => exec(home, work, args), converse: talker(t, home, work), home, work };
}

function environment(home) {
	return { PATH: process.env.PATH, HOME: home, CODEX_HOME: home, RELAY_KEY: token, CODEX_SLOT_RELAY_TOKEN: token, TZ: "UTC" };
}

async function exec(home, work, args, version = "0.169.0", env = {}) {
	// Tools run in the test's own directory; whether the machine has a sandbox is not the question.
	const run = await start(home, work, ["exec", "--skip-git-repo-check", "--json",
		"--dangerously-bypass-approvals-and-sandbox", ...args], version, env);

	return { ...run, ...summary(run.stdout) };
}

async function start(home, work, args, version, more = {}) {
	const child = spawn(codexBin(version), args, {
		cwd: work,
		env: { ...environment(home), ...more },
		stdio: ["ignore", "pipe", "pipe"],
		timeout: RUN_MS,
		killSignal: "SIGKILL",
	});
	const stdout = collect(child.stdout);
	const stderr = collect(child.stderr);
	const [code, signal] = await once(child, "close");

	return { code, signal, stdout: stdout(), stderr: stderr() };
}

// What an IDE talks to: `codex app-server`, by JSON-RPC.
class AppServer {
	constructor(home, work) {
		this.child = spawn(codexBin("0.169.0"), ["app-server"], {
			cwd: work,
			env: environment(home),
			stdio: ["pipe", "pipe", "ignore"],
			timeout: RUN_MS,
			killSignal: "SIGKILL",
		});
		this.closed = once(this.child, "close");
		this.lines = new JsonLines(this.child.stdout);
		this.calls = 0;
	}

	// The result, or the error.
	async call(method, params) {
		const id = this.calls++;

		this.child.stdin.write(`${JSON.stringify({ id, method, params })}\n`);
		const answer = await this.lines.wait(`an answer to ${method}`,
			(line) => line.id === id && (line.result || line.error));
		return answer.result ?? answer.error;
	}

	async initialize() {
		const result = await this.call("initialize", { clientInfo: { name: "codex_vscode", title: null, version: "1.0.0" } });

		this.child.stdin.write(`${JSON.stringify({ method: "initialized" })}\n`);
		return result;
	}

	end() {
		this.child.stdin.end();
		return this.closed;
	}
}

// Results by method.
async function ask(home, work, requests) {
	const server = new AppServer(home, work);
	const results = {};

	await server.initialize();
	for (const [method, params] of requests) {
		results[method] = await server.call(method, params);
	}
	await server.end();
	return results;
}

// A server whose threads are conversations in one process; ends with the test.
function talker(t, home, work) {
	let server;

	return async () => {
		if (!server) {
			server = new AppServer(home, work);
			t.after(() => server.end());
			await server.initialize();
		}
		return converse(server, work);
	};
}

// A new conversation: every text that is said to it is a turn.
async function converse(server, work) {
	const { thread } = await server.call("thread/start", { cwd: work, approvalPolicy: "never", sandbox: "danger-full-access" });

	return async (text) => {
		const { turn } = await server.call("turn/start", { threadId: thread.id, input: [{ type: "text", text }] });
		await server.lines.wait("the end of a turn",
			(line) => line.method === "turn/completed" && line.params.turn.id === turn.id);
		const told = server.lines.lines.filter((line) => line.params?.turnId === turn.id);

		return {
			text: told.filter((line) => line.method === "item/completed" && line.params.item.type === "agentMessage")
				.map((line) => line.params.item.text).join("\n"),
			errors: told.filter((line) => line.method === "error").map((line) => line.params.error.message),
		};
	};
}

function collect(stream) {
	const pieces = [];
	stream.on("data", (piece) => pieces.push(piece));
	return () => Buffer.concat(pieces).toString("utf8");
}

// What `--json` told: the answers, the commands run, the errors.
function summary(stdout) {
	const events = stdout.split("\n").filter(Boolean).map((line) => JSON.parse(line));
	const items = events.filter((event) => event.type === "item.completed").map((event) => event.item);

	return {
		events,
		items,
		text: items.filter((item) => item.type === "agent_message").map((item) => item.text).join("\n"),
		errors: events.filter((event) => event.type === "error" || event.type === "turn.failed")
			.map((event) => event.message ?? event.error.message),
	};
}

// The CLI may end while it writes its cache of models, and the next run then finds half of it.
const OWN_CACHE = /^.* ERROR codex_models_manager::manager: failed to load models cache: EOF .*$/gm;

// The run went well, and its user was told of no trouble.
export function assertSucceeded(run) {
	assert.equal(run.code, 0, `${run.signal} ${run.stdout} ${run.stderr}`);
	assert.deepEqual(run.errors, []);
	assert.doesNotMatch(run.stderr.replace(OWN_CACHE, ""), /ERROR|Reconnecting/);
}

// The CLI's own log tells of the refused handshake; its user hears nothing.
export function assertUnnoticed(run) {
	assert.equal(run.code, 0, `${run.signal} ${run.stdout} ${run.stderr}`);
	assert.deepEqual(run.errors, []);
	assert.doesNotMatch(run.stderr, /Reconnecting|Falling back/);
}

// The run failed as the CLI fails, not by our timeout.
export function assertFailed(run) {
	assert.equal(run.signal, null, run.stderr);
	assert.equal(run.code, 1, run.stdout + run.stderr);
}
