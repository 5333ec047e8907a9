"""Clients made of Python's standard library alone, as small programs carry them: urllib.request, a browser's
User-Agent, the session in x-openclaw-session-key, events read line by line."""
import http.client
import json
import urllib.error
import urllib.request

import pytest

from relaylib import TOKEN, in_parallel

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
TIMEOUT = 30


class Client:
    """session: what the conversation is called. timeout: longest silence, in seconds."""

    def __init__(self, relay, session="agent:main:stdlib", token=TOKEN, timeout=TIMEOUT):
        self.relay, self.session, self.token, self.timeout = relay, session, token, timeout

    def open(self, path, body):
        request = urllib.request.Request(
            f"http://{self.relay.address}{path}", data=json.dumps(body).encode("utf-8"), method="POST",
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json",
                     "User-Agent": "Mozilla/5.0", "x-openclaw-session-key": self.session})
        # No proxy of the environment.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        return opener.open(request, timeout=self.timeout)

    def whole(self, path, body):
        with self.open(path, body) as response:
            assert response.headers["Content-Type"].split(";")[0] == "application/json"
            return json.loads(response.read().decode("utf-8"))

    def events(self, path, body):
        """The JSON of each data line, up to [DONE]."""
        with self.open(path, body) as response:
            assert response.headers["Content-Type"].split(";")[0] == "text/event-stream"
            for raw in response:
                line = raw.decode("utf-8").strip()
                if not line.startswith("data:"):
                    continue
                data = line[len("data:"):].strip()
                if data == "[DONE]":
                    return
                yield json.loads(data)
        raise EOFError("the stream ended without [DONE]")


# One body for each way to ask, and how the text is found in the answer.

def chat_body(text, **more):
    return {"model": "gpt-5.4", "messages": [
        {"role": "system", "content": "Answer shortly."}, {"role": "user", "content": text}], **more}


def responses_body(text, **more):
    return {"model": "gpt-5.4", "instructions": "Answer shortly.", "input": [
        {"role": "user", "content": [{"type": "input_text", "text": text}]}], **more}


def chat(client, text, **more):
    answer = client.whole(CHAT, chat_body(text, stream=False, **more))
    return answer["choices"][0]["message"]["content"], answer["usage"]["total_tokens"]


def chat_stream(client, text, **more):
    options = {"stream": True, "stream_options": {"include_usage": True}, **more}
    parts, usage = [], None
    for chunk in client.events(CHAT, chat_body(text, **options)):
        if chunk.get("error"):
            raise RuntimeError(chunk["error"]["message"])
        if chunk.get("usage"):
            usage = chunk["usage"]["total_tokens"]
        for choice in chunk["choices"]:
            parts.append(choice["delta"].get("content") or "")
    return "".join(parts), usage


def responses(client, text, **more):
    answer = client.whole(RESPONSES, responses_body(text, stream=False, **more))
    assert answer["status"] == "completed"
    parts = [part["text"] for item in answer["output"] if item["type"] == "message"
             for part in item["content"] if part["type"] == "output_text"]
    return "".join(parts), answer["usage"]["total_tokens"]


def responses_stream(client, text, **more):
    parts = []
    for event in client.events(RESPONSES, responses_body(text, stream=True, **more)):
        if event["type"] == "response.output_text.delta":
            parts.append(event["delta"])
        elif event["type"] in ("response.failed", "error"):
            raise RuntimeError(json.dumps(event))
        elif event["type"] == "response.completed":
            usage = event["response"]["usage"]["total_tokens"]
    return "".join(parts), usage


ASKS = {"chat": chat, "chat stream": chat_stream, "responses": responses, "responses stream": responses_stream}
STREAMS = {name: ask for name, ask in ASKS.items() if "stream" in name}


def each(asks):
    return pytest.mark.parametrize("ask", asks.values(), ids=asks)


@each(ASKS)
def test_an_answer(sim, relay, ask):
    text = "Grüße, 世界 👋 \u2028 \"quoted\""
    said, tokens = ask(Client(relay), f"say exactly: {text}")
    assert said == text and tokens > 0
    turn, = sim.turns()
    assert turn.json["instructions"] == "Answer shortly." and turn.json["model"] == "gpt-5.4"
    assert turn.json["input"][-1]["content"] in (
        f"say exactly: {text}", [{"type": "input_text", "text": f"say exactly: {text}"}])


@each(ASKS)
def test_the_session_is_the_cache_key_and_the_client_stays_unknown(sim, relay, ask):
    for session in ("agent:main:1", "agent:main:2", "agent:main:1"):
        ask(Client(relay, session), "hello")
    turns = sim.turns()
    assert [turn.json["prompt_cache_key"] for turn in turns] == ["agent:main:1", "agent:main:2", "agent:main:1"]
    for turn in turns:
        assert turn.header("session_id") == turn.json["prompt_cache_key"]
        assert turn.header("user-agent").startswith("codex-slot-relay/")
        assert turn.header("x-openclaw-session-key") is None


@each(ASKS)
def test_a_session_stays_on_its_slot(sim, even_relay, ask):
    for n in range(6):
        ask(Client(even_relay, f"agent:main:{n % 3}"), f"hello {n}")
    accounts = [turn.account for turn in sim.turns()]
    assert accounts[:3] == accounts[3:] and len(set(accounts)) == 3


@each(ASKS)
def test_options_that_upstream_does_not_have(sim, relay, ask):
    limit = "max_tokens" if "chat" in ask.__name__ else "max_output_tokens"
    said, _ = ask(Client(relay), "say exactly: fine", temperature=0.2, **{limit: 500})
    assert said == "fine"
    assert not {"temperature", limit} & set(sim.turns()[0].json)


@each(ASKS)
def test_a_failing_slot_is_not_seen(sim, quiet_relay, ask):
    sim.set_account(1, primary={"used_percent": 100, "reset_in_seconds": 600})
    sim.script(2, {"first_event_failure": {"code": "server_is_overloaded", "message": "busy"}})
    assert ask(Client(quiet_relay), "say exactly: fine")[0] == "fine"
    assert [turn.account for turn in sim.turns()] == ["acct-1", "acct-2", "acct-3"]


@each(ASKS)
def test_errors_come_as_http_errors_with_json(sim, relay, ask):
    def error_of(client, text="hello", **more):
        with pytest.raises(urllib.error.HTTPError) as caught:
            ask(client, text, **more)
        with caught.value as answer:
            return answer.code, json.loads(answer.read())["error"], answer.headers

    status, error, headers = error_of(Client(relay, token="wrong"))
    assert (status, error["code"]) == (401, "invalid_api_key") and headers["X-Request-Id"]
    status, error, _ = error_of(Client(relay), model=7)
    assert (status, error["type"], error["param"]) == (400, "invalid_request_error", "model")
    status, error, _ = error_of(Client(relay), "fail context_length_exceeded")
    assert (status, error["code"]) == (400, "context_length_exceeded")
    for number in (1, 2, 3):
        sim.set_account(number, primary={"used_percent": 100, "reset_in_seconds": 600})
    status, error, headers = error_of(Client(relay))
    assert (status, error["code"]) == (429, "rate_limit_exceeded")
    assert 500 < int(headers["Retry-After"]) <= 601 and error["resets_at"] > 0


@each(STREAMS)
@pytest.mark.parametrize("clean", [False, True], ids=["cut", "ended"])
def test_a_stream_without_its_end_is_an_exception(sim, relay, ask, clean):
    sim.script("*", {"cut_after_events": 9, "cut_clean": clean})
    with pytest.raises((RuntimeError, EOFError, http.client.IncompleteRead)):
        ask(Client(relay), "count to 30")
    assert len(sim.turns()) == 1


# --- Silence. The client gives up after three seconds without a byte; upstream needs longer.

IMPATIENCE = 3
SLOW = {"before the head": {"delay_ms": 6500}, "between the events": {"pace_ms": 3600}}


@each(STREAMS)
@pytest.mark.parametrize("slow", SLOW.values(), ids=SLOW)
def test_a_slow_upstream_does_not_break_an_impatient_client(sim, start_relay, ask, slow):
    relay = start_relay(config={"heartbeatSeconds": 1, "streamHoldSeconds": 1})
    sim.script("*", {**slow, "directive": "think then say exactly: at last"} if "delay_ms" in slow
               else {**slow, "events": slow_events()})
    assert ask(Client(relay, timeout=IMPATIENCE), "hello")[0] == "at last"
    assert len(sim.turns()) == 1


def slow_events():
    """Reasoning that takes its time, with and without words, then the answer at once."""
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAABx"}
    said = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": "at last", "annotations": [], "logprobs": []}]}
    usage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}

    def event(kind, **members):
        return f"event: {kind}\ndata: {json.dumps({'type': kind, **members})}\n\n"

    return [
        event("response.created", response={"id": "resp_1", "status": "in_progress", "output": []}),
        event("response.output_item.added", output_index=0, item=thought),
        event("response.output_item.done", output_index=0, item=thought)
        + event("response.output_item.added", output_index=1, item={**said, "content": []})
        + event("response.output_text.delta", output_index=1, content_index=0, item_id="msg_1", delta="at last")
        + event("response.output_item.done", output_index=1, item=said)
        + event("response.completed", response={"id": "resp_1", "status": "completed", "output": [], "usage": usage}),
    ]


def test_without_heartbeats_the_same_client_gives_up(sim, start_relay):
    """So that the tests above can fail."""
    relay = start_relay(config={"heartbeatSeconds": 60, "streamHoldSeconds": 1})
    sim.script("*", {"pace_ms": 2600, "events": slow_events()})
    with pytest.raises(TimeoutError):
        chat_stream(Client(relay, timeout=1), "hello")
    relay.wait_for("request.finish", lambda line: line["status"] == 499)


def test_many_impatient_clients_at_once(sim, start_relay):
    relay = start_relay(config={"heartbeatSeconds": 1, "streamHoldSeconds": 1, "slotConcurrency": 20})
    sim.script("*", {"delay_ms": 4500, "repeat": -1})
    said = in_parallel([lambda n=n, ask=ask: ask(Client(relay, f"s{n}", timeout=IMPATIENCE), f"say exactly: {n}")[0]
                        for n in range(10) for ask in STREAMS.values()])
    assert said == [str(n) for n in range(10) for _ in STREAMS]


@each(STREAMS)
def test_waiting_for_a_free_slot_does_not_break_an_impatient_client(sim, start_relay, ask):
    relay = start_relay(slots=1, config={"heartbeatSeconds": 1, "slotConcurrency": 1})
    with relay.stream("count to 10 every 450ms") as first:
        first.wait_head()
        sim.wait("requests>=1,active==1", path="/codex/responses")
        assert ask(Client(relay, timeout=IMPATIENCE), "say exactly: at last")[0] == "at last"


@each(STREAMS)
def test_giving_up_on_a_free_slot_is_told_in_the_stream(start_relay, ask):
    """The head is out by then."""
    relay = start_relay(slots=1, config={"heartbeatSeconds": 1, "slotConcurrency": 1, "queueTimeoutSeconds": 4})
    with relay.stream("count to 10000 every 50ms") as first:
        first.wait_head()
        relay.wait_for("slot.selection")
        with pytest.raises((RuntimeError, http.client.IncompleteRead)) as caught:
            ask(Client(relay, timeout=IMPATIENCE), "hello")
    assert "concurrency limit" in str(caught.value)
