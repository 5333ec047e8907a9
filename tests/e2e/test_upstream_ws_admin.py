"""What operators see of the WebSockets to upstream: /admin/stats upstreamSockets, and doctor."""
import datetime
import json
import time

import pytest

import clilib
import relaylib
import wslib
from relaylib import NATIVE, QUIET, Relay, merge, native_body
from simlib import Sim
from test_openapi import validate

AUTH = {"authorization": "Bearer " + relaylib.TOKEN}
NONE = {"idle": 0, "busy": 0, "dialing": 0}


def config_with(transport):
    config = json.loads(json.dumps(QUIET))
    merge(config, {"upstream": {"transport": transport, "connectTimeoutSeconds": 60}})
    return config


@pytest.fixture
def sim():
    with Sim("--accounts", "1") as sim:
        yield sim


@pytest.fixture
def relay(sim):
    with Relay(sim, slots=1, config=config_with("websocket")) as relay:
        yield relay


def codex(relay):
    return wslib.WebSocket(relay.address, "/v1/responses", {
        **AUTH, **NATIVE, **wslib.BETA, "session-id": "s-1"})


def ask(ws, text):
    ws.create(**native_body(text))
    return ws.read_turn()


def look(relay):
    """(counts, the hosts)."""
    shown = relay.get("/admin/stats").json["upstreamSockets"]
    validate(shown, "UpstreamSockets")
    return {name: shown[name] for name in NONE}, shown["hosts"]


def seconds_until(time_text):
    then = datetime.datetime.fromisoformat(time_text.replace("Z", "+00:00"))
    return then.timestamp() - time.time()


def host_of(sim):
    return "http://" + sim.address


def reload_with(relay, change):
    mark = relay.mark()
    relay.change_config(change)
    relay.wait_for("config.reload", lambda line: line["file"] == "config/relay.json", mark)


def refuse(sim, relay, status):
    sim.script("*", {"on_upgrade": True, "status": status, "body": {"detail": "no"}})
    with codex(relay) as ws:
        assert wslib.text_of(ask(ws, "one")) == "one"


def test_nothing_is_known_before_the_first_turn(relay):
    assert look(relay) == (NONE, [])


def test_a_socket_is_counted_where_it_is(sim, relay):
    with codex(relay) as ws:
        ws.create(**native_body("count to 100000 every 100ms"))
        while ws.read_json()["type"] != "response.output_text.delta":
            pass
        counts, hosts = look(relay)
        assert counts == {**NONE, "busy": 1}
        assert hosts == [{"host": host_of(sim), "takesSockets": True, "httpUntil": None}]
    sim.wait("gone==1,active==0")
    mark = relay.mark()
    with codex(relay) as ws:
        ask(ws, "short")
        relay.wait_for("request.finish", since=mark)
        assert look(relay)[0] == {**NONE, "idle": 1}
    reload_with(relay, {"upstream": {"transport": "http"}})
    assert look(relay)[0] == NONE


def test_a_socket_on_its_way_is_counted(sim, relay):
    sim.script("*", {"on_upgrade": True, "stall": True})
    with codex(relay) as ws:
        ws.create(**native_body("hello"))
        sim.wait("active==1", path="/codex/responses")
        assert look(relay) == ({**NONE, "dialing": 1}, [
            {"host": host_of(sim), "takesSockets": False, "httpUntil": None}])


@pytest.mark.parametrize("status, least, most", [(426, 500, 610), (503, 0, 61)])
def test_a_host_that_refuses_is_shown_until_it_is_tried_again(sim, relay, status, least, most):
    refuse(sim, relay, status)
    counts, [host] = look(relay)
    assert counts == NONE
    assert (host["host"], host["takesSockets"]) == (host_of(sim), False)
    assert least < seconds_until(host["httpUntil"]) < most
    reload_with(relay, {"logLevel": "debug"})
    assert look(relay)[1] == [{"host": host_of(sim), "takesSockets": False, "httpUntil": None}]


# --- doctor

@pytest.fixture
def findable(relay):
    """A relay at an address that its own configuration names, so that commands find it."""
    reload_with(relay, {"listen": relay.address})
    return relay


def doctor(relay):
    done = clilib.with_pipes([relay.binary, "--runtime-root", relay.root, "doctor", "--offline"])
    relay.outputs += [done.text.encode(), done.errors.encode()]
    return [f for f in json.loads(done.text)["findings"] if f["check"] == "sockets"]


def test_doctor_tells_of_open_sockets(findable):
    mark = findable.mark()
    with codex(findable) as ws:
        ask(ws, "one")
        findable.wait_for("request.finish", since=mark)
        [finding] = doctor(findable)
    assert finding["level"] == "ok"
    assert finding["message"] == "WebSockets to upstream: 0 with a turn, 1 between turns"


def test_doctor_tells_of_a_host_that_refuses(sim, findable):
    refuse(sim, findable, 426)
    [finding] = doctor(findable)
    assert finding["level"] == "warn" and "upstream.websocket" in finding["advice"]
    assert finding["message"].startswith(
        f"{host_of(sim)} takes no WebSockets; turns go there over HTTP for another ")


def test_doctor_is_silent_where_none_are_wanted(sim):
    with Relay(sim, slots=1, config=config_with("http")) as relay:
        reload_with(relay, {"listen": relay.address})
        assert doctor(relay) == []


# --- HTTP

def test_turns_over_http_leave_nothing(sim):
    with Relay(sim, slots=1, config=config_with("http")) as relay:
        with codex(relay) as ws:
            ask(ws, "one")
        assert look(relay) == (NONE, [])
