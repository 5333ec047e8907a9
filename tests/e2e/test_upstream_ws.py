"""Turns over WebSockets to upstream: which go there, increments, failures at each stage, fallback."""
import json
import time

import pytest

import relaylib
import wslib
from relaylib import NATIVE, QUIET, Relay, in_parallel, merge, native_body
from simlib import Sim, user

PATH = "/v1/responses"
AUTH = {"authorization": "Bearer " + relaylib.TOKEN}
CONFIG = json.loads(json.dumps(QUIET))
merge(CONFIG, {"upstream": {"transport": "auto"}})


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
    assert frames(sim)[-1][1]["previous_response_id"] == wslib.id_of(second)


# --- sockets that fail

@pytest.mark.parametrize("script", [
    {"close_code": 1009}, {"close_code": 1011}, {"cut_after_events": 0}, {"reset": True},
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
    assert not relay.log("attempt.failed")


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
    assert [line["code"] for line in relay.log("attempt.failed")] == ["server_is_overloaded"]


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
