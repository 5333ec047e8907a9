// The OpenAI SDK by HTTP, whose turns the relay sends over WebSockets to upstream.

import assert from "node:assert/strict";
import test from "node:test";

import { all, sdk } from "./openai.mjs";
import { startBoth } from "./relay.mjs";

const model = "gpt-5.5";
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };
const weather = { name: "get_weather", description: "Weather of a city", parameters };

// Each API, whole and streamed: a text, and what the answer to a tool's output says.
const ways = {
	"chat, whole": {
		text: async (client, content) => (await client.chat.completions.create({
			model, messages: [{ role: "user", content }],
		})).choices[0].message.content,
		tool: (client, content) => chatTool(content,
			(request) => client.chat.completions.create(request)),
	},
	"chat, streamed": {
		text: async (client, content) => (await all(await client.chat.completions.create({
			model, messages: [{ role: "user", content }], stream: true,
		}))).map((chunk) => chunk.choices[0]?.delta.content ?? "").join(""),
		tool: (client, content) => chatTool(content,
			(request) => client.chat.completions.stream(request).finalChatCompletion()),
	},
	"responses, whole": {
		text: async (client, input) => (await client.responses.create({ model, input })).output_text,
		tool: (client, input) => responsesTool(input,
			(request) => client.responses.create(request)),
	},
	"responses, streamed": {
		text: async (client, input) => (await all(await client.responses.create({ model, input, stream: true })))
			.filter((event) => event.type === "response.output_text.delta").map((event) => event.delta).join(""),
		tool: (client, input) => responsesTool(input,
			(request) => client.responses.stream(request).finalResponse()),
	},
};

async function chatTool(content, create) {
	const messages = [{ role: "user", content }];
	const tools = [{ type: "function", function: weather }];
	const [{ message, finish_reason: reason }] = (await create({ model, messages, tools })).choices;

	assert.equal(reason, "tool_calls");
	assert.deepEqual(JSON.parse(message.tool_calls[0].function.arguments), { city: "Oslo" });
	messages.push(message, { role: "tool", tool_call_id: message.tool_calls[0].id, content: "snow" });
	return (await create({ model, messages, tools })).choices[0].message.content;
}

async function responsesTool(input, create) {
	const tools = [{ type: "function", strict: false, ...weather }];
	const first = await create({ model, input, tools });
	const call = first.output.find((item) => item.type === "function_call");

	assert.deepEqual(JSON.parse(call.arguments), { city: "Oslo" });
	const output = { type: "function_call_output", call_id: call.call_id, output: "snow" };
	return (await create({ model, input: [output], previous_response_id: first.id, tools })).output_text;
}

test("over WebSockets to upstream:", async (t) => {
	const { sim, relay } = await startBoth(t, { config: { upstream: { transport: "websocket" } } });
	const client = sdk(relay);

	for (const [name, { text, tool }] of Object.entries(ways)) {
		await t.test(name, async () => {
			assert.equal(await text(client, `count to 30 for ${name}`), Array.from({ length: 30 }, (_, i) => i + 1).join(" "));
			assert.equal(await tool(client, 'call get_weather {"city":"Oslo"}'), "tool said: snow");
			// Many at once, each with its own answer.
			const numbers = Array.from({ length: 20 }, (_, i) => `${name} ${i}`);
			assert.deepEqual(await Promise.all(numbers.map((number) => text(client, `say exactly: ${number}`))), numbers);
		});
	}
	const turns = await sim.turns();
	assert.equal(turns.length, 4 * 23);
	assert.deepEqual(new Set(turns.map((turn) => `${turn.method} ${turn.status}`)), new Set(["WS 200"]));
	// What the relay kept of an answer goes on from it upstream, too; what the chat API sends again is written anew.
	const next = turns.filter((turn) => JSON.stringify(turn.json.input).includes("function_call_output"));
	assert.deepEqual(next.map((turn) => turn.json.input.length), [3, 3, 1, 1]);
	await relay.waitForFinished(turns.length);
	assert.deepEqual(relay.events("attempt.failed"), []);
});
