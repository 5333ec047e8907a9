// The Vercel AI SDK with its OpenAI provider through the relay and codex-sim.

import assert from "node:assert/strict";
import test from "node:test";
import { createOpenAI } from "@ai-sdk/openai";
import { APICallError, Output, generateObject, generateText, isStepCount, streamObject, streamText, tool } from "ai";
import { z } from "zod";

import { errorOf } from "./openai.mjs";
import { startBoth, token } from "./relay.mjs";

const modelName = "gpt-5.4";
const unicode = "👋🏽 漢字 é \u2028 \"quoted\" \\u0041";
const counted = Array.from({ length: 30 }, (_, i) => i + 1).join(" ");
const pixel = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");
const person = z.object({ name: z.string(), age: z.number().int(), tags: z.array(z.string()) });

// How the provider speaks: `responses` is its default, which refers to stored items; without the store
// it carries the items themselves, encrypted reasoning included.
const ways = {
	chat: { model: (openai) => openai.chat(modelName), options: {} },
	"responses, store: false": { model: (openai) => openai.responses(modelName), options: { store: false } },
	responses: { model: (openai) => openai.responses(modelName), options: {} },
};

async function start(t, way, options = {}) {
	const { sim, relay } = await startBoth(t, options);
	const openai = createOpenAI({ baseURL: relay.base, apiKey: options.apiKey ?? token });
	// The SDK's own retries are off: an answer is the relay's.
	const common = { model: way.model(openai), maxRetries: 0, providerOptions: { openai: way.options } };
	return { sim, relay, common };
}

const said = [];
const tools = {
	get_weather: tool({
		description: "Weather of a city",
		inputSchema: z.object({ city: z.string() }),
		execute: ({ city }) => { said.push(city); return `snow in ${city}`; },
	}),
	get_time: tool({
		description: "Time in a zone",
		inputSchema: z.object({ zone: z.string() }),
		execute: ({ zone }) => { said.push(zone); return { zone, hour: 12 }; },
	}),
};
const serial = 'call get_weather {"city":"Zürich"} then call get_time {"zone":"UTC"}';
const parallel = 'call get_weather {"city":"Oslo"} and get_time {"zone":"CET"}';

// All parts of a stream; an error part is thrown, as an application does.
async function partsOf(result) {
	const parts = [];
	for await (const part of result.fullStream) {
		if (part.type === "error") {
			throw part.error;
		}
		parts.push(part);
	}
	return parts;
}

const quiet = { onError: () => {} };

for (const [name, way] of Object.entries(ways)) {
	test(`${name}: a text`, async (t) => {
		const { sim, common } = await start(t, way);
		const answer = await generateText({ ...common, instructions: "Be terse.", prompt: `say exactly: ${unicode}` });

		assert.equal(answer.text, unicode);
		assert.equal(answer.finishReason, "stop");
		assert.ok(answer.usage.inputTokens > 0 && answer.usage.outputTokens > 0);
		assert.equal(answer.usage.totalTokens, answer.usage.inputTokens + answer.usage.outputTokens);
		assert.equal(answer.response.headers["x-relay-slot-id"], "slot-1");
		assert.match(JSON.stringify((await sim.turns())[0].json), /Be terse\./);
	});

	test(`${name}: a streamed text`, async (t) => {
		const { common } = await start(t, way);
		const result = streamText({ ...common, prompt: "count to 30" });
		const parts = await partsOf(result);

		assert.ok(parts.filter((part) => part.type === "text-delta").length >= 30);
		assert.equal(await result.text, counted);
		assert.equal(await result.finishReason, "stop");
		assert.ok((await result.usage).outputTokens > 0);
	});

	for (const [order, prompt, calls] of [["one after the other", serial, ["Zürich", "UTC"]], ["at once", parallel, ["Oslo", "CET"]]]) {
		for (const stream of [false, true]) {
			test(`${name}: tools ${order}, ${stream ? "streamed" : "whole"}`, async (t) => {
				const { sim, common } = await start(t, way);
				const request = { ...common, tools, prompt, stopWhen: isStepCount(5) };
				said.length = 0;
				const result = stream ? streamText(request) : await generateText(request);
				if (stream) {
					await partsOf(result);
				}

				assert.deepEqual([...said].sort(), [...calls].sort());
				assert.match(await result.text, /^tool said: .*12/);
				const steps = await result.steps;
				assert.equal(steps.length, calls.length + (order === "at once" ? 0 : 1));
				assert.equal(steps[0].finishReason, "tool-calls");
				assert.equal(await result.finishReason, "stop");
				const turns = await sim.turns();
				assert.ok(turns.every((turn) => turn.status === 200));
				assert.equal(new Set(turns.map((turn) => turn.json.prompt_cache_key)).size, 1);
				assert.equal(new Set(turns.map((turn) => turn.account)).size, 1);
			});
		}
	}

	test(`${name}: a conversation goes on with what the SDK kept of it`, async (t) => {
		const { sim, common } = await start(t, way);
		const messages = [{ role: "user", content: "think then say exactly: first" }];
		for (const text of ["second", "third"]) {
			const answer = await generateText({ ...common, messages });
			messages.push(...answer.response.messages, { role: "user", content: `think then say exactly: ${text}` });
		}
		const last = await generateText({ ...common, messages });

		assert.equal(last.text, "third");
		const turns = await sim.turns();
		assert.deepEqual(turns.map((turn) => turn.status), [200, 200, 200]);
		const { input } = turns.at(-1).json;
		const texts = input.filter((item) => item.role === "assistant")
			.map((item) => (typeof item.content === "string" ? item.content : item.content[0].text));
		assert.deepEqual(texts, ["first", "second"]);
		assert.ok(!input.some((item) => item.type === "item_reference"));
		if (name !== "chat") {
			const blobs = input.filter((item) => item.type === "reasoning").map((item) => item.encrypted_content);
			assert.equal(new Set(blobs).size, 2);
			assert.equal(last.reasoningText.length > 0, true);
		}
		const cached = last.usage.inputTokenDetails.cacheReadTokens;
		assert.ok(cached > 0, `cached: ${cached}`);
	});

	test(`${name}: an object by a schema, whole and streamed`, async (t) => {
		const { sim, common } = await start(t, way);
		const { output } = await generateText({ ...common, output: Output.object({ schema: person }), prompt: "who is it" });
		const streamed = streamText({ ...common, output: Output.object({ schema: person }), prompt: "who is it" });
		await partsOf(streamed);
		const old = await generateObject({ ...common, schema: person, prompt: "who is it" });
		const oldStreamed = streamObject({ ...common, schema: person, prompt: "who is it" });
		for await (const part of oldStreamed.partialObjectStream) {
			assert.equal(typeof part, "object");
		}

		for (const value of [output, await streamed.output, old.object, await oldStreamed.object]) {
			person.parse(value);
		}
		for (const { json } of await sim.turns()) {
			assert.equal(json.text.format.type, "json_schema");
			assert.equal(json.text.format.strict, true);
		}
	});

	test(`${name}: an object without a schema`, async (t) => {
		const { sim, common } = await start(t, way);
		const { output } = await generateText({ ...common, output: Output.json(), instructions: "Answer in JSON.", prompt: "who is it" });

		assert.deepEqual(output, { ok: true });
		assert.equal((await sim.turns())[0].json.text.format.type, "json_object");
	});

	test(`${name}: an image and a document go along`, async (t) => {
		const { common } = await start(t, way);
		const answer = await generateText({
			...common,
			messages: [{
				role: "user",
				content: [
					{ type: "text", text: "what is this" },
					{ type: "file", mediaType: "image/png", data: pixel },
					{ type: "file", mediaType: "application/pdf", data: Buffer.from("%PDF-1.4"), filename: "a.pdf" },
				],
			}],
		});

		assert.equal(answer.text, "1 image, 1 file: what is this");
	});

	test(`${name}: a tool is demanded`, async (t) => {
		const { common } = await start(t, way);
		const answer = await generateText({
			...common, tools, toolChoice: { type: "tool", toolName: "get_time" }, prompt: "hello",
		});

		assert.deepEqual(answer.toolCalls.map((call) => call.toolName), ["get_time"]);
	});

	test(`${name}: reasoning effort goes upstream`, async (t) => {
		const { sim, common } = await start(t, way);
		const openai = { ...way.options, reasoningEffort: "high" };
		const answer = await generateText({ ...common, providerOptions: { openai }, prompt: "think then say exactly: fine" });

		assert.equal(answer.text, "fine");
		assert.equal((await sim.turns())[0].json.reasoning.effort, "high");
	});

	test(`${name}: an answer that hit its limit says length`, async (t) => {
		const { common } = await start(t, way);
		const whole = await generateText({ ...common, prompt: "incomplete" });
		const streamed = streamText({ ...common, prompt: "incomplete" });
		await partsOf(streamed);

		assert.equal(whole.finishReason, "length");
		assert.equal(await streamed.finishReason, "length");
	});

	test(`${name}: a slot that fails is not seen`, async (t) => {
		const { sim, common } = await start(t, way);
		await sim.script("acct-1", { first_event_failure: { code: "server_is_overloaded", message: "Full." } });
		await sim.exhaust("acct-2");
		const answer = await generateText({ ...common, prompt: "say exactly: fine" });

		assert.equal(answer.text, "fine");
		assert.deepEqual((await sim.turns()).map((turn) => turn.account), sim.accounts);
	});

	test(`${name}: a stream cut behind output is an error`, async (t) => {
		const { sim, common } = await start(t, way);
		await sim.script("*", { cut_after_events: 9 });
		const result = streamText({ ...common, ...quiet, prompt: "count to 30" });
		const error = await errorOf(partsOf(result));

		assert.ok(error, "no error");
		assert.equal((await sim.turns()).length, 1);
	});

	test(`${name}: a failure behind output is an error with upstream's words`, async (t) => {
		const { sim, common } = await start(t, way);
		await sim.script("*", { fail_after_events: 9, failure: { code: "server_error", message: "It broke." } });
		const error = await errorOf(partsOf(streamText({ ...common, ...quiet, prompt: "count to 30" })));

		assert.match(JSON.stringify([error.message, error.data, error.cause, error]), /It broke\./);
	});

	test(`${name}: an abort cancels the upstream request`, async (t) => {
		const { sim, relay, common } = await start(t, way, { accounts: 1 });
		const abort = new AbortController();
		const result = streamText({ ...common, ...quiet, prompt: "count to 10000 every 20ms", abortSignal: abort.signal });
		const ended = partsOf(result).catch(() => {});

		await sim.wait("events>=5");
		abort.abort();
		await ended;
		await sim.wait("gone>=1,active==0");
		await relay.waitForEvent("request.finish", (line) => line.status === 499);
		assert.equal((await generateText({ ...common, prompt: "say exactly: still here" })).text, "still here");
	});

	test(`${name}: errors carry status, body and whether to try again`, async (t) => {
		const { sim, common } = await start(t, way);
		const fail = () => errorOf(generateText({ ...common, prompt: "hello" }));

		await sim.script("*", { status: 400, body: { error: { message: "No.", type: "invalid_request_error", param: "x", code: "invalid_prompt" } } });
		const wrong = await fail();
		assert.ok(APICallError.isInstance(wrong), wrong);
		assert.deepEqual([wrong.statusCode, wrong.isRetryable, wrong.data.error.code, wrong.message],
			[400, false, "invalid_prompt", "No."]);
		for (const id of sim.accounts) {
			await sim.exhaust(id, 600);
		}
		const limited = await fail();
		assert.deepEqual([limited.statusCode, limited.isRetryable, limited.data.error.code], [429, true, "rate_limit_exceeded"]);
		assert.ok(Number(limited.responseHeaders["retry-after"]) > 500);
		assert.ok(limited.responseHeaders["x-request-id"]);
	});

	test(`${name}: a wrong token is refused`, async (t) => {
		const { sim, common } = await start(t, way, { apiKey: "wrong" });
		const error = await errorOf(generateText({ ...common, prompt: "hello" }));

		assert.deepEqual([error.statusCode, error.isRetryable, error.data.error.code], [401, false, "invalid_api_key"]);
		assert.equal((await sim.turns()).length, 0);
	});
}

test("responses: previousResponseId carries the conversation", async (t) => {
	const { sim, common } = await start(t, ways.responses);
	const first = await generateText({ ...common, prompt: "think then say exactly: first" });
	const openai = { previousResponseId: first.providerMetadata.openai.responseId };
	const second = await generateText({ ...common, providerOptions: { openai }, prompt: "say exactly: second" });

	assert.equal(second.text, "second");
	const [before, turn] = await sim.turns();
	assert.deepEqual(turn.json.input.map((item) => item.type ?? "message"), ["message", "reasoning", "message", "message"]);
	assert.equal(turn.json.previous_response_id, undefined);
	assert.equal(turn.json.prompt_cache_key, before.json.prompt_cache_key);
});

test("responses: web search by the provider's own tool", async (t) => {
	const { sim, relay } = await startBoth(t);
	const openai = createOpenAI({ baseURL: relay.base, apiKey: token });
	const answer = await generateText({
		model: openai(modelName), maxRetries: 0, prompt: "search the web for relays",
		tools: { web_search: openai.tools.webSearch({ searchContextSize: "low" }) },
		providerOptions: { openai: { store: false } },
	});

	assert.ok(answer.text.length > 0);
	assert.equal((await sim.turns())[0].json.tools[0].type, "web_search");
	assert.ok(answer.toolCalls.some((call) => call.toolName === "web_search"), JSON.stringify(answer.toolCalls));
});
