// The OpenAI Node SDK through the relay and codex-sim.

import assert from "node:assert/strict";
import test from "node:test";
import OpenAI from "openai";

import { all, errorOf, sdk } from "./openai.mjs";
import { startBoth, within } from "./relay.mjs";

const model = "gpt-5.4";
const png = "data:image/png;base64,"
	+ "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const counted = Array.from({ length: 30 }, (_, i) => i + 1).join(" ");
const unicode = "👋🏽 漢字 é \u2028 \"quoted\" \\u0041";

async function start(t, options) {
	const { sim, relay } = await startBoth(t, options);
	return { sim, relay, client: sdk(relay) };
}

const user = (content) => ({ role: "user", content });
const ask = (text, more = {}) => ({ model, messages: [user(text)], ...more });

const weather = {
	type: "object",
	properties: { city: { type: "string" } },
	required: ["city"],
	additionalProperties: false,
};
const clock = {
	type: "object",
	properties: { zone: { type: "string" } },
	required: ["zone"],
	additionalProperties: false,
};
const person = {
	type: "object",
	properties: { name: { type: "string" }, age: { type: "integer" }, tags: { type: "array", items: { type: "string" } } },
	required: ["name", "age", "tags"],
	additionalProperties: false,
};
const chatTools = [
	{ type: "function", function: { name: "get_weather", description: "Weather of a city", parameters: weather } },
	{ type: "function", function: { name: "get_time", description: "Time in a zone", parameters: clock } },
];
const responsesTools = chatTools.map((tool) => ({ type: "function", strict: false, ...tool.function }));
const bothCalls = 'call get_weather {"city":"Paris"} and get_time {"zone":"UTC"}';

function assertPerson(value) {
	assert.equal(typeof value.name, "string");
	assert.ok(Number.isInteger(value.age));
	assert.ok(Array.isArray(value.tags));
}

// --- Chat Completions

test("chat: a text", async (t) => {
	const { client, sim } = await start(t);
	const { data, response } = await client.chat.completions.create(ask(`say exactly: ${unicode}`)).withResponse();
	const [choice] = data.choices;

	assert.equal(choice.message.content, unicode);
	assert.equal(choice.message.role, "assistant");
	assert.equal(choice.finish_reason, "stop");
	assert.equal(data.object, "chat.completion");
	assert.equal(data.model, model);
	assert.match(data.id, /^chatcmpl-/);
	assert.ok(data.usage.prompt_tokens > 0 && data.usage.completion_tokens > 0);
	assert.equal(data.usage.total_tokens, data.usage.prompt_tokens + data.usage.completion_tokens);
	assert.equal(response.headers.get("x-relay-slot-id"), "slot-1");
	assert.ok(response.headers.get("x-relay-request-id"));
	assert.equal((await sim.turns()).length, 1);
});

test("chat: a stream arrives in pieces and ends with its reason", async (t) => {
	const { client } = await start(t);
	const chunks = await all(await client.chat.completions.create(ask("count to 30", { stream: true })));
	const deltas = chunks.flatMap((chunk) => chunk.choices.map((choice) => choice.delta));

	assert.equal(deltas.map((delta) => delta.content ?? "").join(""), counted);
	assert.ok(deltas.filter((delta) => delta.content).length >= 30);
	assert.equal(deltas[0].role, "assistant");
	assert.equal(chunks.at(-1).choices[0].finish_reason, "stop");
	assert.deepEqual(new Set(chunks.map((chunk) => chunk.id)).size, 1);
	assert.ok(chunks.every((chunk) => chunk.object === "chat.completion.chunk" && chunk.model === model));
	assert.ok(chunks.every((chunk) => !chunk.usage), "usage was not asked for");
});

test("chat: include_usage adds one chunk without choices", async (t) => {
	const { client } = await start(t);
	const request = ask("count to 30", { stream: true, stream_options: { include_usage: true } });
	const chunks = await all(await client.chat.completions.create(request));

	assert.deepEqual(chunks.at(-1).choices, []);
	assert.ok(chunks.at(-1).usage.prompt_tokens > 0);
	assert.ok(chunks.at(-1).usage.completion_tokens > 0);
	assert.equal(chunks.at(-2).choices[0].finish_reason, "stop");
	assert.ok(chunks.slice(0, -1).every((chunk) => !chunk.usage));
});

test("chat: the whole conversation goes upstream, in its order and its roles", async (t) => {
	const { client, sim } = await start(t);
	const messages = [
		{ role: "system", content: "Be terse." },
		user("one"),
		{ role: "assistant", content: "two" },
		user([{ type: "text", text: "say exactly:" }, { type: "text", text: "three" }]),
	];
	const answer = await client.chat.completions.create({ model, messages, temperature: 0.2, max_tokens: 50 });

	assert.equal(answer.choices[0].message.content, "three");
	const [{ json }] = await sim.turns();
	assert.match(JSON.stringify([json.instructions, json.input]), /Be terse\..*one.*two.*three/);
	assert.deepEqual(json.input.filter((item) => item.role === "assistant").map((item) => item.content[0]?.text
		?? item.content), ["two"]);
	assert.equal(json.store, false);
	assert.equal(json.stream, true);
});

test("chat: a tool round trip", async (t) => {
	const { client } = await start(t);
	const messages = [user('call get_weather {"city":"Zürich"}')];
	const first = await client.chat.completions.create({ model, messages, tools: chatTools });
	const [choice] = first.choices;

	assert.equal(choice.finish_reason, "tool_calls");
	assert.equal(choice.message.tool_calls.length, 1);
	const [call] = choice.message.tool_calls;
	assert.equal(call.type, "function");
	assert.equal(call.function.name, "get_weather");
	assert.deepEqual(JSON.parse(call.function.arguments), { city: "Zürich" });
	messages.push(choice.message, { role: "tool", tool_call_id: call.id, content: "21 degrees" });
	const second = await client.chat.completions.create({ model, messages, tools: chatTools });
	assert.equal(second.choices[0].message.content, "tool said: 21 degrees");
	assert.equal(second.choices[0].finish_reason, "stop");
});

test("chat: parallel calls, streamed, keep their indexes apart", async (t) => {
	const { client } = await start(t);
	const messages = [user(bothCalls)];
	const chunks = await all(await client.chat.completions.create({
		model, messages, tools: chatTools, parallel_tool_calls: true, stream: true,
	}));
	const calls = [];

	for (const part of chunks.flatMap((chunk) => chunk.choices.flatMap((choice) => choice.delta.tool_calls ?? []))) {
		const call = (calls[part.index] ??= { id: "", name: "", arguments: "" });
		call.id += part.id ?? "";
		call.name += part.function?.name ?? "";
		call.arguments += part.function?.arguments ?? "";
	}
	assert.deepEqual(calls.map((call) => [call.name, JSON.parse(call.arguments)]),
		[["get_weather", { city: "Paris" }], ["get_time", { zone: "UTC" }]]);
	assert.notEqual(calls[0].id, calls[1].id);
	assert.equal(chunks.at(-1).choices[0].finish_reason, "tool_calls");

	messages.push({
		role: "assistant",
		content: null,
		tool_calls: calls.map((call) => ({
			id: call.id, type: "function", function: { name: call.name, arguments: call.arguments },
		})),
	});
	messages.push(...calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: `done ${call.name}` })));
	const second = await client.chat.completions.create({ model, messages, tools: chatTools });
	assert.equal(second.choices[0].message.content, "tool said: done get_weather | done get_time");
});

test("chat: tool_choice demands and forbids", async (t) => {
	const { client } = await start(t);
	const demanded = await client.chat.completions.create(ask("hello", {
		tools: chatTools, tool_choice: { type: "function", function: { name: "get_time" } },
	}));
	const forbidden = await client.chat.completions.create(ask("use the tool", { tools: chatTools, tool_choice: "none" }));

	assert.equal(demanded.choices[0].message.tool_calls[0].function.name, "get_time");
	assert.equal(forbidden.choices[0].message.tool_calls, undefined);
	assert.equal(forbidden.choices[0].finish_reason, "stop");
});

for (const stream of [false, true]) {
	test(`chat: runTools, ${stream ? "streamed" : "whole"}`, async (t) => {
		const { client } = await start(t);
		const asked = [];
		const runner = client.chat.completions.runTools({
			model,
			stream,
			messages: [user("call get_weather {\"city\":\"Oslo\"} then call get_time {\"zone\":\"CET\"}")],
			tools: [
				{
					type: "function",
					function: {
						name: "get_weather", description: "Weather of a city", parameters: weather,
						parse: JSON.parse, function: ({ city }) => { asked.push(city); return "snow"; },
					},
				},
				{
					type: "function",
					function: {
						name: "get_time", description: "Time in a zone", parameters: clock,
						parse: JSON.parse, function: ({ zone }) => { asked.push(zone); return "noon"; },
					},
				},
			],
		});

		assert.equal(await runner.finalContent(), "tool said: noon");
		assert.deepEqual(asked, ["Oslo", "CET"]);
	});
}

test("chat: the stream helper puts the answer together", async (t) => {
	const { client } = await start(t);
	const final = await client.chat.completions.stream(ask(bothCalls, { tools: chatTools })).finalChatCompletion();

	assert.deepEqual(final.choices[0].message.tool_calls.map((call) => call.function.name), ["get_weather", "get_time"]);
	assert.equal(final.choices[0].finish_reason, "tool_calls");
});

test("chat: a JSON schema is filled and parsed", async (t) => {
	const { client, sim } = await start(t);
	const answer = await client.chat.completions.parse(ask("who is it", {
		response_format: { type: "json_schema", json_schema: { name: "person", strict: true, schema: person } },
	}));

	assertPerson(answer.choices[0].message.parsed);
	const [{ json }] = await sim.turns();
	assert.deepEqual(json.text.format, { type: "json_schema", name: "person", strict: true, schema: person });
});

test("chat: an image goes along", async (t) => {
	const { client, sim } = await start(t);
	const answer = await client.chat.completions.create({
		model,
		messages: [user([{ type: "text", text: "what is this" }, { type: "image_url", image_url: { url: png, detail: "low" } }])],
	});

	assert.equal(answer.choices[0].message.content, "1 image: what is this");
	const [{ json }] = await sim.turns();
	const image = json.input[0].content.find((part) => part.type === "input_image");
	assert.equal(image.image_url, png);
	assert.equal(image.detail, "low");
});

test("chat: an answer that hit its limit says length", async (t) => {
	const { client } = await start(t);
	const whole = await client.chat.completions.create(ask("incomplete"));
	const chunks = await all(await client.chat.completions.create(ask("incomplete", { stream: true })));

	assert.equal(whole.choices[0].finish_reason, "length");
	assert.equal(whole.choices[0].message.content, "This answer stops in the");
	assert.equal(chunks.at(-1).choices[0].finish_reason, "length");
});

// --- Responses

test("responses: a text", async (t) => {
	const { client } = await start(t);
	const answer = await client.responses.create({ model, instructions: "Be terse.", input: `say exactly: ${unicode}` });

	assert.equal(answer.output_text, unicode);
	assert.equal(answer.status, "completed");
	assert.equal(answer.object, "response");
	assert.match(answer.id, /^resp_/);
	assert.ok(answer.usage.input_tokens > 0 && answer.usage.output_tokens > 0);
	assert.equal(answer.usage.input_tokens_details.cached_tokens, 0);
	assert.equal(answer.usage.output_tokens_details.reasoning_tokens, 0);
});

test("responses: a stream, every event in order", async (t) => {
	const { client } = await start(t);
	const events = await all(await client.responses.create({ model, input: "count to 30", stream: true }));
	const deltas = events.filter((event) => event.type === "response.output_text.delta");

	assert.equal(deltas.map((event) => event.delta).join(""), counted);
	assert.ok(deltas.length >= 30);
	assert.equal(events[0].type, "response.created");
	assert.equal(events.at(-1).type, "response.completed");
	assert.equal(events.at(-1).response.output[0].content[0].text, counted);
	assert.deepEqual(events.map((event) => event.sequence_number), events.map((_, i) => i));
});

test("responses: upstream's empty terminal output is filled in", async (t) => {
	const { client, sim } = await start(t);
	await sim.call("POST", "settings", { output_in_terminal: false });
	const whole = await client.responses.create({ model, input: "say exactly: here" });
	const stream = client.responses.stream({ model, input: "say exactly: here" });

	assert.equal(whole.output_text, "here");
	assert.equal((await stream.finalResponse()).output_text, "here");
});

for (const stream of [false, true]) {
	test(`responses: a round trip of parallel tools, ${stream ? "streamed" : "whole"}`, async (t) => {
		const { client } = await start(t);
		const input = [{ role: "user", content: bothCalls }];
		const request = { model, tools: responsesTools, parallel_tool_calls: true };
		const create = async () => (stream
			? client.responses.stream({ ...request, input }).finalResponse()
			: client.responses.create({ ...request, input }));
		const first = await create();
		const calls = first.output.filter((item) => item.type === "function_call");

		assert.deepEqual(calls.map((call) => [call.name, JSON.parse(call.arguments)]),
			[["get_weather", { city: "Paris" }], ["get_time", { zone: "UTC" }]]);
		input.push(...calls.map(({ type, call_id, name, arguments: text }) => ({ type, call_id, name, arguments: text })));
		input.push(...calls.map(({ call_id, name }) => ({ type: "function_call_output", call_id, output: `done ${name}` })));
		const second = await create();
		assert.equal(second.output_text, "tool said: done get_weather | done get_time");
	});
}

test("responses: reasoning goes back with its blob, to the account that made it", async (t) => {
	const { client, sim } = await start(t);
	const question = { role: "user", content: "think then say exactly: first" };
	const first = await client.responses.create({ model, input: [question], store: false, include: ["reasoning.encrypted_content"] });

	assert.deepEqual(first.output.map((item) => item.type), ["reasoning", "message"]);
	await sim.account("acct-1", { primary: { used_percent: 60 }, secondary: { used_percent: 60 } });
	const second = await client.responses.create({
		model, input: [question, ...first.output, { role: "user", content: "say exactly: second" }], store: false,
	});
	assert.equal(second.output_text, "second");
	const turns = await sim.turns();
	assert.deepEqual(turns.map((turn) => [turn.account, turn.status]), [["acct-1", 200], ["acct-1", 200]]);
	const reasoning = turns[1].json.input.find((item) => item.type === "reasoning");
	assert.equal(reasoning.encrypted_content, first.output[0].encrypted_content);
});

test("responses: a JSON schema is filled and parsed", async (t) => {
	const { client } = await start(t);
	const answer = await client.responses.parse({
		model, input: "who is it", text: { format: { type: "json_schema", name: "person", strict: true, schema: person } },
	});

	assertPerson(answer.output_parsed);
});

test("responses: an image goes along", async (t) => {
	const { client } = await start(t);
	const answer = await client.responses.create({
		model,
		input: [user([{ type: "input_text", text: "what is this" }, { type: "input_image", image_url: png, detail: "auto" }])],
	});

	assert.equal(answer.output_text, "1 image: what is this");
});

test("responses: an incomplete answer says why", async (t) => {
	const { client } = await start(t);
	const answer = await client.responses.create({ model, input: "incomplete" });

	assert.equal(answer.status, "incomplete");
	assert.equal(answer.incomplete_details.reason, "max_output_tokens");
	assert.equal(answer.output_text, "This answer stops in the");
});

// --- All dialects: errors, aborts, load

const dialects = {
	chat: {
		path: "/chat/completions",
		create: (client, text, more, options) => client.chat.completions.create(ask(text, more), options),
		text: (answer) => answer.choices[0].message.content,
		streamedText: (items) => items.map((chunk) => chunk.choices[0]?.delta.content ?? "").join(""),
	},
	completions: {
		path: "/completions",
		create: (client, text, more, options) => client.completions.create({ model, prompt: text, ...more }, options),
		text: (answer) => answer.choices[0].text,
		streamedText: (items) => items.map((chunk) => chunk.choices[0]?.text ?? "").join(""),
	},
	responses: {
		path: "/responses",
		create: (client, text, more, options) => client.responses.create({ model, input: text, ...more }, options),
		text: (answer) => answer.output_text,
		streamedText: (items) => items.map((event) => (event.type === "response.output_text.delta" ? event.delta : "")).join(""),
	},
};

for (const [name, { path, create, text, streamedText }] of Object.entries(dialects)) {
	test(`${name}: a wrong token is an AuthenticationError, and nothing goes upstream`, async (t) => {
		const { sim, relay } = await start(t);
		const error = await errorOf(create(sdk(relay, { apiKey: "wrong" }), "hello"));

		assert.ok(error instanceof OpenAI.AuthenticationError, error);
		assert.equal(error.status, 401);
		assert.equal(error.code, "invalid_api_key");
		assert.equal(error.type, "authentication_error");
		assert.equal((await sim.turns()).length, 0);
	});

	test(`${name}: a body that makes no sense is a BadRequestError`, async (t) => {
		const { client } = await start(t);
		const error = await errorOf(client.post(path, { body: { model: 7 } }));

		assert.ok(error instanceof OpenAI.BadRequestError, error);
		assert.equal(error.type, "invalid_request_error");
		assert.ok(error.message.length > 0);
		assert.ok(error.requestID, "the SDK shows the request's id");
		assert.equal(error.requestID, error.headers.get("x-relay-request-id"));
	});

	for (const stream of [false, true]) {
		const how = stream ? "streamed" : "whole";

		test(`${name}: upstream's own 400 is a BadRequestError, told once (${how})`, async (t) => {
			const { client, sim } = await start(t);
			await sim.script("*", { status: 400, body: { detail: "Unsupported parameter: shoe_size" } });
			const error = await errorOf(create(client, "hello", { stream }));

			assert.ok(error instanceof OpenAI.BadRequestError, error);
			assert.match(error.message, /shoe_size/);
			assert.equal((await sim.turns()).length, 1);
		});

		test(`${name}: exhausted slots are a RateLimitError with retry-after (${how})`, async (t) => {
			const { client, sim } = await start(t);
			for (const id of sim.accounts) {
				await sim.exhaust(id, 1800);
			}
			const error = await errorOf(create(client, "hello", { stream }));

			assert.ok(error instanceof OpenAI.RateLimitError, error);
			assert.equal(error.status, 429);
			assert.equal(error.code, "rate_limit_exceeded");
			assert.equal(error.type, "rate_limit_error");
			const wait = Number(error.headers.get("retry-after"));
			assert.ok(wait > 1700 && wait <= 1801, `retry-after: ${wait}`);
			assert.equal((await sim.turns()).length, sim.accounts.length);
		});

		test(`${name}: an upstream that is down is an InternalServerError (${how})`, async (t) => {
			const { client, sim } = await start(t, { config: { retry: { maxAttempts: 3 } } });
			await sim.script("*", { status: 503, body: { error: { code: "server_is_overloaded", message: "Full." } }, repeat: -1 });
			const error = await errorOf(create(client, "hello", { stream }));

			assert.ok(error instanceof OpenAI.InternalServerError, error);
			assert.ok(error.status >= 500);
			assert.equal((await sim.turns()).length, 3);
		});

		test(`${name}: a slot that fails is not seen (${how})`, async (t) => {
			const { client, sim } = await start(t);
			await sim.script("acct-1", { first_event_failure: { code: "server_is_overloaded", message: "Full." } });
			await sim.exhaust("acct-2");
			const answer = await create(client, "say exactly: fine", { stream });

			assert.equal(stream ? streamedText(await all(answer)) : text(answer), "fine");
			assert.deepEqual((await sim.turns()).map((turn) => turn.account), sim.accounts);
		});
	}

	test(`${name}: a failure behind output is an error of the stream, never an end`, async (t) => {
		const { client, sim } = await start(t);
		await sim.script("*", { fail_after_events: 8, failure: { code: "server_error", message: "It broke." } });
		const seen = [];
		// The SDK hands a failed response on as an event; the connection ends as a failure all the same.
		const error = await errorOf((async () => {
			for await (const item of await create(client, "count to 30", { stream: true })) {
				seen.push(item);
			}
		})());

		const told = [error.message, seen.at(-1).response?.error?.message];
		assert.ok(told.some((message) => message?.includes("It broke.")), JSON.stringify(told));
		assert.match(counted, new RegExp(`^${streamedText(seen)}`));
		assert.notEqual(streamedText(seen), "");
		assert.equal((await sim.turns()).length, 1);
	});

	test(`${name}: a stream cut behind output is an error of the stream`, async (t) => {
		const { client, sim } = await start(t);
		await sim.script("*", { cut_after_events: 8 });
		const seen = [];
		const error = await errorOf((async () => {
			for await (const item of await create(client, "count to 30", { stream: true })) {
				seen.push(item);
			}
		})());

		assert.notEqual(streamedText(seen), "");
		assert.ok(!seen.some((item) => item.type === "response.completed" || item.choices?.[0]?.finish_reason), error);
		assert.equal((await sim.turns()).length, 1);
	});

	test(`${name}: a cut answer that was not to be streamed is asked for once more, then an InternalServerError`, async (t) => {
		const { client, sim } = await start(t);
		await sim.script("*", { cut_after_events: 8 });
		const answer = await create(client, "count to 30");
		assert.equal(text(answer), counted);

		await sim.script("*", { cut_after_events: 8, repeat: 2 });
		const error = await errorOf(create(client, "count to 30"));
		assert.ok(error instanceof OpenAI.InternalServerError, error);
		assert.equal(error.status, 502);
		assert.equal((await sim.turns()).length, 4);
	});

	for (const stream of [false, true]) {
		test(`${name}: an abort cancels the upstream request, the slot is not punished (${stream ? "streamed" : "whole"})`, async (t) => {
			const { client, sim, relay } = await start(t, { accounts: 1 });
			const abort = new AbortController();
			const answer = create(client, "count to 10000 every 20ms", { stream }, { signal: abort.signal });
			const ended = errorOf(stream ? answer.then(async (items) => {
				for await (const item of items) {
					if (streamedText([item])) {
						abort.abort();
					}
				}
				throw new Error("aborted");
			}) : answer);

			await sim.wait("events>=5");
			const aborted = Date.now();
			abort.abort();
			await ended;
			await sim.wait("gone>=1,active==0");
			assert.ok(Date.now() - aborted < 2000, "the upstream request went on");
			await relay.waitForEvent("request.finish", (line) => line.status === 499);
			assert.equal(text(await create(client, "say exactly: still here")), "still here");
			assert.deepEqual(relay.events("attempt.failed"), []);
		});
	}

	test(`${name}: 100 parallel requests, each gets its own answer`, async (t) => {
		const { client, sim } = await start(t);
		// However fast the machine, there is a time at which many are on their way.
		await sim.script("*", { delay_ms: 500, repeat: 100 });
		const answers = await within(60000, "100 answers", Promise.all(Array.from({ length: 100 }, async (_, i) => {
			const stream = i % 2 === 0;
			const answer = await create(client, `say exactly: answer number ${i}`, { stream });
			return stream ? streamedText(await all(answer)) : text(answer);
		})));

		assert.deepEqual(answers, answers.map((_, i) => `answer number ${i}`));
		const turns = await sim.turns();
		assert.equal(turns.length, 100);
		assert.deepEqual([...new Set(turns.map((turn) => turn.account))].sort(), sim.accounts);
	});

	test(`${name}: offline models answer without a slot`, async (t) => {
		const { client, sim } = await start(t, { accounts: 0 });
		const said = async (offline, stream) => {
			const answer = await create(client, "hällo", { model: offline, stream });
			return stream ? streamedText(await all(answer)) : text(answer);
		};

		for (const stream of [false, true]) {
			assert.equal(await said("relay-selftest", stream), "RELAY_SELFTEST_OK");
			assert.equal(await said("mock-pong", stream), "pong");
			assert.equal(await said("relay-echo", stream), "hällo");
		}
		assert.equal((await sim.turns()).length, 0);
	});
}

test("completions: echo, stop and usage, streamed", async (t) => {
	const { client } = await start(t);
	const chunks = await all(await client.completions.create({
		model, prompt: "count to 9", echo: true, stop: [" 5"], stream: true, stream_options: { include_usage: true },
	}));

	assert.equal(dialects.completions.streamedText(chunks), "count to 91 2 3 4");
	assert.deepEqual(chunks.at(-1).choices, []);
	assert.equal(chunks.at(-2).choices[0].finish_reason, "stop");
});

test("completions: what cannot be served is a BadRequestError with its param", async (t) => {
	const { client, sim } = await start(t);

	for (const [param, value] of [["suffix", "x"], ["n", 2], ["best_of", 2], ["prompt", ["a", "b"]]]) {
		const error = await errorOf(client.completions.create({ model, prompt: "x", [param]: value }));
		assert.ok(error instanceof OpenAI.BadRequestError, error);
		assert.equal(error.param, param);
	}
	assert.equal((await sim.turns()).length, 0);
});

test("an unknown path is a NotFoundError", async (t) => {
	const { client } = await start(t, { accounts: 0 });
	const error = await errorOf(client.embeddings.create({ model: "x", input: "y" }));

	assert.ok(error instanceof OpenAI.NotFoundError, error);
	assert.equal(error.code, "not_found");
	assert.equal(error.type, "invalid_request_error");
});

test("a relay without slots says so as a RateLimitError", async (t) => {
	const { client } = await start(t, { accounts: 0 });
	const error = await errorOf(client.responses.create({ model, input: "hello" }));

	assert.ok(error instanceof OpenAI.RateLimitError, error);
	assert.match(error.message, /No slot is configured/);
});

test("models: the offline ones are listed", async (t) => {
	const { client } = await start(t, { accounts: 0 });
	const ids = (await all(await client.models.list())).map((entry) => entry.id);

	for (const id of ["relay-selftest", "mock-pong", "relay-echo"]) {
		assert.ok(ids.includes(id), ids.join(" "));
	}
});
