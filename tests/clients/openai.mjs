// The OpenAI Node SDK, pointed at a test's relay.

import assert from "node:assert/strict";
import OpenAI from "openai";

import { token } from "./relay.mjs";

// The SDK does not retry here, so that an answer is the relay's own.
export function sdk(relay, options = {}) {
	return new OpenAI({ baseURL: relay.base, apiKey: token, maxRetries: 0, timeout: 30000, ...options });
}

export async function all(stream) {
	const items = [];
	for await (const item of stream) {
		items.push(item);
	}
	return items;
}

export async function errorOf(promise) {
	try {
		await promise;
	} catch (error) {
		return error;
	}
	assert.fail("no error where one must be");
}
