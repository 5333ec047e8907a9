"""What clients of the APIs see on the wire, end to end. Every answer is checked against the API
descriptions on the way (schemalib)."""
import json

import pytest

import relaylib
from relaylib import chat_body, in_parallel, responses_body, responses_events
from simlib import parse_sse

CHAT, COMPLETIONS, RESPONSES = "/v1/chat/completions", "/v1/completions", "/v1/responses"


def completions_body(text="hello", /, **members):
    return {"model": "gpt-5.5", "prompt": text, **members}


MAKERS = {CHAT: chat_body, COMPLETIONS: completions_body, RESPONSES: responses_body}
SHAPES = [(path, stream) for path in MAKERS for stream in (False, True)]
SHAPE_IDS = [f"{path.rsplit('/', 1)[-1]}-{'stream' if stream else 'whole'}" for path, stream in SHAPES]


def ask(relay, path, text, **members):
    return relay.post(path, MAKERS[path](text, **members))


def chunks_of(reply):
    return [json.loads(data) for _, data in parse_sse(reply.body) if data != "[DONE]"]


def completion_text(reply):
    if not reply.headers["content-type"].startswith("text/event-stream"):
        return reply.json["choices"][0]["text"]
    return "".join(c["choices"][0]["text"] for c in chunks_of(reply) if c["choices"])


def sent_body(sim):
    return sim.turns()[-1].json


# --- Legacy completions

@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_completion(sim, relay, stream):
    reply = ask(relay, COMPLETIONS, "say exactly: one two", stream=stream, max_tokens=9, seed=1)
    assert reply.status == 200
    assert completion_text(reply) == "one two"
    assert reply.headers["x-relay-ignored-params"] == "max_tokens, seed"
    body = reply.json if not stream else chunks_of(reply)[0]
    assert body["object"] == "text_completion" and body["id"].startswith("cmpl-")
    assert len(sim.turns()) == 1


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_completion_echo_and_stop(relay, stream):
    reply = ask(relay, COMPLETIONS, ["count to 9"], stream=stream, echo=True, stop=" 5")
    text = completion_text(reply)
    assert text.startswith("count to 9") and text.rstrip().endswith("4")


def test_completion_usage_chunk(relay):
    reply = ask(relay, COMPLETIONS, "hi", stream=True, stream_options={"include_usage": True})
    chunks = chunks_of(reply)
    assert chunks[-1]["choices"] == [] and chunks[-1]["usage"]["prompt_tokens"] > 0
    assert all(chunk["usage"] is None for chunk in chunks[:-1])


@pytest.mark.parametrize("members,param", [
    ({"suffix": "x"}, "suffix"), ({"n": 2}, "n"), ({"best_of": 2}, "best_of"),
    ({"prompt": ["a", "b"]}, "prompt"), ({"prompt": [1, 2]}, "prompt"), ({"prompt": None}, "prompt"),
], ids=lambda v: json.dumps(v) if isinstance(v, dict) else v)
def test_completion_that_cannot_be_served(sim, relay, members, param):
    reply = relay.post(COMPLETIONS, completions_body(**members))
    assert reply.status == 400 and reply.json["error"]["param"] == param
    assert sim.turns() == []


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_offline_models_answer_completions(relay, stream):
    reply = relay.post(COMPLETIONS, {"model": "relay-echo", "prompt": "to and fro", "stream": stream})
    assert completion_text(reply) == "to and fro"


# --- Names of models

@pytest.mark.parametrize("path", MAKERS)
def test_effort_in_the_name_of_the_model(sim, relay, path):
    reply = ask(relay, path, "hello", model="openai/gpt-5.5-high")
    assert reply.status == 200 and reply.json["model"] == "gpt-5.5"
    assert sent_body(sim)["model"] == "gpt-5.5"
    assert sent_body(sim)["reasoning"]["effort"] == "high"


def test_default_model_is_known_whatever_its_name(sim, start_relay):
    relay = start_relay(config={"modelDefault": "house-high"})
    sim.script("*", {"skip_checks": True, "status": 400, "repeat": -1,
                     "body": {"error": {"code": "invalid_prompt"}}})
    relay.chat("hello", model="house-high")
    relay.chat("hello", model="house-high(low)")
    assert [turn.json["model"] for turn in sim.turns()] == ["house-high"] * 2
    assert [turn.json.get("reasoning", {}).get("effort") for turn in sim.turns()] == [None, "low"]


def test_names_of_the_configuration_take_an_effort(sim, start_relay):
    """Aliases, and models that only the operator knows, with a slash in the name."""
    relay = start_relay(config={"models": {"aliases": {"fast": "gpt-5.4-mini", "sharp-high": "gpt-5.4"},
                                           "extra": ["lab/star"]}})
    sim.script("*", {"skip_checks": True, "status": 400, "repeat": -1,
                     "body": {"error": {"code": "invalid_prompt"}}})
    for path in MAKERS:
        for name in ("fast-high", "sharp-high", "lab/star", "x/fast(low)"):
            ask(relay, path, "hello", model=name)
    told = [(turn.json["model"], turn.json.get("reasoning", {}).get("effort")) for turn in sim.turns()]
    assert told == [("gpt-5.4-mini", "high"), ("gpt-5.4", None), ("lab/star", None),
                    ("gpt-5.4-mini", "low")] * len(MAKERS)


# --- What has no effect is named

def test_ignored_members_of_a_responses_body_are_named(sim, relay):
    reply = relay.responses("hello", temperature=0.5, max_output_tokens=9, truncation="disabled",
                            presence_penalty=0.1, max_tool_calls=2)
    assert reply.status == 200
    assert reply.headers["x-relay-ignored-params"] == \
        "max_output_tokens, max_tool_calls, temperature, presence_penalty"
    assert reply.json["temperature"] == 0.5 and reply.json["max_tool_calls"] == 2
    assert not {"temperature", "presence_penalty", "max_tool_calls"} & set(sent_body(sim))


def test_nothing_is_named_when_nothing_is_ignored(relay):
    for reply in (relay.responses("hello"), relay.chat("hello"), relay.native("hello", stream=True)):
        assert reply.status == 200 and "x-relay-ignored-params" not in reply.headers


# --- Web search

@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_web_search_by_its_option(sim, relay, stream):
    reply = relay.chat("search the web for relays", stream=stream,
                       web_search_options={"search_context_size": "low"})
    assert reply.status == 200 and relaylib.chat_text(reply)
    assert sent_body(sim)["tools"] == [{"type": "web_search", "search_context_size": "low"}]


# --- Chat: all that a body may hold is accepted by the strict backend

LONG_NAME = "mcp.server/" + "tool_" * 14
FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{ }"}}
PIXEL = "data:image/png;base64,iVBORw0KGgo="


def called(*calls, **members):
    return {"role": "assistant", "content": None, "tool_calls": list(calls), **members}


def said(text):
    return {"role": "user", "content": text}


def tool(call_id, content):
    return {"role": "tool", "tool_call_id": call_id, "content": content}


ACCEPTED = {
    "system and developer": {"messages": [
        {"role": "system", "content": "a"}, {"role": "developer", "content": [{"type": "text", "text": "b"}]},
        said("hi"), {"role": "system", "content": "later"}, said("again")]},
    "system only": {"messages": [{"role": "system", "content": "a"}]},
    "parts": {"messages": [said([
        {"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"}},
        {"type": "file", "file": {"file_id": "file-1"}}])]},
    "assistant": {"messages": [
        said("x"), {"role": "assistant", "content": "", "reasoning_content": "why"},
        {"role": "assistant", "content": None, "refusal": "No."},
        {"role": "assistant", "content": [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "b"},
                                          {"type": "image_url", "image_url": {"url": PIXEL}}]}, said("go on")]},
    "tools and outputs": {"tools": [FUNCTION], "messages": [
        said("x"), called(CALL, {**CALL, "id": "c" * 80}), tool("c1", "1"),
        tool("c" * 80, [{"type": "text", "text": "2"}, {"type": "image_url", "image_url": {"url": PIXEL}}])]},
    "unanswered, orphan and double": {"tools": [FUNCTION], "messages": [
        said("x"), tool("none", "0"), called(CALL, {**CALL, "id": "c2"}), tool("c1", "1"), tool("c1", "1"), said("y")]},
    "names": {"tools": [{"type": "function", "function": {"name": LONG_NAME}},
                        {"type": "function", "function": {"name": LONG_NAME + "x"}}],
              "tool_choice": {"type": "function", "function": {"name": LONG_NAME}},
              "messages": [said("x"), called({**CALL, "function": {"name": LONG_NAME, "arguments": "{}"}}),
                           tool("c1", "1"), said("y")]},
    "custom": {"tools": [{"type": "custom", "custom": {"name": "patch", "format": {
        "type": "grammar", "grammar": {"syntax": "lark", "definition": "start: /a/"}}}}],
               "messages": [said("x"), called({"id": "k", "type": "custom", "custom": {"name": "patch", "input": "a"}}),
                            tool("k", "ok")]},
    "functions": {"functions": [{"name": "f", "parameters": {"type": "object"}}], "function_call": {"name": "f"},
                  "messages": [said("x"), {"role": "assistant", "content": None,
                                           "function_call": {"name": "f", "arguments": "{}"}},
                               {"role": "function", "name": "f", "content": "1"}]},
    "allowed tools": {"tools": [FUNCTION], "tool_choice": {"type": "allowed_tools", "allowed_tools": {
        "mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]}}},
    "json object": {"response_format": {"type": "json_object"}, "messages": [
        {"role": "system", "content": "Answer in JSON."}, said("x")]},
    "json schema": {"response_format": {"type": "json_schema", "json_schema": {
        "name": "n", "strict": True, "schema": {"type": "object", "properties": {"a": {"type": "string"}},
                                                "required": ["a"], "additionalProperties": False}}}},
    "options": {"verbosity": "low", "reasoning_effort": "high", "service_tier": "auto", "parallel_tool_calls": True,
                "prompt_cache_key": "k", "stream_options": {"include_usage": True}, "stop": ["zzz"], "n": 1},
    "ignored": {"max_tokens": 1, "max_completion_tokens": 1, "temperature": 1, "top_p": 1, "presence_penalty": 0,
                "frequency_penalty": 0, "logit_bias": {}, "logprobs": True, "top_logprobs": 2, "seed": 1, "user": "u",
                "metadata": {"a": "b"}, "store": True, "modalities": ["text"],
                "prediction": {"type": "content", "content": "x"}, "top_k": 3},
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", ACCEPTED)
def test_chat_body_is_accepted_upstream(sim, relay, name, stream):
    reply = relay.chat("hello", stream=stream, **ACCEPTED[name])
    assert reply.status == 200 and not reply.cut, reply.text
    assert [turn.status for turn in sim.turns()] == [200]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_shortened_name_comes_back_whole(sim, relay, stream):
    reply = relay.chat("use the tool", stream=stream,
                       tools=[{"type": "function", "function": {"name": LONG_NAME}}])
    assert LONG_NAME in reply.text
    assert LONG_NAME not in json.dumps(sent_body(sim))


def test_chat_answer_follows_the_schema(relay):
    reply = relay.chat("hello", **ACCEPTED["json schema"])
    assert set(json.loads(relaylib.chat_text(reply))) == {"a"}


def test_dropped_output_is_named(relay):
    reply = relay.chat("hello", **ACCEPTED["unanswered, orphan and double"])
    assert reply.headers["x-relay-ignored-params"] == "messages[1], messages[4]"


# --- Sessions

def test_session_key_that_is_too_long_for_upstream(sim, relay):
    """Becomes a short one, the same each time."""
    for key in ("s" * 90, "s" * 90, "t" * 90):
        assert relay.chat("hello", headers={"x-openclaw-session-key": key}).status == 200
    keys = [turn.json["prompt_cache_key"] for turn in sim.turns()]
    assert keys == [turn.header("session_id") for turn in sim.turns()]
    assert keys[0] == keys[1] != keys[2] and max(map(len, keys)) <= 64


# --- Ids

@pytest.mark.parametrize("path,stream", SHAPES, ids=SHAPE_IDS)
def test_request_id_is_where_sdks_look(relay, path, stream):
    good = ask(relay, path, "hello", stream=stream)
    wrong = relay.post(path, {"model": 5, "stream": stream})
    for reply in (good, wrong):
        assert reply.headers["x-request-id"] == reply.headers["x-relay-request-id"]


@pytest.mark.parametrize("request_of", [
    lambda relay: relay.get("/v1/nothing"), lambda relay: relay.get("/v1/responses"),
    lambda relay: relay.post(CHAT, {}, {"Authorization": "Bearer no"}), lambda relay: relay.post(CHAT, b"{"),
    lambda relay: relay.get("/healthz")],
    ids=["404", "405", "401", "json", "healthz"])
def test_request_id_of_answers_without_an_exchange(relay, request_of):
    reply = request_of(relay)
    assert reply.headers["x-request-id"] == reply.headers["x-relay-request-id"]


def test_native_client_gets_the_upstreams_request_id(relay):
    good = relay.native("hello", stream=True)
    assert good.headers["x-request-id"] not in ("", good.headers["x-relay-request-id"])


# --- Cuts: 60 events, cut behind each

EVENTS = 60
COUNT = f"count to {EVENTS - 8}"


def cut_script(events, how):
    script = {"repeat": -1, "directive": COUNT}
    if how == "reset":
        return {**script, "reset_after_events": events}
    return {**script, "cut_after_events": events, "cut_mid_event": how == "mid-event",
            "cut_clean": how == "clean"}


def failed_well(reply, stream):
    """A status with an error, or a stream with an error at its end. Shapes are checked elsewhere."""
    if reply.status != 200:
        error = reply.json["error"]
        return reply.status == 502 and error["code"] == "upstream_truncated" and error["message"]
    if not stream or b"[DONE]" in reply.body:
        return False
    last = chunks_of(reply)[-1]
    return last.get("type") == "response.failed" or "error" in last and "choices" not in last


def test_the_answer_that_is_cut_has_so_many_events(sim, relay):
    assert len(responses_events(ask(relay, RESPONSES, COUNT, stream=True))) == EVENTS


@pytest.mark.parametrize("how", ["in-body", "mid-event", "clean", "reset"])
@pytest.mark.parametrize("path,stream", SHAPES, ids=SHAPE_IDS)
def test_cut_behind_each_event_is_never_a_success(sim, start_relay, path, stream, how):
    relay = start_relay(slots=1)
    for events in range(0 if how != "mid-event" else 1, EVENTS):
        sim.clear_scripts("*")
        sim.script("*", cut_script(events, how))
        reply = ask(relay, path, COUNT, stream=stream)
        assert failed_well(reply, stream), f"cut behind {events}: {reply.status} {reply.text[-400:]}"


@pytest.mark.parametrize("path,stream", SHAPES, ids=SHAPE_IDS)
def test_cut_behind_the_terminal_event_is_a_success(sim, relay, path, stream):
    sim.script("*", {"directive": COUNT, "reset_after_events": EVENTS})
    reply = ask(relay, path, COUNT, stream=stream)
    assert reply.status == 200 and not reply.cut


# --- Heartbeats

def test_heartbeat_of_each_api(sim, start_relay):
    relay = start_relay(config={"streamHoldSeconds": 0, "heartbeatSeconds": 1})
    sim.script("*", {"stall_after_events": 6, "directive": "count to 9", "repeat": -1})

    def first_beat(path):
        with relay.stream(path=path, body=MAKERS[path](stream=True)) as stream:
            while not (block := stream.next_block()).startswith(":"):
                pass
            return block

    beats = in_parallel([lambda path=path: first_beat(path) for path in MAKERS])
    assert beats == [": keepalive"] * len(MAKERS)


EAGER = {"heartbeatSeconds": 1, "streamHoldSeconds": 0.2}


def read_silence(stream):
    """Whether all that came until the first event were comments, and that event's block or None."""
    beats = 0
    while (block := stream.next_block()) is not None and block.startswith(":"):
        beats += 1
    return beats, block


@pytest.mark.parametrize("path", MAKERS)
def test_client_is_kept_alive_while_upstream_has_no_head(sim, start_relay, path):
    """And another slot still answers, as nothing of the answer was sent."""
    relay = start_relay(config={**EAGER, "requestTimeoutSeconds": 3})
    sim.script("*", {"stall": "before_head"})
    with relay.stream(path=path, body=MAKERS[path]("say exactly: late", stream=True)) as stream:
        beats, block = read_silence(stream)
        rest = [block]
        while (block := stream.next_block()) is not None:
            rest.append(block)
    assert stream.status == 200 and beats >= 2
    assert len(rest) > 2 and rest[-1] == "data: [DONE]"
    assert len({turn.account for turn in sim.turns()}) == 2


@pytest.mark.parametrize("path", MAKERS)
def test_failure_behind_a_heartbeat_is_told_in_the_stream(sim, start_relay, path):
    relay = start_relay(slots=1, config={**EAGER, "requestTimeoutSeconds": 2})
    sim.script("*", {"stall": "before_head"})
    reply = ask(relay, path, "hello", stream=True)
    assert reply.status == 200 and reply.cut and reply.body.startswith(b": keepalive\n\n")
    assert b"upstream_timeout" in reply.body and b"[DONE]" not in reply.body


def test_failover_behind_the_hold_while_the_client_has_seen_comments_only(sim, start_relay):
    relay = start_relay(config={"streamHoldSeconds": 0.1})
    sim.script("*", {"fail_after_events": 2, "pace_ms": 400,
                     "failure": {"code": "server_is_overloaded", "message": "too much"}})
    reply = relay.chat("say exactly: second", stream=True)
    assert reply.status == 200 and not reply.cut and relaylib.chat_text(reply) == "second"
    assert reply.body.startswith(b": keepalive\n\n") and len(sim.turns()) == 2


@pytest.mark.parametrize("path", MAKERS)
def test_failure_within_a_thought(sim, relay, path):
    """In chat nothing of it was shown yet, so another slot answers; Responses clients saw its events."""
    sim.script("*", {"directive": "think, then say exactly: lost", "fail_after_events": 3,
                     "failure": {"code": "server_is_overloaded", "message": "too much"}})
    reply = ask(relay, path, "say exactly: found", stream=True)
    assert reply.status == 200
    if path == RESPONSES:
        assert reply.cut and responses_events(reply)[-1]["type"] == "response.failed"
        assert len(sim.turns()) == 1
    else:
        text = relaylib.chat_text(reply) if path == CHAT else completion_text(reply)
        assert not reply.cut and text == "found" and len(sim.turns()) == 2


def test_failure_behind_the_first_word_of_a_thought(sim, relay):
    sim.script("*", {"directive": "think, then say exactly: lost", "fail_after_events": 6,
                     "failure": {"code": "server_is_overloaded", "message": "too much"}})
    reply = relay.chat("say exactly: found", stream=True)
    assert reply.cut and "error" in chunks_of(reply)[-1] and len(sim.turns()) == 1


def test_whole_answers_get_no_heartbeat(sim, start_relay):
    relay = start_relay(slots=1, config={**EAGER, "requestTimeoutSeconds": 2})
    sim.script("*", {"stall": "before_head"})
    reply = relay.chat("hello")
    assert reply.status == 504 and reply.json["error"]["code"] == "upstream_timeout"


def test_codex_gets_no_head_before_upstream_has_one(sim, start_relay):
    relay = start_relay(slots=1, config={**EAGER, "requestTimeoutSeconds": 2})
    sim.script("*", {"stall": "before_head"})
    assert relay.native("hello", stream=True).status == 504
