"""The simulator's WebSocket: handshake, turns, what it refuses, faults."""
import socket

import pytest

import wslib
from simlib import Sim, SimClient, user

PATH = "/backend-api/codex/responses"


@pytest.fixture(scope="module")
def running():
    with Sim("--accounts", "2") as sim:
        yield sim


@pytest.fixture
def sim(running):
    running.reset()
    return running


def head(sim, account=1, **changes):
    headers = {**sim.client(account).headers, **wslib.BETA, **changes}
    return {k: v for k, v in headers.items() if k not in ("accept", "content-type")}


def body(text="hello", **members):
    return SimClient.body(text, **members)


def opened(sim, account=1, **changes):
    return wslib.WebSocket(sim.address, PATH, head(sim, account, **changes))


def refused(sim, **changes):
    with pytest.raises(wslib.Refused) as error:
        opened(sim, **changes)
    return error.value.reply


def output(call, text="42"):
    return {"type": "function_call_output", "call_id": call["call_id"], "output": text}


TOOL = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}


def test_a_turn_is_one_frame_and_each_event_another(sim):
    with opened(sim) as ws:
        ws.create(**body("count to 3"))
        events = ws.read_turn()
        assert wslib.text_of(events) == "1 2 3"
        assert events[0]["type"] == "response.created"
        assert "codex.rate_limits" in [e["type"] for e in events]
        assert ws.close() == (1000, "")
    entry = sim.requests(path="/codex/responses")[-1]
    assert (entry.method, entry.status, entry.end) == ("WS", 200, "finished")
    assert entry.json["type"] == "response.create"


def test_a_turn_goes_on_from_the_one_before(sim):
    with opened(sim) as ws:
        ws.create(**body("call look", tools=[TOOL]))
        first = ws.read_turn()
        call = wslib.items_of(first)[-1]
        assert call["type"] == "function_call"
        ws.create(**body(input=[output(call)], tools=[TOOL],
                         previous_response_id=wslib.id_of(first)))
        assert "tool said: 42" in wslib.text_of(ws.read_turn())


def test_an_output_without_its_call_is_refused(sim):
    with opened(sim) as ws:
        ws.create(**body(input=[user("x"), output({"call_id": "call_1"})]))
        error = ws.read_json()
        assert (error["type"], error["status"]) == ("error", 400)
        assert "No tool call found" in error["error"]["message"]
        assert error["headers"]["x-codex-plan-type"] == "plus"
        ws.create(**body("still there"))
        assert wslib.text_of(ws.read_turn()) == "still there"


def test_warm_ups_generate_nothing(sim):
    with opened(sim) as ws:
        ws.create(**body("one", generate=False))
        warm = ws.read_turn()
        assert not wslib.items_of(warm)
        ws.create(**body("two", previous_response_id=wslib.id_of(warm)))
        assert wslib.text_of(ws.read_turn()) == "two"


@pytest.mark.parametrize("known", [False, True])
def test_unknown_responses_are_not_found(sim, known):
    with opened(sim) as ws, opened(sim) as other:
        other.create(**body("x"))
        elsewhere = wslib.id_of(other.read_turn())
        ws.create(**body("x", previous_response_id=elsewhere if known else "resp_none"))
        error = ws.read_json()
        assert error["status"] == 400
        assert error["error"]["code"] == "previous_response_not_found"
        assert error["error"]["param"] == "previous_response_id"


def test_one_turn_at_a_time(sim):
    with opened(sim) as ws:
        ws.create(**body("count to 3 every 1000ms"))
        ws.read_json()
        ws.create(**body("x"))
        assert ws.wait_close().code == 1008
    sim.wait("gone==1,active==0")


@pytest.mark.parametrize("members, message", [
    ({"type": "response.cancel"}, "response.create"),
    ({"stream": False}, "Stream must be set to true"),
    ({"background": False}, "Unsupported parameter: background"),
    ({"store": True}, "Store must be set to false"),
    ({"temperature": 1}, "Unsupported parameter: temperature"),
])
def test_bad_turns_are_error_frames(sim, members, message):
    with opened(sim) as ws:
        ws.send_json({"type": "response.create", **body("x"), **members})
        error = ws.read_json()
        assert error["type"] == "error" and error["status"] == 400
        assert message in error["error"]["message"]


def test_handshakes_that_are_refused(sim):
    assert refused(sim, **{"openai-beta": None}).status == 400
    assert refused(sim, originator=None).status == 400
    assert refused(sim, authorization="Bearer x").status == 401
    assert refused(sim, **{"chatgpt-account-id": "other"}).status == 401
    reply = refused(sim, **{"Sec-WebSocket-Version": "8"})
    assert reply.status == 426
    assert refused(sim, **{"Sec-WebSocket-Key": "x"}).status == 400


def test_websockets_can_be_switched_off(sim):
    sim.settings(websockets=False)
    assert refused(sim).status == 426


def test_tokens_are_looked_at_in_every_turn(sim):
    with opened(sim) as ws:
        ws.create(**body("x"))
        ws.read_turn()
        sim.set_account(1, revoke_access=True)
        ws.create(**body("x"))
        error = ws.read_json()
        assert (error["status"], error["error"]["code"]) == (401, "token_invalidated")
    sim.set_account(1, login=True)


def test_full_windows_are_error_frames_with_headers(sim):
    sim.set_account(1, primary={"used_percent": 100, "reset_in_seconds": 60})
    with opened(sim) as ws:
        ws.create(**body("x"))
        error = ws.read_json()
        assert (error["status"], error["error"]["type"]) == (429, "usage_limit_reached")
        assert float(error["headers"]["x-codex-primary-used-percent"]) == 100


def test_a_socket_is_good_for_an_hour(sim):
    with opened(sim) as ws:
        sim.advance(3601)
        ws.create(**body("x"))
        assert ws.read_json()["error"]["code"] == "websocket_connection_limit_reached"


def test_frames_that_are_too_large_or_binary(sim):
    with opened(sim) as ws:
        ws.send_raw(wslib.masked(wslib.TEXT, b" " * (16 << 20 | 1)))
        assert ws.wait_close().code == 1009
    with opened(sim) as ws:
        ws.send_frame(wslib.BINARY, b"{}")
        assert ws.wait_close().code == 1003


def test_scripts_of_handshakes(sim):
    sim.script(1, {"on_upgrade": True, "status": 429, "body": {"error": {"type": "x"}}},
               {"on_upgrade": True, "reset": True})
    assert refused(sim).status == 429
    with pytest.raises((wslib.Ended, ConnectionError)):
        opened(sim)
    with opened(sim) as ws:
        ws.create(**body("x"))
        assert wslib.text_of(ws.read_turn()) == "x"


def test_black_holes(sim):
    sim.script(1, {"on_upgrade": True, "stall": True})
    host, port = sim.address.rsplit(":", 1)
    with socket.create_connection((host, int(port))) as raw:
        raw.sendall(wslib.handshake(PATH, head(sim)))
        sim.wait("active==1")
    sim.wait("active==0,gone==1")


@pytest.mark.parametrize("script, code", [
    ({"close_code": 1009}, 1009),
    ({"close_code": 1011, "cut_after_events": 3}, 1011),
    ({"cut_after_events": 3}, None),
    ({"reset_after_events": 3}, None),
    ({"no_terminal": True}, 1000),
])
def test_sockets_that_end_in_a_turn(sim, script, code):
    sim.script(1, script)
    with opened(sim) as ws:
        ws.create(**body("count to 9"))
        assert ws.wait_close().code == code
    sim.wait("active==0")


def test_scripted_error_frames(sim):
    sim.script(1, {"status": 503, "headers": {"retry-after": "2"},
                   "body": {"error": {"code": "server_is_overloaded", "message": "busy"}}})
    with opened(sim) as ws:
        ws.create(**body("x"))
        error = ws.read_json()
        assert (error["status"], error["error"]["code"]) == (503, "server_is_overloaded")
        assert error["headers"]["retry-after"] == "2"


def test_the_simulator_says_good_bye():
    sim = Sim().start()
    with opened(sim) as ws:
        assert sim.stop() == 0
        assert ws.wait_close().code in (1001, None)
        assert ws.is_over()


def test_messages_around_a_turn(sim):
    sim.script(1, {"before_events": [{"type": "responsesapi.websocket_timing"}],
                   "after_events": [{"type": "keepalive"}, {"type": "error", "status": 500}]})
    with opened(sim) as ws:
        ws.create(**body("x"))
        first = ws.read_turn()
        assert [e["type"] for e in first[:2]] == ["responsesapi.websocket_timing", "response.created"]
        assert wslib.text_of(first) == "x"
        assert [ws.read_json()["type"] for _ in range(2)] == ["keepalive", "error"]
        ws.create(**body("y", previous_response_id=wslib.id_of(first)))
        assert wslib.text_of(ws.read_turn()) == "y"


def test_open_sockets_are_counted(sim):
    with opened(sim), opened(sim, 2):
        assert sim.stats()["sockets"] == 2
    sim.wait("sockets==0")
