// The OpenAI SDK's responses over a WebSocket.

import assert from "node:assert/strict";
import { once } from "node:events";
import test from "node:test";

import OpenAI from "openai";
import { ResponsesWS } from "openai/resources/responses/ws";

import { startBoth, token, within } from "./relay.mjs";

const WAIT_MS = 20000;
const look = { type: "function", name: "look", parameters: { type: "object", properties: {} }, strict: false };

function open(t, relay, options = {}) {
	const client = new OpenAI({ apiKey: token, baseURL: relay.base, ...options });
	const socket = new ResponsesWS(client);
	t.after(() => socket.close());
	return socket;
}

// A turn: its events up to the one that ends it.
function turn(socket, members) {
	const events = [];
	const ended = new Promise((resolve, reject) => {
		const onEvent = (event) => {
			events.push(event);
			if (["response.completed", "response.failed", "response.incomplete"].includes(event.type)) {
				leave();
				resolve(events);
			}
		};
		const onError = (error) => {
			leave();
			reject(error);
		};
		const leave = () => {
			socket.off("event", onEvent);
			socket.off("error", onError);
		};
		socket.on("event", onEvent);
		socket.on("error", onError);
	});
	socket.send({ type: "response.create", model: "gpt-5.5", ...members });
	return within(WAIT_MS, "the end of a turn", ended);
}

const last = (events) => events.at(-1).response;
const textOf = (events) => events.filter((event) => event.type === "response.output_text.delta")
	.map((event) => event.delta).join("");

test("text, and a whole response object at its end", async (t) => {
	const { relay } = await startBoth(t);
	const events = await turn(open(t, relay), { input: "count to 3" });

	assert.equal(textOf(events), "1 2 3");
	assert.equal(last(events).status, "completed");
	assert.equal(last(events).output[0].content[0].text, "1 2 3");
	assert.ok(last(events).usage.output_tokens_details);
});

test("turns go on from each other, tools and all", async (t) => {
	const { sim, relay } = await startBoth(t);
	const socket = open(t, relay);
	const first = await turn(socket, { input: "call look", tools: [look], store: false });
	const call = last(first).output.find((item) => item.type === "function_call");
	const second = await turn(socket, {
		input: [{ type: "function_call_output", call_id: call.call_id, output: "42" }],
		tools: [look],
		store: false,
		previous_response_id: last(first).id,
	});

	assert.match(textOf(second), /tool said: 42/);
	const third = await turn(socket, { input: "bye", previous_response_id: last(second).id });
	assert.equal(textOf(third), "bye");
	assert.deepEqual((await sim.turns()).map((one) => one.status), [200, 200, 200]);
});

test("a warm-up, and the turn that goes on from it", async (t) => {
	const { sim, relay } = await startBoth(t);
	const socket = open(t, relay);
	const warm = await turn(socket, { input: "one", generate: false });

	assert.deepEqual(last(warm).output, []);
	assert.equal(textOf(await turn(socket, { input: "two", previous_response_id: last(warm).id })), "two");
	assert.equal((await sim.turns()).length, 1);
});

test("errors are errors of the SDK, and the socket goes on", async (t) => {
	const { relay } = await startBoth(t);
	const socket = open(t, relay);

	await assert.rejects(turn(socket, { input: "x", previous_response_id: "resp_none" }), (error) => {
		assert.equal(error.error.code, "previous_response_not_found");
		assert.equal(error.error.param, "previous_response_id");
		assert.match(error.message, /resp_none/);
		return true;
	});
	assert.equal(textOf(await turn(socket, { input: "still here" })), "still here");
});

test("a wrong key is refused at the handshake", async (t) => {
	const { relay } = await startBoth(t);
	const socket = open(t, relay, { apiKey: "sk-wrong" });
	const [error] = await within(WAIT_MS, "an error", once(socket, "error"));

	assert.match(error.message, /401/);
});
