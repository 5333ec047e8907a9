// Checks what a test's relay answered against the API descriptions, with the validator of the end-to-end
// tests: one Python process for each test file, fed line by line.

import { spawn } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";

const script = path.join(path.dirname(fileURLToPath(import.meta.url)), "schema_check.py");

let checker;

class Checker {
	constructor() {
		this.child = spawn("/usr/bin/python3", ["-B", script], { stdio: ["pipe", "pipe", "inherit"] });
		this.waiting = [];
		this.text = "";
		this.handles = [this.child, this.child.stdin, this.child.stdout];
		this.child.stdout.setEncoding("utf8");
		this.child.stdout.on("data", (piece) => this.take(piece));
		this.child.on("exit", (code) => this.fail(new Error(`${script} ended with ${code}`)));
		this.child.stdin.on("error", (error) => this.fail(error));
		this.keepOpen(false);
	}

	// While nobody waits the process of the tests may end.
	keepOpen(yes) {
		for (const handle of this.handles) {
			handle[yes ? "ref" : "unref"]();
		}
	}

	take(piece) {
		const lines = (this.text + piece).split("\n");
		this.text = lines.pop();
		for (const line of lines) {
			this.waiting.shift().resolve(JSON.parse(line));
		}
		this.keepOpen(this.waiting.length > 0);
	}

	fail(error) {
		for (const { reject } of this.waiting.splice(0)) {
			reject(error);
		}
	}

	ask(question) {
		this.keepOpen(true);
		return new Promise((resolve, reject) => {
			this.waiting.push({ resolve, reject });
			this.child.stdin.write(`${JSON.stringify(question)}\n`);
		});
	}
}

// Throws when an answer is not as the API says. exchanges: those of a tap.
export async function checkExchanges(exchanges) {
	for (const { request, answer } of exchanges) {
		const [method, where] = request.start.split(" ");
		if (method !== "POST" || !answer) {
			continue;
		}
		checker ??= new Checker();
		const { error } = await checker.ask({
			path: where,
			request_headers: request.headers,
			status: Number(answer.start.split(" ")[1]),
			headers: answer.headers,
			body: answer.body.toString("base64"),
			cut: !answer.complete,
		});
		if (error) {
			throw new Error(`an answer of ${where} is not as the API says: ${error}\n${answer.body.toString().slice(0, 2000)}`);
		}
	}
}
