// Runs the published Codex CLI against the relay, with nothing else to reach.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";

import { clientsDir, temporaryDir, token } from "./relay.mjs";

const RUN_MS = 60000;

function find(dir, pattern) {
	const name = readdirSync(dir).find((entry) => pattern.test(entry));
	if (!name) {
		throw new Error(`nothing like ${pattern} in ${dir}: run npm ci --ignore-scripts`);
	}
	return path.join(dir, name);
}

// The native program of the one platform package that npm installed.
function codexBin() {
	const vendor = path.join(find(path.join(clientsDir, "node_modules", "@openai"), /^codex-/), "vendor");
	return path.join(find(vendor, /-/), "bin", "codex");
}

// The five settings after the provider keep the CLI away from the network; it knows no other host.
const config = (model, base, { requestRetries = 0, streamRetries = 0, idleTimeoutMs = 60000 }) => `
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
`;

// A Codex installation of its own: home, working directory, configuration. By default the CLI does not
// retry, so that only the relay can have made a failure invisible.
export async function makeCodex(t, base, { model, ...retries }) {
	const root = await temporaryDir(t);
	const home = path.join(root, "home");
	const work = path.join(root, "work");

	await mkdir(home);
	await mkdir(work);
	await writeFile(path.join(home, "config.toml"), config(model, base, retries));
	return { exec: (...args) => exec(home, work, args), home, work };
}

async function exec(home, work, args) {
	// Tools run in the test's own directory; whether the machine has a sandbox is not the question.
	const child = spawn(codexBin(), ["exec", "--skip-git-repo-check", "--json",
		"--dangerously-bypass-approvals-and-sandbox", ...args], {
		cwd: work,
		env: { PATH: process.env.PATH, HOME: home, CODEX_HOME: home, RELAY_KEY: token, TZ: "UTC" },
		stdio: ["ignore", "pipe", "pipe"],
		timeout: RUN_MS,
		killSignal: "SIGKILL",
	});
	const stdout = collect(child.stdout);
	const stderr = collect(child.stderr);
	const [code, signal] = await once(child, "close");
	const run = { code, signal, stdout: stdout(), stderr: stderr() };

	return { ...run, ...summary(run.stdout) };
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

// The run went well, and its user was told of no trouble.
export function assertSucceeded(run) {
	assert.equal(run.code, 0, `${run.signal} ${run.stdout} ${run.stderr}`);
	assert.deepEqual(run.errors, []);
	assert.doesNotMatch(run.stderr, /ERROR|Reconnecting/);
}

// The run failed as the CLI fails, not by our timeout.
export function assertFailed(run) {
	assert.equal(run.signal, null, run.stderr);
	assert.equal(run.code, 1, run.stdout + run.stderr);
}
