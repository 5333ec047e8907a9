// What the Responses API keeps, by the OpenAI Node SDK.

import assert from "node:assert/strict";
import test from "node:test";
import OpenAI from "openai";

import { all, errorOf, sdk } from "./openai.mjs";
import { startBoth } from "./relay.mjs";

const model = "gpt-5.4";

async function start(t, options) {
	const { sim, relay } = await startBoth(t, options);
	return { sim, relay, client: sdk(relay) };
}

for (const stream of [false, true]) {
	test(`a conversation by previous_response_id stays on its slot, with its blobs and its cache (${stream ? "streamed" : "whole"})`, async (t) => {
		const { client, sim } = await start(t);
		const ask = async (text, previous) => {
			const request = { model, input: `think then say exactly: ${text}`, previous_response_id: previous };
			return stream ? client.responses.stream(request).finalResponse() : client.responses.create(request);
		};
		const first = await ask("one");
		await sim.account("acct-1", { primary: { used_percent: 60 }, secondary: { used_percent: 60 } });
		const second = await ask("two", first.id);
		const third = await ask("three", second.id);

		assert.deepEqual([first, second, third].map((answer) => answer.output_text), ["one", "two", "three"]);
		assert.equal(third.previous_response_id, second.id);
		assert.equal(third.store, true);
		const turns = await sim.turns();
		assert.deepEqual(turns.map((turn) => [turn.account, turn.status]), Array(3).fill(["acct-1", 200]));
		assert.equal(new Set(turns.map((turn) => turn.json.prompt_cache_key)).size, 1);
		assert.deepEqual(turns[2].json.input.map((item) => item.type ?? "message"),
			["message", "reasoning", "message", "message", "reasoning", "message", "message"]);
		const cached = [first, second, third].map((answer) => answer.usage.input_tokens_details.cached_tokens);
		assert.ok(cached[0] === 0 && cached[1] > 0 && cached[2] > cached[1], String(cached));
	});
}

test("tool outputs go on from the answer that called", async (t) => {
	const { client } = await start(t);
	const tools = [{ type: "function", name: "f", strict: false, parameters: { type: "object", properties: {} } }];
	const first = await client.responses.create({ model, tools, input: "call f" });
	const call = first.output.find((item) => item.type === "function_call");
	const second = await client.responses.create({
		model, tools, previous_response_id: first.id,
		input: [{ type: "function_call_output", call_id: call.call_id, output: "done" }],
	});

	assert.equal(second.output_text, "tool said: done");
});

test("items are referred to by their ids", async (t) => {
	const { client, sim } = await start(t);
	const first = await client.responses.create({ model, input: "say exactly: one" });
	const second = await client.responses.create({
		model,
		input: [{ role: "user", content: "say exactly: one" }, { type: "item_reference", id: first.output[0].id },
			{ role: "user", content: "say exactly: two" }],
	});

	assert.equal(second.output_text, "two");
	const { input } = (await sim.turns())[1].json;
	assert.equal(input[1].content[0].text, "one");
	assert.ok(!JSON.stringify(input).includes("item_reference"));
});

test("an answer is retrieved, listed, deleted, and then unknown", async (t) => {
	const { client, sim } = await start(t);
	const answer = await client.responses.create({ model, input: "say exactly: kept" });
	const again = await client.responses.retrieve(answer.id);
	const items = await all(await client.responses.inputItems.list(answer.id));

	assert.equal(again.output_text, "kept");
	assert.deepEqual(again.output, answer.output);
	assert.deepEqual(items.map((item) => [item.type, item.role, item.content[0].text]),
		[["message", "user", "say exactly: kept"]]);
	const notRunning = await errorOf(client.responses.cancel(answer.id));
	assert.ok(notRunning instanceof OpenAI.BadRequestError, notRunning);
	await client.responses.delete(answer.id);
	for (const ask of [(id) => client.responses.retrieve(id), (id) => client.responses.delete(id),
		(id) => client.responses.inputItems.list(id), (id) => client.responses.cancel(id)]) {
		assert.ok(await errorOf(ask(answer.id)) instanceof OpenAI.NotFoundError);
	}
	assert.equal((await sim.turns()).length, 1);
});

test("unknown ids are errors that name the member, never left out", async (t) => {
	const { client, sim } = await start(t);
	const previous = await errorOf(client.responses.create({ model, input: "x", previous_response_id: "resp_none" }));
	const reference = await errorOf(client.responses.create({ model, input: [{ type: "item_reference", id: "msg_none" }, { role: "user", content: "x" }] }));

	assert.ok(previous instanceof OpenAI.BadRequestError, previous);
	assert.deepEqual([previous.code, previous.param], ["previous_response_not_found", "previous_response_id"]);
	assert.ok(reference instanceof OpenAI.BadRequestError, reference);
	assert.match(reference.param, /^input\[0\]/);
	assert.equal((await sim.turns()).length, 0);
});

test("an answer with store: false is not kept", async (t) => {
	const { client } = await start(t);
	const answer = await client.responses.create({ model, input: "hello", store: false });

	assert.equal(answer.store, false);
	assert.ok(await errorOf(client.responses.retrieve(answer.id)) instanceof OpenAI.NotFoundError);
});

test("tokens of an input are estimated, and a conversation is compacted", async (t) => {
	const { client } = await start(t);
	const { input_tokens: tokens } = await client.responses.inputTokens.count({ model, input: "hello ".repeat(100) });
	const answer = await client.responses.create({ model, input: "say exactly: one" });
	const compacted = await client.responses.compact({ model, previous_response_id: answer.id });

	assert.ok(tokens > 80 && tokens < 300, String(tokens));
	assert.equal(compacted.object, "response.compaction");
	assert.ok(compacted.output.some((item) => item.type === "compaction"));
});
