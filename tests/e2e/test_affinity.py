"""Which slot serves a conversation, and what upstream is told about the client."""
import uuid

import pytest

from relaylib import NATIVE, chat_body, native_body, responses_body
from simlib import assistant, user


def slots_of(replies):
    replies = list(replies)
    assert all(r.status == 200 for r in replies)
    return [r.headers["x-relay-slot-id"] for r in replies]


SESSIONS = {
    "x-openclaw-session-key": lambda r, key, text: r.chat(
        text, headers={"x-openclaw-session-key": key}),
    "session-id": lambda r, key, text: r.responses(text, headers={"session-id": key}),
    "session_id": lambda r, key, text: r.responses(text, headers={"session_id": key}),
    "prompt_cache_key": lambda r, key, text: r.responses(text, prompt_cache_key=key),
    "chat prompt_cache_key": lambda r, key, text: r.chat(text, prompt_cache_key=key),
    "native": lambda r, key, text: r.native(
        text, headers={"session-id": key}, prompt_cache_key=key),
}


@pytest.mark.parametrize("name", SESSIONS)
def test_session_stays_on_its_slot_and_others_spread(even_relay, name):
    relay = even_relay
    ask = SESSIONS[name]
    first = slots_of(ask(relay, f"session-{n}", f"hello {n}") for n in range(3))
    assert sorted(first) == ["slot-1", "slot-2", "slot-3"]
    for turn in range(3):
        # Backwards: by the policy alone they would go elsewhere.
        again = [ask(relay, f"session-{n}", f"{turn} more {n}") for n in (2, 1, 0)]
        assert slots_of(again) == first[::-1]
        assert all(relay.lines_of(r, "slot.selection")[0]["reason"] == "session" for r in again)


def test_conversation_without_a_name_stays_on_its_slot(sim, even_relay):
    relay = even_relay
    def conversation(number, turns):
        items = [user(f"conversation {number}")]
        for turn in range(turns):
            items += [assistant(f"answer {turn}"), user(f"question {turn}")]
        return items

    first = slots_of(relay.responses(conversation(n, 0)) for n in range(3))
    assert sorted(first) == ["slot-1", "slot-2", "slot-3"]
    for turns in range(1, 4):
        again = slots_of(relay.responses(conversation(n, turns)) for n in (2, 1, 0))
        assert again == first[::-1]
    keys = {turn.json["prompt_cache_key"] for turn in sim.turns()}
    assert len(keys) == 3
    for key in keys:
        uuid.UUID(key)


def test_chat_conversation_without_a_name_stays_on_its_slot(even_relay):
    relay = even_relay
    def messages(number, turns):
        start = [{"role": "system", "content": "be nice"},
                 {"role": "user", "content": f"conversation {number}"}]
        return start + [{"role": role, "content": f"{turn}"} for turn in range(turns)
                        for role in ("assistant", "user")]

    def ask(number, turns):
        return relay.post("/v1/chat/completions",
                          {"model": "gpt-5.5", "messages": messages(number, turns)})

    first = slots_of(ask(n, 0) for n in range(3))
    assert sorted(first) == ["slot-1", "slot-2", "slot-3"]
    assert slots_of(ask(n, 2) for n in (2, 1, 0)) == first[::-1]


def test_session_moves_when_its_slot_runs_dry_and_stays_there(sim, relay):
    def ask(text):
        return relay.responses(text, headers={"session-id": "one"}).headers["x-relay-slot-id"]

    assert ask("one") == "slot-1"
    sim.set_account(1, primary={"used_percent": 100, "reset_in_seconds": 1000})
    moved = ask("two")
    assert moved != "slot-1"
    assert [ask(text) for text in ("three", "four")] == [moved] * 2


# --- What upstream sees

PRIVATE = {
    "x-api-key": "client-key",
    "Cookie": "a=b",
    "Forwarded": "for=1.2.3.4",
    "X-Forwarded-For": "1.2.3.4",
    "X-Real-IP": "1.2.3.4",
    "CF-Connecting-IP": "1.2.3.4",
    "chatgpt-account-id": "somebody-else",
    "X-OpenClaw-Session-Key": "claw",
    "X-OpenClaw-Other": "claw",
    "Accept-Encoding": "gzip",
    "Connection": "keep-alive, X-Hop",
    "X-Hop": "hop",
    "TE": "trailers",
    "Proxy-Authorization": "Basic eA==",
    "OpenAI-Organization": "org-1",
    "X-Unheard-Of": "secret",
}
NEVER = ["x-api-key", "cookie", "forwarded", "x-forwarded-for", "x-real-ip", "cf-connecting-ip",
         "x-openclaw-session-key", "x-openclaw-other", "accept-encoding", "x-hop", "te",
         "proxy-authorization", "openai-organization"]


@pytest.mark.parametrize("native", [False, True], ids=["sdk", "native"])
def test_private_headers_are_not_forwarded(sim, relay, native):
    body = native_body("hello") if native else responses_body("hello")
    with relay.wire() as wire:
        wire.send_request("POST", "/v1/responses", body, {**PRIVATE, **(NATIVE if native else {})})
        assert wire.read_reply().status == 200
    turn = sim.turns()[0]
    for name in NEVER + ([] if native else ["x-unheard-of"]):
        assert turn.header(name) is None, name
    assert turn.header("host") == sim.address
    assert turn.header("chatgpt-account-id") == sim.auth_profiles(1)["profiles"][
        "openai-codex:default"]["accountId"]
    names = [name.lower() for name, _ in turn.headers]
    assert len(names) == len(set(names)), "no header twice"


@pytest.mark.parametrize("ask", [lambda r: r.responses("hi"), lambda r: r.chat("hi"),
                                 lambda r: r.chat("hi", headers={"User-Agent": "OpenAI/JS 4"})])
def test_identity_is_honest(sim, relay, ask):
    version = ask(relay).headers["x-relay-version"]
    turn = sim.turns()[0]
    assert turn.header("originator") == "codex_slot_relay"
    assert turn.header("user-agent") == f"codex-slot-relay/{version}"
    assert turn.header("accept") == "text/event-stream"
    assert turn.header("content-type") == "application/json"


def test_identity_is_configurable(sim, start_relay):
    relay = start_relay(config={"upstream": {"originator": "mine", "userAgent": "me/1"}})
    assert relay.responses("hi").status == 200
    turn = sim.turns()[0]
    assert (turn.header("originator"), turn.header("user-agent")) == ("mine", "me/1")


def test_native_headers_pass(sim, relay):
    headers = {"version": "0.99.0", "session-id": "thread-1", "x-client-request-id": "thread-1",
               "x-codex-beta-features": "a,b", "x-codex-turn-metadata": '{"a":1}'}
    assert relay.native("hello", headers=headers).status == 200
    turn = sim.turns()[0]
    for name, value in {**headers, **NATIVE}.items():
        assert turn.header(name) == value


def test_session_and_cache_key_go_upstream(sim, relay):
    reply = relay.chat("hello", headers={"x-openclaw-session-key": "agent:main:1"})
    turn = sim.turns()[0]
    assert turn.json["prompt_cache_key"] == "agent:main:1"
    assert turn.header("session_id") == "agent:main:1"
    assert turn.header("x-request-id") == reply.headers["x-relay-request-id"]
    relay.responses("hello", prompt_cache_key="mine")
    turn = sim.turns()[1]
    assert turn.json["prompt_cache_key"] == turn.header("session_id") == "mine"


def test_derived_key_is_sent_in_both_places(sim, relay):
    for ask in (relay.responses, relay.chat):
        ask("hello", headers={})
    for turn in sim.turns():
        assert turn.json["prompt_cache_key"] == turn.header("session_id")


def test_native_body_passes_byte_for_byte(sim, relay):
    body = (b'{ "model":"gpt-5.5", "stream":true,"store":false, "instructions":"",\n'
            b' "include":["reasoning.encrypted_content"], "x_new" : [1,2.50,1e3,"\\u00fc"],'
            b' "input":[{"type":"message","role":"user","content":'
            b'[{"type":"input_text","text":"hi"}]}]}')
    sim.script("*", {"skip_checks": True, "events": [
        {"type": "response.created", "response": {"id": "resp_1"}},
        {"type": "response.completed", "response": {"id": "resp_1", "output": []}}]})
    assert relay.post("/v1/responses", body, NATIVE).status == 200
    assert sim.turns()[0].body.encode() == body


def test_tools_and_input_keep_their_bytes(sim, relay):
    tools = b'[ {"type":"function", "name":"f",  "parameters":{"type":"object","properties":{}}} ]'
    items = b'[ {"type":"message","role":"user","content":[{"type":"input_text","text":"\\u00fc"}]}]'
    body = b'{"model":"gpt-5.5","temperature":1,"tools":%s,"input":%s}' % (tools, items)
    assert relay.post("/v1/responses", body).status == 200
    sent = sim.turns()[0].body.encode()
    assert tools in sent and items in sent
    assert b"temperature" not in sent


def test_turn_state_is_echoed_to_its_slot_only(sim, relay):
    sim.script(1, {"headers": {"x-codex-turn-state": "state-1"}})
    first = relay.native("hello", headers={"session-id": "t"})
    assert first.headers["x-codex-turn-state"] == "state-1"
    again = {"session-id": "t", "x-codex-turn-state": "state-1"}
    assert relay.native("hello", headers=again).headers["x-relay-slot-id"] == "slot-1"
    assert sim.turns()[1].header("x-codex-turn-state") == "state-1"
    sim.set_account(1, primary={"used_percent": 100, "reset_in_seconds": 1000})
    moved = relay.native("hello", headers=again)
    assert moved.status == 200 and moved.headers["x-relay-slot-id"] != "slot-1"
    assert sim.turns()[-1].header("x-codex-turn-state") is None


def test_unsupported_parameters_are_left_out(sim, relay):
    extra = {"temperature": 0.5, "top_p": 1, "max_output_tokens": 5, "user": "u",
             "metadata": {"a": "b"}, "truncation": "auto", "store": True,
             "safety_identifier": "s"}
    assert relay.responses("hello", **extra).status == 200
    body = sim.turns()[0].json
    assert not set(extra) - {"store"} & set(body)
    assert body["store"] is False and body["stream"] is True and body["instructions"] == ""
    assert relay.post("/v1/chat/completions", chat_body(
        "hello", temperature=0.5, max_tokens=5, n=1, seed=1, user="u")).status == 200
