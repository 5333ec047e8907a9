// The helpers of the OpenAI Node SDK that understand answers: zod schemas, tool runners, stream objects.

import assert from "node:assert/strict";
import test from "node:test";
import OpenAI from "openai";
import { zodFunction, zodResponseFormat, zodResponsesFunction, zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";

import { all, errorOf, sdk } from "./openai.mjs";
import { startBoth } from "./relay.mjs";

const model = "gpt-5.4";
const person = z.object({ name: z.string(), age: z.number().int(), tags: z.array(z.string()), kind: z.enum(["a", "b"]) });
const city = z.object({ city: z.string() });
const user = (content) => ({ role: "user", content });
const count = "count to 10000 every 20ms";

async function start(t, options) {
	const { sim, relay } = await startBoth(t, options);
	return { sim, relay, client: sdk(relay) };
}

// --- Schemas

test("chat: parse fills a zod schema", async (t) => {
	const { client, sim } = await start(t);
	const request = { model, messages: [user("who is it")], response_format: zodResponseFormat(person, "person") };
	const whole = await client.chat.completions.parse(request);
	const streamed = await client.chat.completions.stream(request).finalChatCompletion();

	for (const answer of [whole, streamed]) {
		person.parse(answer.choices[0].message.parsed);
	}
	for (const { json } of await sim.turns()) {
		assert.deepEqual([json.text.format.name, json.text.format.strict], ["person", true]);
		assert.deepEqual(json.text.format.schema.required, ["name", "age", "tags", "kind"]);
	}
});

test("responses: parse fills a zod schema", async (t) => {
	const { client, sim } = await start(t);
	const request = { model, input: "who is it", text: { format: zodTextFormat(person, "person") } };
	const whole = await client.responses.parse(request);
	const streamed = await client.responses.stream(request).finalResponse();

	for (const answer of [whole, streamed]) {
		person.parse(answer.output_parsed);
	}
	assert.equal((await sim.turns())[0].json.text.format.type, "json_schema");
});

test("chat: arguments of a zod tool are parsed", async (t) => {
	const { client } = await start(t);
	const answer = await client.chat.completions.parse({
		model, messages: [user('call get_weather {"city":"Zürich"}')],
		tools: [zodFunction({ name: "get_weather", parameters: city })],
	});

	assert.deepEqual(answer.choices[0].message.tool_calls[0].function.parsed_arguments, { city: "Zürich" });
});

test("responses: arguments of a zod tool are parsed", async (t) => {
	const { client } = await start(t);
	const tools = [zodResponsesFunction({ name: "get_weather", parameters: city })];
	const input = 'call get_weather {"city":"Zürich"}';
	const whole = await client.responses.parse({ model, input, tools });
	const streamed = await client.responses.stream({ model, input, tools }).finalResponse();

	for (const answer of [whole, streamed]) {
		const call = answer.output.find((item) => item.type === "function_call");
		assert.deepEqual(call.parsed_arguments, { city: "Zürich" });
	}
});

test("chat: a refusal is not parsed", async (t) => {
	const { client } = await start(t);
	const answer = await client.chat.completions.parse({
		model, messages: [user("refuse")],
	});

	assert.equal(answer.choices[0].message.content, null);
	assert.ok(answer.choices[0].message.refusal.length > 0);
	assert.equal(answer.choices[0].message.parsed, null);
});

test("chat: an answer that hit its limit is not parsed but an error", async (t) => {
	const { client, sim } = await start(t);
	await sim.script("*", { directive: "incomplete", repeat: 2 });
	const request = { model, messages: [user("hello")], response_format: zodResponseFormat(person, "person") };

	assert.ok(await errorOf(client.chat.completions.parse(request)) instanceof OpenAI.OpenAIError);
	assert.ok(await errorOf(client.chat.completions.stream(request).finalChatCompletion()) instanceof OpenAI.OpenAIError);
});

// --- Runners

for (const stream of [false, true]) {
	test(`chat: runTools with zod tools, ${stream ? "streamed" : "whole"}`, async (t) => {
		const { client, sim } = await start(t);
		const asked = [];
		const tool = (name) => zodFunction({
			name, parameters: city, description: name,
			function: (args) => { asked.push([name, args.city]); return { sky: `${name} of ${args.city}` }; },
		});
		const runner = client.chat.completions.runTools({
			model, stream,
			messages: [{ role: "system", content: "Use tools." }, user('call weather {"city":"Oslo"} and air {"city":"Rom"}')],
			tools: [tool("weather"), tool("air")],
		});

		assert.match(await runner.finalContent(), /^tool said: .*weather of Oslo.*air of Rom/);
		assert.deepEqual(asked.sort(), [["air", "Rom"], ["weather", "Oslo"]]);
		const usage = await runner.totalUsage();
		assert.ok(stream || usage.total_tokens > 0);
		const turns = await sim.turns();
		assert.equal(turns.length, 2);
		assert.equal(turns[0].json.prompt_cache_key, turns[1].json.prompt_cache_key);
		assert.equal(turns[0].account, turns[1].account);
	});
}

// --- Stream objects

test("chat: the stream's events and snapshots", async (t) => {
	const { client } = await start(t);
	const stream = client.chat.completions.stream({ model, messages: [user("count to 30")], stream_options: { include_usage: true } });
	const snapshots = [];
	stream.on("content", (delta, snapshot) => snapshots.push(snapshot));
	const text = await stream.finalContent();

	assert.equal(snapshots.at(-1), text);
	assert.ok(snapshots.every((snapshot, i) => i === 0 || snapshot.startsWith(snapshots[i - 1])));
	assert.ok(snapshots.length >= 30);
	assert.equal((await stream.finalMessage()).content, text);
	assert.ok((await stream.totalUsage()).completion_tokens > 0);
});

test("responses: the stream's events and snapshots", async (t) => {
	const { client } = await start(t);
	const stream = client.responses.stream({ model, input: "think then count to 30" });
	const deltas = [];
	stream.on("response.output_text.delta", (event) => deltas.push(event.snapshot));
	const events = await all(stream);
	const final = await stream.finalResponse();

	assert.equal(deltas.at(-1), final.output_text);
	assert.ok(deltas.length >= 30);
	assert.deepEqual(final.output.map((item) => item.type), ["reasoning", "message"]);
	assert.ok(events.some((event) => event.type === "response.reasoning_summary_text.delta"));
	assert.deepEqual(events.map((event) => event.sequence_number), events.map((_, i) => i));
	assert.ok(final.usage.output_tokens > 0);
});

test("responses: the stream object of an incomplete answer", async (t) => {
	const { client } = await start(t);
	const final = await client.responses.stream({ model, input: "incomplete" }).finalResponse();

	assert.equal(final.status, "incomplete");
	assert.equal(final.incomplete_details.reason, "max_output_tokens");
});

test("responses: the stream object of a failed answer has no final response", async (t) => {
	const { client, sim } = await start(t);
	await sim.script("*", { cut_after_events: 9 });
	const stream = client.responses.stream({ model, input: "count to 30" });
	const seen = [];
	stream.on("event", (event) => seen.push(event));

	const final = await stream.finalResponse().catch(() => null);
	assert.notEqual(final?.status, "completed");
	assert.ok(!seen.some((event) => event.type === "response.completed"));
	assert.ok(seen.some((event) => event.type === "response.output_text.delta"));
});

test("chat: the stream object of a cut answer is an error", async (t) => {
	const { client, sim } = await start(t);
	await sim.script("*", { cut_after_events: 9 });
	const error = await errorOf(client.chat.completions.stream({ model, messages: [user("count to 30")] }).finalContent());

	assert.ok(error instanceof OpenAI.OpenAIError, error);
});

// --- Leaving in the middle

const leavings = {
	"chat: abort() of the stream object": async (client, sim) => {
		const stream = client.chat.completions.stream({ model, messages: [user(count)] });
		await sim.wait("events>=6");
		stream.abort();
		assert.ok(await errorOf(stream.done()) instanceof OpenAI.APIUserAbortError);
	},
	"responses: abort() of the stream object": async (client, sim) => {
		const stream = client.responses.stream({ model, input: count });
		await sim.wait("events>=6");
		stream.abort();
		assert.ok(await errorOf(stream.done()) instanceof OpenAI.APIUserAbortError);
	},
	"chat: break out of the loop": async (client) => {
		for await (const chunk of await client.chat.completions.create({ model, messages: [user(count)], stream: true })) {
			if (chunk.choices[0].delta.content) {
				break;
			}
		}
	},
	"responses: break out of the loop": async (client) => {
		for await (const event of await client.responses.create({ model, input: count, stream: true })) {
			if (event.type === "response.output_text.delta") {
				break;
			}
		}
	},
	"responses: the SDK's timeout of a whole answer": async (client) => {
		const error = await errorOf(client.responses.create({ model, input: count }, { timeout: 500 }));
		assert.ok(error instanceof OpenAI.APIConnectionTimeoutError, error);
	},
};

for (const [name, leave] of Object.entries(leavings)) {
	test(`${name} cancels the upstream request`, async (t) => {
		const { client, sim, relay } = await start(t, { accounts: 1 });
		await leave(client, sim);
		await sim.wait("gone>=1,active==0");
		await relay.waitForEvent("request.finish", (line) => line.status === 499);
		const [turn] = await sim.turns();

		assert.equal(turn.end, "gone");
		assert.ok(turn.events < 1000, "upstream went on");
		assert.deepEqual(relay.events("attempt.failed"), []);
	});
}
