"""Streams while they run: clients that leave or do not read, silence, events of all kinds."""
import json
import os
import re

import pytest

from relaylib import (NATIVE, chat_text, in_parallel, native_body, release_binary, responses_body,
                      responses_events, responses_text)
from simlib import Background

MIB = 1 << 20
STALLED = {"stall_after_events": 2}  # nothing but created and in_progress
IN_TEXT = {"stall_after_events": 6, "directive": "count to 9"}


def only_turn(sim):
    turns = sim.turns()
    assert len(turns) == 1
    return turns[0]


def assert_slot_is_as_before(relay):
    health = relay.health()
    assert health["busy"] == [] and health["inflight"] == 0
    relay.stop()
    for record in relay.records().values():
        state = record["runtime"]
        assert state["cooldownUntil"] is None
        assert state["consecutiveFailures"] == 0 and state["lastError"] is None


# --- Clients that leave

LEAVING = {
    "before-head": {"stall": "before_head"},
    "held": STALLED,
    "in-text": IN_TEXT,
}


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("when", LEAVING)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("path", ["/v1/responses", "/v1/chat/completions"],
                         ids=["responses", "chat"])
@pytest.mark.alone
def test_client_gone_cancels_upstream_at_once(sim, relay, path, stream, when, how):
    sim.script("*", LEAVING[when])
    body = {"model": "gpt-5.5", "stream": stream}
    body["input" if path == "/v1/responses" else "messages"] = [{"role": "user", "content": "hi"}]
    events = LEAVING[when].get("stall_after_events", 0)
    with relay.wire() as wire:
        wire.send_request("POST", path, body)
        sim.wait(f"requests>=1,events>={events}", path="/codex/responses")
        if stream and when == "in-text":
            wire.read_until(b"\n\n")
        assert relay.health()["busy"] == ["slot-1"]
        clock = Stopwatch(sim)
        wire.close() if how == "close" else wire.reset()
        sim.wait("gone>=1", path="/codex/responses")
    assert clock.passed_ms() < 100
    assert only_turn(sim).client_gone
    finish = relay.wait_for("request.finish", lambda l: l["status"] == 499)
    assert finish["slot_id"] == "slot-1"
    assert not relay.log("attempt.failed")
    assert_slot_is_as_before(relay)


class Stopwatch:
    """Time from now to the end of the only turn, by the simulator's own clock."""

    def __init__(self, sim):
        self.sim = sim
        self.turn = only_turn(sim)
        self.started = sim.control("GET", "clock")["now_ms"]

    def passed_ms(self):
        turn = only_turn(self.sim)
        return turn.time_ms + turn.end_after_ms - self.started


def test_client_gone_while_waiting_for_a_slot(sim, start_relay):
    relay = start_relay(slots=1, config={"slotConcurrency": 1})
    sim.script("*", STALLED)
    first = relay.stream("first")
    sim.wait("requests>=1", path="/codex/responses")
    second = relay.wire().send_request("POST", "/v1/responses", responses_body("second"))
    relay.wait_for("request.start", since=1, predicate=lambda l: len(relay.log("request.start")) == 2)
    second.close()
    relay.wait_for("request.finish", lambda l: l["status"] == 499)
    first.close()
    relay.wait_for("request.finish", lambda l: len(relay.log("request.finish")) == 2)
    assert len(sim.turns()) == 1, "the one that left never went upstream"
    assert relay.responses("third").status == 200


def test_many_clients_leave(sim, start_relay):
    relay = start_relay(config={"slotConcurrency": 100})
    sim.script("*", {**STALLED, "repeat": -1})
    streams = [relay.stream(f"stream {n}") for n in range(60)]
    sim.wait("active>=60", path="/codex/responses")
    for stream in streams:
        stream.reset()
    sim.wait("gone>=60,active==0", path="/codex/responses")
    relay.wait_for("request.finish", lambda l: len(relay.log("request.finish")) == 60)
    sim.clear_scripts("*")
    assert_slot_is_as_before(relay)


def test_clients_leave_while_upstream_is_being_connected(sim, relay):
    """Half-open sockets: none may be left, nor its watch in the loop (seen when the relay ends)."""
    relay.responses("warm up")
    for number in range(30):
        relay.wire().send_request("POST", "/v1/responses", responses_body(f"{number}")).reset()
        relay.wire().send_request("POST", "/v1/responses", native_body(f"{number}")).close()
        relay.wire().send("nonsense\r\n\r\n").close()
    assert in_parallel([lambda n=n: relay.responses(f"hello {n}").status for n in range(20)]) == [
        200] * 20
    relay.wait_for("request.finish", lambda l: relay.health()["inflight"] == 0)
    descriptors = os.listdir(f"/proc/{relay.pid}/fd")
    sockets_to_upstream = 24  # as many as were needed at once are kept for the next ones
    assert len(descriptors) < 40 + sockets_to_upstream


# --- A stop sequence: the client has all that it asked for

@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_stop_sequence_ends_the_answer_and_upstream(sim, relay, stream):
    reply = relay.chat("count to 100000 every 5ms", stream=stream, stop=["7"])
    sim.wait("gone==1,active==0", path="/codex/responses")
    assert reply.status == 200
    assert chat_text(reply).split() == ["1", "2", "3", "4", "5", "6"]
    assert b'"finish_reason":"stop"' in reply.body
    assert stream == reply.body.endswith(b"data: [DONE]\n\n")
    assert only_turn(sim).client_gone
    assert relay.finish_of(reply)["status"] == 200
    assert not relay.log("attempt.failed")
    assert_slot_is_as_before(relay)


def test_connection_is_used_again_behind_a_stop_sequence(sim, relay):
    body = {"model": "gpt-5.5", "stream": True, "stop": "3",
            "messages": [{"role": "user", "content": "count to 100000 every 5ms"}]}
    with relay.wire() as wire:
        for _ in range(2):
            wire.send_request("POST", "/v1/chat/completions", body)
            reply = wire.read_reply()
            assert chat_text(reply).split() == ["1", "2"]
    sim.wait("gone==2,active==0", path="/codex/responses")


# --- Clients that read slowly

needs_release = pytest.mark.skipif(
    not release_binary(), reason="no binary without sanitizers was built")


def warm_up(relay):
    """Fills what grows with the first requests only: the journal, the pools."""
    for number in range(250):
        assert relay.responses(f"warm up {number}", store=False).status == 200


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/chat/completions"],
                         ids=["responses", "chat"])
@needs_release
@pytest.mark.alone
def test_client_that_reads_nothing_of_100_mb(sim, start_relay, path):
    relay = start_relay(binary=release_binary())
    relay.stream("big 200k", path=path).read_to()
    warm_up(relay)
    base = relay.rss_kib()
    slow = relay.stream("big 100m", path=path, receive_buffer=4096)
    assert slow.wait_head() == 200
    # The simulator stops because nobody reads: its log stands still while others are served.
    seen, sent = None, 0
    while seen != sent:
        seen = sent
        for number in range(10):
            assert relay.responses(f"hello {number}", store=False).status == 200
        turns = [t for t in sim.requests(path="/codex/responses", bodies=False) if t.active]
        sent = turns[0].sent_bytes
    assert sent < 64 * MIB, "upstream is paused; what is under way is in the kernel's buffers"
    assert relay.rss_kib() - base < 2048
    slow.close()
    sim.wait("gone>=1", path="/codex/responses")
    relay.wait_for("request.finish", lambda l: l["status"] == 499)


def test_slow_reader_gets_everything(sim, relay):
    stream = relay.stream("big 4m", receive_buffer=4096)
    assert stream.wait_head() == 200
    for number in range(5):
        assert relay.responses(f"meanwhile {number}").status == 200
    events = stream.read_to("response.completed")
    text = "".join(e["delta"] for e in events if e["type"] == "response.output_text.delta")
    assert len(text) == 4 * MIB
    assert events[-1]["type"] == "response.completed"


# --- Silence

def test_head_is_held_back_for_a_while_only(sim, start_relay):
    relay = start_relay(config={"streamHoldSeconds": 0.3, "heartbeatSeconds": 1})
    sim.script("*", {**STALLED, "repeat": -1})
    with relay.stream("hello") as stream:
        assert stream.wait_head() == 200
        assert stream.headers["content-type"].startswith("text/event-stream")
        first = stream.next_block()
        assert "response.created" in first or first.startswith(":")
        while not (block := stream.next_block()).startswith(":"):
            assert block is not None
    with relay.stream("hello", path="/v1/chat/completions") as stream:
        assert stream.wait_head() == 200
        while not (block := stream.next_block()).startswith(":"):
            assert block is not None
    with relay.stream(body=native_body("hello"), headers=NATIVE) as stream:
        kinds = [stream.next_event()["type"] for _ in range(3)]
        assert kinds == ["response.created", "response.in_progress", "keepalive"], \
            "comments do not keep a Codex client waiting: an event does"


def test_heartbeats_go_on(sim, start_relay):
    relay = start_relay(config={"streamHoldSeconds": 0, "heartbeatSeconds": 1})
    sim.script("*", IN_TEXT)
    with relay.stream("hello") as stream:
        comments = 0
        while comments < 2:
            comments += stream.next_block().startswith(":")


def test_no_commit_while_held_so_a_late_failure_is_a_status(sim, start_relay):
    relay = start_relay(slots=1, config={"streamHoldSeconds": 30, "retry": {"maxAttempts": 1}})
    sim.script("*", {"fail_after_events": 2, "pace_ms": 300,
                     "failure": {"code": "server_is_overloaded", "message": "too much"}})
    assert relay.responses("hello", stream=True).status == 503


def test_failure_after_the_hold_is_told_in_the_stream(sim, start_relay):
    relay = start_relay(config={"streamHoldSeconds": 0.1})
    sim.script("*", {"fail_after_events": 2, "pace_ms": 400,
                     "failure": {"code": "server_is_overloaded", "message": "too much"}})
    reply = relay.responses("hello", stream=True)
    assert reply.status == 200 and reply.cut
    assert responses_events(reply)[-1]["type"] == "response.failed"
    assert len(sim.turns()) == 1


SILENCES = {
    "before-head": {"stall": "before_head"},
    "after-head": {"stall": "after_head"},
    "behind-preamble": STALLED,
}


def test_silent_upstream_is_left_after_the_timeout(sim, start_relay):
    relay = start_relay(config={"requestTimeoutSeconds": 1})
    for script in SILENCES.values():
        sim.script("*", script)

    def ask(name, stream):
        reply = relay.responses(f"say exactly: {name}", stream=stream)
        assert (reply.status, responses_text(reply)) == (200, name)

    in_parallel([lambda n=n: ask(f"number {n}", n % 2 == 0) for n in range(3)])
    sim.wait("gone==3", path="/codex/responses")
    assert [l["class"] for l in relay.log("attempt.failed")] == ["idle"] * 3
    assert_slot_is_unpunished(relay)


def assert_slot_is_unpunished(relay):
    relay.stop()
    assert all(r["runtime"]["cooldownUntil"] is None for r in relay.records().values())


def test_silent_twice_is_504_and_committed_is_told_in_the_stream(sim, start_relay):
    relay = start_relay(config={"requestTimeoutSeconds": 1})
    sim.script("*", {**STALLED, "repeat": 2, "match": "whole"})
    sim.script("*", {**IN_TEXT, "match": "streamed"})
    whole, streamed = in_parallel([
        lambda: relay.responses("whole"), lambda: relay.responses("streamed", stream=True)])
    assert whole.status == 504 and whole.json["error"]["code"] == "upstream_timeout"
    assert streamed.status == 200 and streamed.cut
    assert responses_events(streamed)[-1]["type"] == "response.failed"
    assert len(sim.turns()) == 3


# --- Events

@pytest.mark.parametrize("size", [1 * MIB, 12 * MIB])
def test_huge_event_passes(sim, relay, size):
    for stream in (False, True):
        sim.script("*", {"huge_event_bytes": size})
        reply = relay.responses("hello", stream=stream)
        assert reply.status == 200 and not reply.cut
        assert len(responses_text(reply)) >= size


@pytest.mark.parametrize("native", [False, True], ids=["sdk", "codex"])
def test_first_events_that_repeat_large_instructions_pass(sim, relay, native):
    """More than is held back before the first output."""
    text = "i" * 1500000
    if native:
        sim.script("*", {"events": [
            {"type": "response.created", "response": {"id": "resp_1", "instructions": text}},
            {"type": "response.output_text.delta", "delta": "hello"},
            {"type": "response.completed", "response": {"id": "resp_1", "output": []}}]})
        reply = relay.post("/v1/responses", native_body("hello"), headers=NATIVE)
    else:
        reply = relay.post("/v1/responses", responses_body("hello", instructions=text, stream=True))
    assert reply.status == 200, reply.text[:300]
    events = responses_events(reply)
    assert events[0]["type"] == "response.created"
    assert events[0]["response"]["instructions"] == text
    assert events[-1]["type"] == "response.completed"
    assert responses_text(reply) == "hello"


def test_event_over_the_limit_is_a_failure(sim, relay):
    sim.script("*", {"huge_event_bytes": 17 * MIB, "repeat": 2})
    reply = relay.responses("hello")
    assert (reply.status, reply.json["error"]["code"]) == (502, "upstream_protocol")
    assert relay.responses("and now").status == 200


def test_private_events_are_for_codex_only(sim, relay):
    def types(reply):
        assert reply.status == 200
        return {e["type"] for e in responses_events(reply)}

    sim.script("*", {"private_events": True, "repeat": 3})
    generic = types(relay.responses("hello", stream=True))
    native = types(relay.native("hello"))
    private = {t for t in native if t.startswith("codex.") or t == "keepalive"}
    assert "codex.rate_limits" in private
    assert generic == native - private
    chat = relay.chat("hello", stream=True)
    assert chat.status == 200 and b"codex." not in chat.body


def test_native_stream_passes_byte_for_byte(sim, relay):
    client = sim.client(1)
    sim.script("*", {"events": [
        {"type": "response.created", "response": {"id": "resp_1"}},
        'event: response.brand_new\r\ndata: {"type":"response.brand_new",  "x":[1, 2]}\r\n\r\n',
        ": a comment\n\n",
        {"type": "response.completed", "response": {"id": "resp_1", "output": []}},
    ], "repeat": 2})
    direct = client.turn("hello")
    relayed = relay.native("hello")
    assert [e for e in responses_events(relayed)] == [e for e in responses_events(direct)]
    assert b'{"type":"response.brand_new",  "x":[1, 2]}' in relayed.body


def test_terminal_output_is_rebuilt_when_upstream_leaves_it_out(sim, relay):
    texts = {}
    for full in (True, False):
        sim.script("*", {"output_in_terminal": full, "repeat": 2})
        for stream in (True, False):
            reply = relay.responses("think and say exactly: rebuilt", stream=stream)
            final = responses_events(reply)[-1]["response"] if stream else reply.json
            texts[full, stream] = [
                (item["type"], item.get("content")) for item in final["output"]]
    first = texts[True, True]
    assert [kind for kind, _ in first] == ["reasoning", "message"]
    assert all(value == first for value in texts.values())


@pytest.mark.parametrize("usage", [None, {"input_tokens": 7, "output_tokens": 3,
                                          "total_tokens": 10}])
def test_usage_without_details_is_filled_in(sim, relay, usage):
    sim.script("*", {"usage": usage})
    told = relay.responses("hello").json["usage"]
    if usage is None:
        assert told is None or told["total_tokens"] >= 0
    else:
        assert (told["input_tokens"], told["output_tokens"], told["total_tokens"]) == (7, 3, 10)
        assert told["input_tokens_details"]["cached_tokens"] == 0
        assert told["output_tokens_details"]["reasoning_tokens"] == 0


# --- Headers

HEADER = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


def assert_headers(reply, slot):
    assert reply.headers["x-relay-version"]
    assert HEADER.match(reply.headers["x-relay-request-id"])
    assert reply.headers.get("x-relay-slot-id") == slot


def test_relay_headers_on_every_answer(sim, relay):
    assert_headers(relay.get("/healthz"), None)
    assert_headers(relay.get("/nowhere"), None)
    assert_headers(relay.post("/v1/responses", b"{"), None)
    assert_headers(relay.responses("hi", model="relay-selftest"), None)
    for ask in (relay.responses, relay.chat, relay.native):
        for members in ({}, {"stream": True}):
            reply = ask("hello", headers={"session-id": "one"}, **members)
            assert reply.status == 200
            assert_headers(reply, "slot-1")
    sim.script("*", {"status": 400, "body": {"error": {"message": "no", "code": "x"}}})
    assert_headers(relay.responses("hello", headers={"session-id": "one"}), "slot-1")


def test_native_client_gets_its_limit_headers_and_others_do_not(sim, relay):
    native = relay.native("hello")
    assert "x-codex-primary-used-percent" in native.headers
    for reply in (relay.responses("hello"), relay.chat("hello")):
        assert not [name for name in reply.headers if name.startswith("x-codex-")]


def test_streams_are_not_compressed_and_not_cached(sim, relay):
    reply = relay.responses("hello", stream=True, headers={"Accept-Encoding": "gzip, br"})
    assert "content-encoding" not in reply.headers
    assert reply.headers["cache-control"] == "no-cache"


def test_events_come_as_they_happen(sim, relay):
    """The second delta is made only when the client has seen the first one."""
    sim.script("*", IN_TEXT)
    with relay.stream("hello") as stream:
        events = stream.read_to("response.output_text.delta")
        assert events[-1]["delta"].strip() == "1"
        assert only_turn(sim).active


def test_parallel_streams_do_not_mix(sim, relay):
    def ask(number):
        return relay.responses(f"count to {number} every 2ms", stream=True)

    replies = in_parallel([lambda n=n: ask(n) for n in range(10, 34)])
    for number, reply in zip(range(10, 34), replies):
        assert responses_text(reply) == " ".join(str(n) for n in range(1, number + 1))


def test_stream_outlives_a_reset_of_another_client(sim, relay):
    other = Background(lambda: relay.responses("count to 50 every 10ms", stream=True))
    sim.wait("events>=3", path="/codex/responses")
    with relay.stream("count to 50 every 10ms") as leaver:
        leaver.wait_head()
        leaver.reset()
    assert len(responses_text(other.result()).split()) == 50
    assert json.loads(relay.get("/healthz").body)["ok"] is True
