// Starts codex-sim and the relay for a test, and talks to them. Nothing outlives the test: everything
// registers its end with the test's context.

import { spawn, execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { checkExchanges } from "./schema.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const build = path.join(here, "..", "..", "build");
export const relayBin = process.env.RELAY_BIN ?? path.join(build, "codex-slot-relay");
export const simBin = process.env.SIM_BIN ?? path.join(build, "codex-sim");
export const clientsDir = process.env.CLIENTS_DIR ?? here;
export const token = "relay-dev-token";

const START_MS = 20000;
const WAIT_MS = 20000;

const run = promisify(execFile);

export async function temporaryDir(t) {
	const dir = await mkdtemp(path.join(os.tmpdir(), "relay-clients-"));
	// Hooks run in the order in which they were registered: those that end who writes there are yet to come.
	t.after(() => t.after(() => rm(dir, { recursive: true, force: true, maxRetries: 3 })));
	return dir;
}

// Rejects when the promise takes too long; what names the wait in the message.
export function within(ms, what, promise) {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new Error(`${what}: nothing within ${ms} ms`)), ms);
	});
	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// A program that writes one JSON object a line: collects the objects and wakes who waits for one.
export class JsonLines {
	constructor(stream) {
		this.lines = [];
		this.waiters = new Set();
		this.text = "";
		stream.setEncoding("utf8");
		stream.on("data", (piece) => {
			const parts = (this.text + piece).split("\n");
			this.text = parts.pop();
			for (const line of parts) {
				this.take(line);
			}
		});
		stream.on("close", () => {
			for (const waiter of this.waiters) {
				waiter.reject(new Error(`the program ended; its last lines:\n${this.tail()}`));
			}
		});
	}

	take(line) {
		let value;
		try {
			value = JSON.parse(line);
		} catch {
			value = { text: line };
		}
		this.lines.push(value);
		for (const waiter of this.waiters) {
			if (waiter.matches(value)) {
				this.waiters.delete(waiter);
				waiter.resolve(value);
			}
		}
	}

	tail() {
		return this.lines.slice(-20).map((line) => JSON.stringify(line)).join("\n");
	}

	async wait(what, matches) {
		const found = this.lines.find(matches);
		if (found) {
			return found;
		}
		let waiter;
		const line = new Promise((resolve, reject) => {
			waiter = { matches, resolve, reject };
			this.waiters.add(waiter);
		});
		return within(WAIT_MS, what, line).finally(() => this.waiters.delete(waiter));
	}
}

async function stop(child) {
	if (child.exitCode === null && child.signalCode === null) {
		child.kill("SIGTERM");
		const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
		await once(child, "exit");
		clearTimeout(timer);
	}
}

class Sim {
	constructor(address, accounts) {
		this.address = address;
		this.url = `http://${address}`;
		this.backend = `${this.url}/backend-api`;
		this.accounts = accounts.map((account) => account.id);
	}

	async call(method, where, body) {
		const answer = await fetch(`${this.url}/_sim/${where}`, {
			method,
			headers: { "content-type": "application/json" },
			body: body === undefined ? undefined : JSON.stringify(body),
		});
		const text = await answer.text();
		if (!answer.ok) {
			throw new Error(`codex-sim: ${method} ${where}: ${answer.status} ${text}`);
		}
		return JSON.parse(text);
	}

	// Scripts what the next requests of an account ("*": of any) are answered with.
	script(account, script) {
		return this.call("POST", `accounts/${account === "*" ? "%2A" : account}/script`, script);
	}

	account(id, change) {
		return this.call("POST", `accounts/${id}`, change);
	}

	// Uses up the 5 h window: the account answers 429 usage_limit_reached until the reset.
	exhaust(id, resetInSeconds = 3600) {
		return this.account(id, { primary: { used_percent: 100, reset_in_seconds: resetInSeconds } });
	}

	// One more account, which is no slot: its auth.json as the Codex CLI keeps it.
	async addLogin() {
		const id = `acct-${this.accounts.length + 1}`;

		await this.call("POST", "accounts", { count: 1 });
		const auth = await this.call("GET", `accounts/${id}/auth.json`);
		return { auth, id: auth.tokens.account_id };
	}

	// The turns that came, oldest first, by POST or (method WS) as frames of a socket, whose headers are those of its
	// handshake; headers as an object.
	async turns() {
		const { requests } = await this.call("GET", "requests?path=/codex/responses");
		return requests.filter(({ method }) => method !== "GET").map((request) => ({
			...request,
			headers: Object.fromEntries(request.headers),
			json: parsed(request.body),
		}));
	}

	// Waits inside the simulator until its request log meets a condition such as "gone>=1".
	wait(until) {
		const query = `until=${encodeURIComponent(until)}&path=/codex/responses&timeout_ms=${WAIT_MS}`;
		return this.call("GET", `wait?${query}`);
	}
}

function parsed(text) {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}

export async function startSim(t, { accounts = 3, args = [] } = {}) {
	const child = spawn(simBin, ["--listen", "127.0.0.1:0", "--accounts", String(accounts), ...args], {
		stdio: ["ignore", "pipe", "inherit"],
	});
	t.after(() => stop(child));
	const lines = new JsonLines(child.stdout);
	const start = await within(START_MS, "start of codex-sim",
		lines.wait("sim.start", (line) => line.event === "sim.start"));
	return new Sim(start.listen, start.accounts);
}

// base: what clients are given. It leads past a tap, so that all answers are checked in the end.
class Relay {
	constructor(root, address, tap, log) {
		this.root = root;
		this.tap = tap;
		this.address = address;
		this.url = tap.url;
		this.base = `${this.url}/v1`;
		this.log = log;
	}

	// Runs a command of the relay in its directory.
	command(...args) {
		return command(this.root, ...args);
	}

	// The log lines so far that carry this event.
	events(name) {
		return this.log.lines.filter((line) => line.event === name);
	}

	waitForEvent(name, matches = () => true) {
		return this.log.wait(name, (line) => line.event === name && matches(line));
	}

	// The log is complete for so many requests.
	waitForFinished(count) {
		return this.log.wait(`the end of ${count} requests`, () => this.events("request.finish").length >= count);
	}
}

async function command(root, ...args) {
	await run(relayBin, [...args, "--json"], {
		env: { ...process.env, CODEX_SLOT_RELAY_RUNTIME_ROOT: root },
		timeout: START_MS,
	});
}

// One slot for each account of the simulator, by the commands that an operator would use.
async function makeRuntime(root, sim, config) {
	const file = path.join(root, "config", "relay.json");

	await command(root, "init");
	const conf = JSON.parse(await readFile(file, "utf8"));
	const { upstream, ...rest } = config;
	// The relay asks upstream nothing of its own: every request is the test's.
	Object.assign(conf, { listen: "127.0.0.1:0", usage: { backend: "local-cache" }, models: { ttlSeconds: 0 } }, rest);
	conf.auth = { ...conf.auth, issuer: sim.url };
	conf.upstream = { ...conf.upstream, baseUrl: sim.backend, ...upstream };
	await writeFile(file, JSON.stringify(conf));
	for (const [index, id] of sim.accounts.entries()) {
		const auth = path.join(root, `auth-${id}.json`);
		const profiles = await sim.call("GET", `accounts/${id}/auth-profiles.json`);
		await writeFile(auth, JSON.stringify(profiles));
		await command(root, "slot-auth-import-file", "--slot", String(index + 1),
			"--label", `${id}@example.com`, "--auth-file", auth);
	}
}

export async function startRelay(t, sim, { tls = false, ...config } = {}) {
	const root = path.join(await temporaryDir(t), "runtime");
	await makeRuntime(root, sim, config);
	if (tls) {
		await command(root, "tls-selfsign");
		await command(root, "config", "set", "listen", '["127.0.0.1:0","tls://127.0.0.1:0"]');
	}
	const child = spawn(relayBin, ["serve"], {
		env: { ...process.env, CODEX_SLOT_RELAY_RUNTIME_ROOT: root },
		stdio: ["ignore", "ignore", "pipe"],
	});
	const exited = once(child, "exit");
	t.after(async () => {
		await stop(child);
		const [code, signal] = await exited;
		if (code !== 0) {
			throw new Error(`the relay ended with ${signal ?? `status ${code}`}:\n${log.tail()}`);
		}
	});
	const log = new JsonLines(child.stderr);
	const start = await within(START_MS, "start of the relay",
		log.wait("server.start", (line) => line.event === "server.start"));
	const tap = await startTap(t, start.listen);
	t.after(() => checkExchanges(tap.exchanges()));
	const relay = new Relay(root, start.listen, tap, log);
	const secure = start.listeners?.find((address) => address.startsWith("tls://"));
	relay.tlsUrl = secure?.replace("tls://", "https://");
	return relay;
}

export async function startBoth(t, { accounts, args, config } = {}) {
	const sim = await startSim(t, { accounts, args });
	const relay = await startRelay(t, sim, config);
	return { sim, relay };
}

// Stands between two programs and keeps what each connection carried, byte for byte.
export async function startTap(t, address) {
	const [host, port] = address.split(":");
	const connections = [];
	const sockets = new Set();
	const server = net.createServer((client) => {
		const record = { sent: [], received: [] };
		const upstream = net.connect({ host, port: Number(port) });

		connections.push(record);
		for (const socket of [client, upstream]) {
			sockets.add(socket);
			socket.on("close", () => sockets.delete(socket));
			socket.on("error", () => {});
		}
		client.on("data", (piece) => record.sent.push(piece));
		upstream.on("data", (piece) => record.received.push(piece));
		client.pipe(upstream);
		upstream.pipe(client);
		client.on("close", () => upstream.destroy());
		// What has come is still on its way to the client when the other end is done; only a cut is handed on as one.
		upstream.on("close", () => upstream.readableEnded || client.destroy());
	});
	t.after(() => {
		for (const socket of sockets) {
			socket.destroy();
		}
		server.close();
	});
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	return {
		url: `http://127.0.0.1:${server.address().port}`,
		// The first line of every connection: what it was opened for.
		starts: () => connections.map(({ sent }) => Buffer.concat(sent).toString("latin1").split("\r\n", 1)[0]),
		// Ends all connections, as a proxy does that has had enough of them.
		cut: () => {
			for (const socket of sockets) {
				socket.destroy();
			}
		},
		// The texts that clients sent on sockets, oldest connection first.
		frames: () => connections.flatMap(({ sent }) => texts(Buffer.concat(sent))),
		// Every request with its answer, connection after connection.
		exchanges: () => connections.flatMap(({ sent, received }) => {
			const answers = messages(Buffer.concat(received));
			return messages(Buffer.concat(sent)).map((request, i) => ({ request, answer: answers[i] }));
		}),
	};
}

// The texts of a client's frames behind its handshake; they must not be in fragments.
function texts(bytes) {
	const found = [];
	let at = bytes.indexOf("\r\n\r\n") + 4;

	if (!/^upgrade: websocket/im.test(bytes.subarray(0, at).toString("latin1"))) {
		return found;
	}
	while (at + 2 <= bytes.length) {
		const opcode = bytes[at] & 15;
		let size = bytes[at + 1] & 127;

		at += 2;
		if (size === 126) {
			size = bytes.readUInt16BE(at);
			at += 2;
		} else if (size === 127) {
			size = Number(bytes.readBigUInt64BE(at));
			at += 8;
		}
		const mask = bytes.subarray(at, at + 4);
		const payload = bytes.subarray(at + 4, at + 4 + size).map((byte, i) => byte ^ mask[i % 4]);
		if (opcode === 1) {
			found.push(payload.toString("utf8"));
		}
		at += 4 + size;
	}
	return found;
}

// The HTTP messages of one direction of a connection; bodies without their transfer coding.
function messages(bytes) {
	const found = [];

	while (bytes.includes("\r\n\r\n")) {
		const end = bytes.indexOf("\r\n\r\n");
		const [start, ...lines] = bytes.subarray(0, end).toString("latin1").split("\r\n");
		const headers = Object.fromEntries(lines.map((line) => {
			const colon = line.indexOf(":");
			return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
		}));
		const message = { start, headers, ...takeBody(headers, bytes.subarray(end + 4)) };

		bytes = message.rest;
		delete message.rest;
		found.push(message);
	}
	return found;
}

function takeBody(headers, bytes) {
	const pieces = [];
	const length = Number(headers["content-length"] ?? 0);

	if (headers["transfer-encoding"] !== "chunked") {
		return { body: bytes.subarray(0, length), rest: bytes.subarray(length), complete: bytes.length >= length };
	}
	while (bytes.includes("\r\n")) {
		const at = bytes.indexOf("\r\n") + 2;
		const size = parseInt(bytes.subarray(0, at).toString("latin1"), 16);

		if (size === 0) {
			return { body: Buffer.concat(pieces), rest: bytes.subarray(at + 2), complete: true };
		}
		pieces.push(bytes.subarray(at, at + size));
		bytes = bytes.subarray(at + size + 2);
	}
	return { body: Buffer.concat(pieces), rest: Buffer.alloc(0), complete: false };
}
