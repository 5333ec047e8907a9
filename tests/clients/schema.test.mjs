// The check of all answers can fail.

import assert from "node:assert/strict";
import test from "node:test";

import { checkExchanges } from "./schema.mjs";

function exchange(where, body, type = "application/json", complete = true) {
	return {
		request: { start: `POST ${where} HTTP/1.1`, headers: {} },
		answer: { start: "HTTP/1.1 200 OK", headers: { "content-type": type }, body: Buffer.from(body), complete },
	};
}

const wrong = {
	"a response without its members": exchange("/v1/responses", '{"id":"resp_1","object":"response"}'),
	"a completion without choices": exchange("/v1/chat/completions", '{"id":"x","object":"chat.completion"}'),
	"an error without a type": exchange("/v1/chat/completions", '{"error":{"message":"x"}}'),
	"an event that nobody knows": exchange("/v1/responses", 'event: codex.x\ndata: {"type":"codex.x","sequence_number":0}\n\n', "text/event-stream"),
	"a stream without an end": exchange("/v1/chat/completions", 'data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[]}\n\n', "text/event-stream"),
};

for (const [name, bad] of Object.entries(wrong)) {
	test(`${name} is found`, () => assert.rejects(checkExchanges([bad]), /is not as the API says/));
}

test("a native client's answer is not looked at", async () => {
	const native = wrong["a response without its members"];
	native.request.headers.originator = "codex_exec";
	await checkExchanges([native]);
});
