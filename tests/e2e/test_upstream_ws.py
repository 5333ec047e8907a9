"""Turns over WebSockets to upstream: which go there, increments, failures at each stage, fallback."""
import json
import signal
import time

import pytest

import relaylib
import simlib
import wslib
from relaylib import NATIVE, QUIET, Relay, in_parallel, merge, native_body
from simlib import Sim, user

PATH = "/v1/responses"
AUTH = {"authorization": "Bearer " + relaylib.TOKEN}
CONFIG = json.loads(json.dumps(QUIET))
merge(CONFIG, {"upstream": {"transport": "auto"}})
ALL_SOCKETS = merge(json.loads(json.dumps(CONFIG)), {"upstream": {"transport": "websocket"}})

needs_release = pytest.mark.skipif(
    not relaylib.release_binary(), reason="no binary without sanitizers was built")


@pytest.fixture
def pair():
    with Sim("--accounts", "3") as sim, Relay(sim, slots=3, config=CONFIG) as relay:
        yield sim, relay


@pytest.fixture
def sim(pair):
    return pair[0]


@pytest.fixture
def relay(pair):
    return pair[1]


def codex(relay, session="s-1", **headers):
    return wslib.WebSocket(relay.address, PATH, {
        **AUTH, **NATIVE, **wslib.BETA, "session-id": session, **headers})


def ask(ws, text="hello", /, **members):
    ws.create(**native_body(text, **members))
    return ws.read_turn()


def go_on(ws, before, text):
    return ask(ws, input=[user(text)], previous_response_id=wslib.id_of(before))


def frames(sim, account=None):
    """(method, body) of the turns that came."""
    return [(t.method, json.loads(t.record["body"])) for t in sim.turns(account)]


def upgrades(sim):
    return [r.status for r in sim.requests(path="/codex/responses") if r.method == "GET"]


def slot_of(sim):
    """The account that had the last turn."""
    return sim.turns()[-1].record["account"]


def reload(relay):
    mark = relay.mark()
    relay.signal(signal.SIGHUP)
    relay.wait_for("config.reload", lambda line: line["file"] == "config/relay.json", mark)


def told(relay, event):
    """The log's lines of this event. Those of a turn may come behind its answer: a line that was asked
    for stands behind them."""
    reload(relay)
    return relay.log(event)


# --- increments

def test_a_conversation_is_sent_once(sim, relay):
    with codex(relay) as ws:
        first = ask(ws, "one")
        second = go_on(ws, first, "two")
        third = go_on(ws, second, "three")
        assert wslib.text_of(third) == "three"
    sent = frames(sim)
    assert upgrades(sim) == [101]
    assert [m for m, _ in sent] == ["WS"] * 3
    assert [len(b["input"]) for _, b in sent] == [1, 1, 1]
    assert "previous_response_id" not in sent[0][1]
    assert sent[1][1]["previous_response_id"] == wslib.id_of(first)
    assert sent[2][1]["previous_response_id"] == wslib.id_of(second)
    assert all("stream" not in b for _, b in sent)


def test_another_request_is_sent_whole(sim, relay):
    with codex(relay) as ws:
        first = ask(ws, "one")
        ask(ws, input=[user("two")], previous_response_id=wslib.id_of(first),
            reasoning={"effort": "low"})
    method, body = frames(sim)[-1]
    assert method == "WS" and "previous_response_id" not in body
    assert body["input"] == [user("one"), *wslib.items_of(first), user("two")]


def test_sessions_have_sockets_of_their_own(sim, relay):
    def talk(number):
        with codex(relay, f"s-{number}") as ws:
            first = ask(ws, f"a{number}")
            assert wslib.text_of(go_on(ws, first, f"b{number}")) == f"b{number}"

    in_parallel([lambda n=n: talk(n) for n in range(25)])
    assert len(sim.turns()) == 50


def test_other_clients_go_by_http(sim, relay):
    reply = relay.post(PATH, native_body("hello"), headers={**AUTH, **NATIVE, "session-id": "x"})
    assert reply.status == 200
    assert [m for m, _ in frames(sim)] == ["POST"]


# --- the slot

def test_an_exhausted_slot_does_not_end_the_conversation(sim, relay):
    with codex(relay) as ws:
        first = ask(ws, "one")
        used = slot_of(sim)
        sim.set_account(used, primary={"used_percent": 100, "reset_in_seconds": 600})
        second = go_on(ws, first, "two")
        assert wslib.text_of(second) == "two"
        assert slot_of(sim) != used
        third = go_on(ws, second, "three")
        assert wslib.text_of(third) == "three"
    sent = frames(sim)
    # Refused by the one, asked whole of the other, which gets new items only from then on.
    assert [(m, "previous_response_id" in b) for m, b in sent] == [
        ("WS", False), ("WS", True), ("WS", False), ("WS", True)]
    assert sent[2][1]["input"] == [user("one"), *wslib.items_of(first), user("two")]
    assert sent[3][1]["previous_response_id"] == wslib.id_of(second)


# --- sockets that fail

@pytest.mark.parametrize("script", [
    {"close_code": 1009}, {"close_code": 1011}, {"cut_after_events": 0}, {"reset": True},
    {"before_events": [{"type": "responsesapi.websocket_timing"}, {"type": "codex.rate_limits"}],
     "close_code": 1011},
    {"status": 400, "body": {"error": {"code": "websocket_connection_limit_reached"}}},
    {"status": 400, "body": {"error": {"code": "previous_response_not_found"}}},
])
def test_a_socket_that_fails_before_the_first_event_is_nobodys_fault(sim, relay, script):
    with codex(relay) as ws:
        first = ask(ws, "one")
        used = slot_of(sim)
        sim.script(used, script)
        second = go_on(ws, first, "two")
        assert wslib.text_of(second) == "two"
        assert slot_of(sim) == used
        assert wslib.text_of(go_on(ws, second, "three")) == "three"
    assert not told(relay, "attempt.failed")


def test_a_socket_is_left_before_upstream_ends_it(sim, relay):
    with codex(relay) as ws:
        first = ask(ws, "one")
        sim.advance(3601)
        assert wslib.text_of(go_on(ws, first, "two")) == "two"


def test_an_error_frame_is_the_slots(sim, relay):
    with codex(relay) as ws:
        first = ask(ws, "one")
        used = slot_of(sim)
        sim.script(used, {"status": 503, "body": {"error": {"code": "server_is_overloaded",
                                                            "message": "busy"}}})
        assert wslib.text_of(go_on(ws, first, "two")) == "two"
        assert slot_of(sim) != used
    assert [line["code"] for line in told(relay, "attempt.failed")] == ["server_is_overloaded"]


# --- hosts that take none

@pytest.mark.parametrize("status", [426, 404, 405])
def test_a_refused_upgrade_is_remembered(sim, relay, status):
    sim.script("*", {"on_upgrade": True, "status": status, "body": {"detail": "no"}})
    with codex(relay) as ws:
        first = ask(ws, "one")
        assert wslib.text_of(go_on(ws, first, "two")) == "two"
    assert upgrades(sim) == [status]
    assert [m for m, _ in frames(sim)] == ["POST", "POST"]


def test_a_black_hole_costs_one_turn_two_seconds(sim, relay):
    sim.script("*", *[{"on_upgrade": True, "stall": True}] * 9)

    def timed(number):
        with codex(relay, f"s-{number}") as ws:
            start = time.monotonic()
            first = ask(ws, "one")
            middle = time.monotonic()
            go_on(ws, first, "two")
            return middle - start, time.monotonic() - middle

    times = in_parallel([lambda n=n: timed(n) for n in range(5)])
    slow = [first for first, _ in times if first > 1]
    assert len(slow) == 1 and slow[0] < 4
    assert all(later < 1 for _, later in times)
    assert len(upgrades(sim)) <= 1


def test_a_black_hole_is_known_also_when_nobody_waits_for_it(sim, relay):
    sim.script("*", {"on_upgrade": True, "stall": True})
    with codex(relay) as ws:
        ws.create(**native_body("one"))
        sim.wait("active==1")
        ws.drop()
    relay.wait_for("upstream.websocket")
    talk(relay, 1)
    assert [r.method for r in sim.requests(path="/codex/responses")] == ["GET", "POST"]


def test_a_socket_that_nobody_waits_for_serves_the_next_turn(sim, relay):
    sim.script("*", {"on_upgrade": True, "delay_ms": 300})
    with codex(relay) as ws:
        ws.create(**native_body("one"))
        sim.wait("active==1")
        ws.drop()
    relay.wait_for("request.finish", lambda line: line["status"] == 499)
    sim.wait("sockets==1")
    talk(relay, 1)
    assert upgrades(sim) == [101]
    assert [m for m, _ in frames(sim)] == ["WS"]


def test_a_refused_login_is_the_slots(sim, relay):
    sim.script(1, {"on_upgrade": True, "status": 429, "body": {"error": {
        "type": "usage_limit_reached", "message": "no", "resets_in_seconds": 600}}})
    sim.script(2, {"on_upgrade": True, "status": 429, "body": {"error": {
        "type": "usage_limit_reached", "message": "no", "resets_in_seconds": 600}}})
    with codex(relay) as ws:
        assert wslib.text_of(ask(ws, "one")) == "one"
    assert {m for m, _ in frames(sim)} == {"WS"}


# --- the life of a turn

def test_a_client_that_goes_ends_the_turn(sim, relay):
    with codex(relay) as ws:
        ws.create(**native_body("count to 100 every 100ms"))
        while ws.read_json()["type"] != "response.output_text.delta":
            pass
        ws.drop()
    sim.wait("gone==1,active==0")
    with codex(relay) as ws:
        assert wslib.text_of(ask(ws, "again")) == "again"


def test_a_cut_in_the_middle_is_told(sim, relay):
    sim.script("*", {"close_code": 1011, "cut_after_events": 12})
    with codex(relay) as ws:
        events = ask(ws, "count to 50")
        assert events[-1]["type"] in ("error", "response.failed")


def test_websocket_takes_http_clients_too(sim, relay):
    mark = relay.mark()
    relay.change_config({"upstream": {"transport": "websocket"}})
    relay.wait_for("config.reload", lambda line: line["file"] == "config/relay.json", mark)
    reply = relay.post(PATH, native_body("hello"), headers={**AUTH, **NATIVE, "session-id": "x"})
    assert reply.status == 200
    assert [m for m, _ in frames(sim)] == ["WS"]


# --- between turns

HARMLESS = [{"type": "responsesapi.websocket_timing", "timing": {"total_ms": 12}},
            {"type": "codex.rate_limits", "rate_limits": {"primary": {"used_percent": 10}}},
            {"type": "keepalive"}, {"type": "something.new"},
            {"type": "codex.response.metadata", "headers": {"x-models-etag": "e"}}]


def test_messages_between_turns_cost_no_socket(sim, relay):
    sim.script("*", {"after_events": HARMLESS, "repeat": -1})
    with codex(relay) as ws:
        first = ask(ws, "one")
        second = go_on(ws, first, "two")
        assert wslib.text_of(go_on(ws, second, "three")) == "three"
    assert upgrades(sim) == [101]
    assert [len(b["input"]) for _, b in frames(sim)] == [1, 1, 1]
    assert not told(relay, "attempt.failed")


@pytest.mark.parametrize("messages", [
    [{"type": "error", "status": 500, "error": {"code": "server_error", "message": "late"}}],
    [{"type": "response.output_text.delta", "delta": "late", "item_id": "msg_1"}],
    [{"type": "response.unheard_of"}],
    [{"no": "type"}],
    [{"type": "keepalive", "padding": "x" * (1 << 20)}],
    [{"type": "keepalive"}] * 1001,
], ids=["error", "delta", "unknown", "nonsense", "large", "many"])
def test_messages_between_turns_that_are_no_bookkeeping_end_the_socket(sim, relay, messages):
    sim.script("*", {"after_events": messages})
    with codex(relay) as ws:
        first = ask(ws, "one")
        sim.wait("sockets==0")
        second = go_on(ws, first, "two")
        assert wslib.text_of(second) == "two"
        assert wslib.text_of(go_on(ws, second, "three")) == "three"
    assert upgrades(sim) == [101, 101]
    assert not told(relay, "attempt.failed")


def test_bookkeeping_in_front_of_a_turn_is_not_its_beginning(sim, relay):
    """The turn can still be sent whole when upstream has forgotten the one before."""
    with codex(relay) as ws:
        first = ask(ws, "one")
        used = slot_of(sim)
        sim.script(used, {"events": HARMLESS + [{"type": "error", "status": 400, "error": {
            "code": "previous_response_not_found"}}]})
        events = go_on(ws, first, "two")
        assert wslib.text_of(events) == "two"
        assert slot_of(sim) == used
    assert upgrades(sim) == [101]
    assert [len(b["input"]) for _, b in frames(sim)] == [1, 1, 3]
    assert not told(relay, "attempt.failed")


def test_limits_in_front_of_a_turn_reach_the_client_behind_its_head(sim, relay):
    sim.script("*", {"before_events": HARMLESS, "skip_checks": False})
    with codex(relay) as ws:
        types = [e["type"] for e in ask(ws, "one")]
    assert "responsesapi.websocket_timing" not in types
    assert "something.new" not in types
    at = types.index("response.created")
    assert "codex.rate_limits" in types[:at]


@pytest.mark.parametrize("late", [
    [{"type": "response.output_text.delta", "delta": "late", "item_id": "msg_1"}],
    [{"type": "response.completed", "response": {"id": "resp_late", "output": []}}],
    [{"type": "response.in_progress", "response": {"id": "resp_late"}}],
], ids=["delta", "completed", "in_progress"])
def test_an_answer_without_beginning_is_not_taken_for_this_turns(sim, relay, late):
    with codex(relay) as ws:
        first = ask(ws, "one")
        used = slot_of(sim)
        sim.script(used, {"before_events": late})
        events = go_on(ws, first, "two")
        assert wslib.text_of(events) == "two"
        assert wslib.id_of(events) != "resp_late"
        assert slot_of(sim) == used
    assert upgrades(sim) == [101, 101]
    assert not told(relay, "attempt.failed")


# --- sockets that break behind the beginning

def one_slot():
    return Sim("--accounts", "1")


PREAMBLES = [1, 2, 3, 4]  # created, codex.rate_limits, in_progress, codex.response.metadata


ENDS = {
    "1011": lambda n: {"cut_after_events": n, "close_code": 1011},
    "1009": lambda n: {"cut_after_events": n, "close_code": 1009},
    "1000": lambda n: {"cut_after_events": n, "cut_clean": True},
    "fin": lambda n: {"cut_after_events": n},
    "reset": lambda n: {"reset_after_events": n},
    "garbled": lambda n: {"bad_json_at": n},
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("events", PREAMBLES)
def test_a_socket_that_breaks_before_output_is_replayed_over_http(end, events):
    script = ENDS[end](events)
    with one_slot() as sim, Relay(sim, slots=1, config=CONFIG) as relay:
        with codex(relay) as ws:
            first = ask(ws, "one")
            sim.script(1, script)
            second = go_on(ws, first, "two")
            types = [e["type"] for e in second]
            assert wslib.text_of(second) == "two"
            assert types.count("response.created") == 1
            assert wslib.text_of(go_on(ws, second, "three")) == "three"
        sent = frames(sim)
        assert [m for m, _ in sent] == ["WS", "WS", "POST", "WS"]
        assert [len(b["input"]) for _, b in sent] == [1, 1, 3, 5]
        failed = told(relay, "attempt.failed")
        assert [(l["class"], l["next"]) for l in failed] == [
            ("protocol" if end == "garbled" else "truncated", "same_slot_http")]
        assert relay.shown(1)["runtime"]["consecutiveFailures"] == 0


def test_the_replay_of_a_broken_socket_is_the_only_one(sim, relay):
    """As over HTTP: a turn may run twice, not three times."""
    sim.script("*", {"close_code": 1011, "cut_after_events": 1}, {"cut_after_events": 2})
    with codex(relay) as ws:
        events = ask(ws, "one")
        assert events[-1]["type"] in ("error", "response.failed")
        assert not wslib.text_of(events)
    assert [m for m, _ in frames(sim)] == ["WS", "POST"]
    assert len({t.account for t in sim.turns()}) == 1
    assert [l["next"] for l in told(relay, "attempt.failed")] == ["same_slot_http", "give_up"]


def test_a_socket_that_falls_silent_before_output_is_replayed_over_http():
    config = merge(json.loads(json.dumps(CONFIG)), {"requestTimeoutSeconds": 1})
    with one_slot() as sim, Relay(sim, slots=1, config=config) as relay:
        sim.script(1, {"stall_after_events": 3})
        with codex(relay) as ws:
            assert wslib.text_of(ask(ws, "one")) == "one"
        assert [m for m, _ in frames(sim)] == ["WS", "POST"]
        assert [l["class"] for l in told(relay, "attempt.failed")] == ["idle"]


CREATED = {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}}


@pytest.mark.parametrize("code", [
    "websocket_connection_limit_reached", "previous_response_not_found"])
def test_a_socket_that_is_over_behind_the_beginning_is_replayed_over_http(code):
    with one_slot() as sim, Relay(sim, slots=1, config=CONFIG) as relay:
        with codex(relay) as ws:
            first = ask(ws, "one")
            sim.script(1, {"events": [CREATED, {"type": "error", "status": 400,
                                                "error": {"code": code}}]})
            assert wslib.text_of(go_on(ws, first, "two")) == "two"
        assert [m for m, _ in frames(sim)] == ["WS", "WS", "POST"]
        assert relay.shown(1)["runtime"]["consecutiveFailures"] == 0


def test_what_was_shown_is_not_asked_again(sim, relay):
    sim.script("*", {"close_code": 1011, "cut_after_events": 12})
    with codex(relay) as ws:
        assert ask(ws, "count to 50")[-1]["type"] == "response.failed"
    assert len(sim.turns()) == 1


def test_a_broken_answer_that_is_not_streamed_is_replayed():
    with one_slot() as sim, Relay(sim, slots=1, config=ALL_SOCKETS) as relay:
        sim.script(1, {"close_code": 1011, "cut_after_events": 12})
        reply = relay.responses("say exactly: whole", stream=False)
        assert (reply.status, relaylib.responses_text(reply)) == (200, "whole")
        assert [m for m, _ in frames(sim)] == ["WS", "POST"]


# --- hosts on which turns come to nothing

def talk(relay, number, text="hello"):
    with codex(relay, f"s-{number}") as ws:
        events = ask(ws, text)
        assert wslib.text_of(events) == text


@pytest.mark.parametrize("script", [
    {"close_code": 1011}, {"cut_after_events": 0}, {"reset": True},
    {"close_code": 1011, "cut_after_events": 1}], ids=["close", "cut", "reset", "created"])
def test_a_host_that_always_closes_is_given_up_for_a_while(sim, relay, script):
    for number in range(3):
        sim.script("*", script)
        talk(relay, number)
    for number in range(3, 6):
        talk(relay, number)
    assert upgrades(sim) == [101] * 3
    assert [m for m, _ in frames(sim)] == ["WS", "POST"] * 3 + ["POST"] * 3
    lines = told(relay, "upstream.websocket")
    assert [(l["status"], l["http_for_s"]) for l in lines] == [(0, 600)]


def test_a_host_that_never_answers_is_given_up_for_a_while(sim):
    config = merge(json.loads(json.dumps(CONFIG)), {"requestTimeoutSeconds": 1})
    with Relay(sim, slots=3, config=config) as relay:
        for number in range(3):
            sim.script("*", {"stall": True})
            talk(relay, number)
        talk(relay, 3)
        assert upgrades(sim) == [101] * 3
        assert [m for m, _ in frames(sim)] == ["WS", "POST"] * 3 + ["POST"]


def test_a_host_whose_sockets_are_over_at_once_is_given_up_for_a_while(sim, relay):
    over = {"status": 400, "body": {"error": {"code": "websocket_connection_limit_reached"}}}
    for number in range(3):
        # The last one is given up before its second socket.
        sim.script("*", *[over] * (2 if number < 2 else 1))
        talk(relay, number)
    talk(relay, 3)
    assert [m for m, _ in frames(sim)] == ["WS", "WS", "POST"] * 2 + ["WS", "POST", "POST"]
    assert len(told(relay, "upstream.websocket")) == 1


def test_a_failure_without_beginning_is_the_slots(sim, relay):
    with codex(relay) as ws:
        first = ask(ws, "one")
        used = slot_of(sim)
        sim.script(used, {"bare": True, "failure": {"code": "server_is_overloaded", "message": "busy"}})
        assert wslib.text_of(go_on(ws, first, "two")) == "two"
        assert slot_of(sim) != used
    assert [m for m, _ in frames(sim)] == ["WS"] * 3
    assert [l["code"] for l in told(relay, "attempt.failed")] == ["server_is_overloaded"]


def test_a_good_turn_clears_a_hosts_record(sim, relay):
    for number in range(8):
        if number % 3 != 2:
            sim.script("*", {"close_code": 1011})
        talk(relay, number)
    assert upgrades(sim) == [101] * 8
    assert not told(relay, "upstream.websocket")


def test_turns_that_break_together_are_one_failure_of_the_host(sim, relay):
    talk(relay, "first")
    sim.script("*", *[{"delay_ms": 1500, "close_code": 1011}] * 8)
    in_parallel([lambda n=n: talk(relay, n) for n in range(8)])
    talk(relay, "last")
    assert [m for m, _ in frames(sim)] == ["WS"] * 9 + ["POST"] * 8 + ["WS"]
    assert not told(relay, "upstream.websocket")


def test_messages_too_large_are_no_fault_of_the_host(sim, relay):
    for number in range(4):
        sim.script("*", {"close_code": 1009})
        talk(relay, number)
    assert upgrades(sim) == [101] * 4


@pytest.mark.parametrize("script", [
    {"on_upgrade": True, "status": 426, "body": {"detail": "no"}}, {"close_code": 1011}])
def test_a_reload_forgets_what_hosts_did(sim, relay, script):
    for number in range(3):
        sim.script("*", script)
        talk(relay, number)
    sim.clear_scripts("*")
    talk(relay, 3)
    assert frames(sim)[-1][0] == "POST"
    reload(relay)
    talk(relay, 4)
    assert frames(sim)[-1][0] == "WS"


# --- refused upgrades

PAGE = {"on_upgrade": True, "headers": {"content-type": "text/html"},
        "body": "<html><head><title>Attention Required! | Cloudflare</title></head></html>"}


@pytest.mark.parametrize("script", [
    {**PAGE, "status": 403}, {**PAGE, "status": 429}, {**PAGE, "status": 401},
    {"on_upgrade": True, "status": 403, "body": ""},
    {"on_upgrade": True, "status": 403, "body": "Forbidden by the proxy"},
    {"on_upgrade": True, "status": 403, "body": {"blocked_by": "proxy"}},
], ids=["403", "429", "401", "empty", "text", "foreign"])
def test_a_page_that_answers_the_upgrade_is_the_hosts(sim, relay, script):
    sim.script("*", script)
    for number in range(2):
        talk(relay, number)
    assert upgrades(sim) == [script["status"]]
    assert [m for m, _ in frames(sim)] == ["POST"] * 2
    assert len(told(relay, "upstream.websocket")) == 1
    assert not told(relay, "attempt.failed")
    assert all(relay.shown(n)["runtime"]["consecutiveFailures"] == 0 for n in (1, 2, 3))


def test_a_403_of_upstream_is_the_slots(sim, relay):
    sim.script("*", {"on_upgrade": True, "status": 403, "body": {
        "error": {"code": "account_suspended", "message": "Suspended."}}})
    talk(relay, 1)
    assert [l["class"] for l in told(relay, "attempt.failed")] == ["dead"]
    assert upgrades(sim) == [403, 101]


def test_a_401_on_the_upgrade_brings_another_token_once(sim, relay):
    with codex(relay) as ws:
        first = ask(ws, "one")
        used = slot_of(sim)
        sim.set_account(used, revoke_access=True)
        second = go_on(ws, first, "two")
        assert wslib.text_of(second) == "two"
        assert slot_of(sim) == used
    failed = told(relay, "attempt.failed")
    assert [(l["class"], l["next"]) for l in failed] == [("auth", "same_slot_refreshed")]
    assert sim.stats()["refreshes"] == 1


def test_a_401_on_the_first_upgrade_brings_another_token_once():
    with one_slot() as sim, Relay(sim, slots=1, config=CONFIG) as relay:
        sim.set_account(1, revoke_access=True)
        talk(relay, 1)
        assert upgrades(sim) == [401, 101]
        assert sim.stats()["refreshes"] == 1
        assert [m for m, _ in frames(sim)] == ["WS"]
        assert not told(relay, "upstream.websocket")


# --- turn state

def metadata(state):
    return {"type": "response.metadata", "headers": {"x-codex-turn-state": state}}


def turn_states(sim):
    return [b.get("client_metadata", {}).get("x-codex-turn-state") for _, b in frames(sim)]


def told_states(events):
    return [e["headers"]["x-codex-turn-state"] for e in events
            if e["type"] == "response.metadata" and "x-codex-turn-state" in e.get("headers", {})]


def echo(ws, before, text, state):
    return ask(ws, input=[user(text)], previous_response_id=wslib.id_of(before),
               client_metadata={"x-codex-turn-state": state})


@pytest.mark.parametrize("place", ["in front", "behind"])
def test_turn_state_of_an_event_is_passed_on_and_comes_back(sim, relay, place):
    """Capture 152: what an event says, not the handshake."""
    done = {"type": "response.completed", "response": {"id": "resp_state", "output": []}}
    events = [CREATED, done]
    events.insert(0 if place == "in front" else 1, metadata("of-event"))
    sim.script("*", {"on_upgrade": True, "headers": {"x-codex-turn-state": "of-handshake"}},
               {"events": events})
    with codex(relay) as ws:
        first = ask(ws, "one")
        assert told_states(first)[-1] == "of-event"
        echo(ws, first, "two", "of-event")
    assert turn_states(sim)[1] == "of-event"
    assert len({t.account for t in sim.turns()}) == 1


def test_turn_state_of_another_slot_is_left_out(sim, relay):
    sim.script("*", {"events": [CREATED, metadata("of-first"), {
        "type": "response.completed", "response": {"id": "resp_state", "output": []}}]})
    with codex(relay) as ws:
        first = ask(ws, "one")
        sim.set_account(slot_of(sim), primary={"used_percent": 100, "reset_in_seconds": 600})
        echo(ws, first, "two", "of-first")
    accounts = [t.record["account"] for t in sim.turns()]
    assert accounts[0] == accounts[1] != accounts[2]
    assert turn_states(sim) == [None, "of-first", None]


def test_turn_state_of_an_event_is_a_header_for_http_clients(sim):
    with Relay(sim, slots=3, config=ALL_SOCKETS) as relay:
        sim.script("*", {"events": [CREATED, metadata("of-event"), {
            "type": "response.completed", "response": {"id": "resp_state", "output": []}}]})
        headers = {**AUTH, **NATIVE, "session-id": "x"}
        reply = relay.post(PATH, native_body("one"), headers=headers)
        assert reply.headers["x-codex-turn-state"] == "of-event"
        relay.post(PATH, native_body("two"), headers={**headers, "x-codex-turn-state": "of-event"})
        assert turn_states(sim) == [None, "of-event"]


# --- large and slow

MIB = 1 << 20


def test_a_turn_too_large_for_a_frame_goes_by_http(sim):
    """The frame is a little larger than the body: this one fits into a POST alone."""
    with Relay(sim, slots=3, config=ALL_SOCKETS) as relay:
        empty = len(json.dumps(native_body("")))
        body = json.dumps(native_body("x" * (16 * MIB - empty - 8)))
        assert len(body) < 16 * MIB
        headers = {**AUTH, **NATIVE, "session-id": "x", "x-codex-turn-metadata": "m" * 200}
        assert relay.post(PATH, body.encode(), headers=headers).status == 200
        larger = json.dumps(native_body("x" * (17 * MIB))).encode()
        assert relay.post(PATH, larger, headers={**headers, "session-id": "y"}).status >= 400
        # The second one is not read by the simulator; no socket was opened for it.
        assert [t.method for t in sim.requests(path="/codex/responses", bodies=False)] == [
            "GET", "POST"]
        assert sim.stats()["faults"] == 1
        assert not told(relay, "upstream.websocket")


@needs_release
@pytest.mark.alone
@pytest.mark.parametrize("client", ["http", "socket"])
def test_a_slow_reader_pauses_upstreams_socket(sim, client):
    with Relay(sim, slots=3, config=ALL_SOCKETS, binary=relaylib.release_binary()) as relay:
        for number in range(20):
            talk(relay, number)
        base = relay.rss_kib()
        if client == "http":
            slow = relay.stream(body=native_body("big 100m"), headers=NATIVE, receive_buffer=4096)
            assert slow.wait_head() == 200
        else:
            slow = codex(relay, "slow")
            slow.create(**native_body("big 100m"))
            slow.read_json()
        sent, same = 0, 0
        while same < 20:
            active = [t for t in sim.turns() if t.active]
            sent, same = active[0].sent_bytes, same + 1 if sent == active[0].sent_bytes else 0
            talk(relay, f"beside-{same}")
        assert 0 < sent < 64 * MIB
        assert relay.rss_kib() - base < 4096
        (slow.close if client == "http" else slow.drop)()
        sim.wait("active==0")


# --- sockets follow their slots

def test_a_new_token_closes_the_old_socket(sim, relay):
    with codex(relay) as ws:
        first = ask(ws, "one")
        used = slot_of(sim)
        relay.cli("slot-refresh", "--slot", used[-1])
        sim.wait("sockets==0")
        second = go_on(ws, first, "two")
        assert wslib.text_of(second) == "two"
        assert slot_of(sim) == used
    dials = [r for r in sim.requests(path="/codex/responses") if r.method == "GET"]
    assert [d.status for d in dials] == [101, 101]
    assert dials[0].header("authorization") != dials[1].header("authorization")


@pytest.mark.parametrize("command", ["slot-disable", "slot-remove"])
def test_a_slot_that_goes_takes_its_idle_sockets_along(sim, relay, command):
    with codex(relay) as ws:
        first = ask(ws, "one")
        used = slot_of(sim)
        relay.cli(command, "--slot", used[-1])
        sim.wait("sockets==0")
        assert wslib.text_of(go_on(ws, first, "two")) == "two"
        assert slot_of(sim) != used


@pytest.mark.parametrize("change", ["disable", "refresh", "http"])
def test_a_socket_is_closed_behind_the_last_turn_that_it_may_have(sim, relay, change):
    with codex(relay) as ws:
        ws.create(**native_body("count to 10 every 200ms"))
        ws.read_turn("response.output_text.delta")
        used = slot_of(sim)
        mark = relay.mark()
        if change == "http":
            relay.change_config({"upstream": {"transport": "http"}})
            relay.wait_for("config.reload", lambda l: l["file"] == "config/relay.json", mark)
        else:
            relay.cli(f"slot-{change}", "--slot", used[-1])
            relay.wait_for("config.reload", since=mark)
        assert ws.read_turn()[-1]["type"] == "response.completed"
        sim.wait("sockets==0")
