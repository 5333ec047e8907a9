"""State files, signals, the CLI beside a running relay, the log."""
import http.client
import json
import os
import signal
import stat
import threading
import time

import pytest

from inotify import MOVED_TO, Watch
from relaylib import QUIET, TOKEN, CliError, Relay, in_parallel, responses_body, responses_text
from simlib import Background, Sim

HELD = {"stall_after_events": 6, "directive": "count to 9"}


# --- Writes

def many_requests(relay, count, threads=4):
    """Keep-alive connections that ask one after another; the number of good answers."""
    good = [0] * threads
    body = json.dumps(responses_body("hello")).encode()
    headers = {"Authorization": "Bearer " + TOKEN}

    def run(index):
        host, port = relay.address.split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=60)
        for _ in range(count // threads):
            connection.request("POST", "/v1/responses", body, headers)
            response = connection.getresponse()
            response.read()
            good[index] += response.status == 200
        connection.close()

    workers = [threading.Thread(target=run, args=(i,)) for i in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(good)


def state_directories(relay):
    return [path for path, _, _ in os.walk(relay.root)]


def test_no_write_while_10000_requests_run_and_one_after():
    with Sim("--accounts", "3", "--no-log") as sim, Relay(sim, config=QUIET) as relay:
        slots = relay.path("config/slots.json")
        with Watch(*state_directories(relay)) as watch:
            assert many_requests(relay, 10000) == 10000
            assert watch.changes() == [], "state was written while requests ran"
            watch.wait_replaced(slots)
            changes = watch.changes(timeout=1.5)
        assert not [c for c in changes if c == (slots, MOVED_TO)], "written once"
        assert relay.records()["slot-1"]["runtime"]["lastUsedAt"]


def test_state_files_are_private(relay):
    relay.responses("hello")
    relay.stop()
    for path, _, files in os.walk(relay.root):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o700, path
        for name in files:
            if name != "slots.json" or path.endswith("config"):
                mode = stat.S_IMODE(os.stat(os.path.join(path, name)).st_mode)
                assert mode == 0o600 or name in ("AGENTS.md", "state.lock"), name


def test_success_is_remembered(sim, relay):
    before = time.time()
    relay.responses("hello")
    relay.stop()
    record = relay.records()["slot-1"]
    assert record["runtime"]["lastUsedAt"] and record["runtime"]["consecutiveFailures"] == 0
    assert record["usage"]["fivePct"] is not None and record["usage"]["weekPct"] is not None
    assert "left" in record["usage"]["usage5h"]
    assert os.stat(relay.path("config/slots.json")).st_mtime >= before - 1


def test_state_survives_a_restart(sim, relay):
    resets_at = int(time.time()) + 5000
    sim.script(1, {"status": 429, "body": {"error": {
        "type": "usage_limit_reached", "message": "m", "resets_at": resets_at}}})
    relay.responses("hello")
    relay.stop()
    relay.start()
    reply = relay.responses("hello", headers={"session-id": "new"})
    assert relay.lines_of(reply, "slot.selection")[0]["others"]["slot-1"] == "cooldown"


def test_unknown_keys_and_records_survive(sim, start_relay):
    relay = start_relay(start=False)
    relay.change_config({"future": {"key": [1, 2]}})
    slots = relay.read_json("config/slots.json")
    slots["extra"] = {"a": 1}
    slots["slots"][0]["custom"] = {"b": 2}
    slots["slots"][0]["runtime"]["odd"] = "kept"
    slots["slots"].append({"id": "slot-77", "enabled": True, "what": "ever"})
    relay.write_json("config/slots.json", slots)
    relay.start()
    assert relay.wait_for("config.unknown_key", lambda l: l["key"] == "future")
    assert len(relay.log("config.unknown_key")) == 1, "warned about once"
    with Watch(relay.path("config")) as watch:
        relay.responses("hello")
        watch.wait_replaced(relay.path("config/slots.json"))
    relay.cli("slot-disable", "--slot", "2")
    relay.stop()
    after = relay.read_json("config/slots.json")
    assert after["extra"] == {"a": 1}
    first = relay.records()["slot-1"]
    assert (first["custom"], first["runtime"]["odd"]) == ({"b": 2}, "kept")
    assert relay.records()["slot-77"]["what"] == "ever"
    assert relay.records()["slot-2"]["enabled"] is False
    assert relay.read_json("config/relay.json")["future"] == {"key": [1, 2]}


def test_kill_9_leaves_good_files(sim, relay):
    for round_number in range(3):
        with Watch(relay.path("config")) as watch:
            relay.responses(f"hello {round_number}")
            watch.changes(timeout=5)  # the write has begun
            relay.kill()
        assert len(relay.records()) == 3
        for number in (1, 2, 3):
            relay.read_json(f"state/slots/slot-{number}/agent/auth-profiles.json")
        relay.read_json("config/relay.json")
        relay.start()
    assert relay.responses("and on").status == 200


# --- The CLI beside a running relay

def test_disabled_slot_is_noticed_without_restart(sim, relay):
    assert relay.responses("one").headers["x-relay-slot-id"] == "slot-1"
    relay.cli("slot-disable", "--slot", "1")
    relay.wait_until(lambda: not relay.shown(1)["enabled"])
    reply = relay.responses("one")
    assert reply.headers["x-relay-slot-id"] != "slot-1"
    assert relay.lines_of(reply, "slot.selection")[0]["others"]["slot-1"] == "disabled"
    assert relay.health()["slotsDetail"]["enabled"] == 2
    relay.cli("slot-enable", "--slot", "slot-1")
    relay.wait_until(lambda: relay.shown(1)["enabled"])
    assert relay.health()["slotsDetail"] == {"total": 3, "enabled": 3, "eligible": 3}


def test_removed_slot_ends_in_peace(sim, relay):
    sim.script(1, {"directive": "count to 40 every 25ms"})
    stream = relay.stream("hello")
    stream.wait_head()
    relay.cli("slot-remove", "--slot", "1")
    relay.wait_until(lambda: relay.health()["slots"] == 2)
    events = stream.read_to("response.completed")
    assert events[-1]["type"] == "response.completed", "a running request is not cut"
    stream.close()
    relay.stop()
    assert sorted(relay.records()) == ["slot-2", "slot-3"]


def test_cli_does_not_lose_what_the_relay_knows(sim, relay):
    """Both write slots.json: the relay its part, the CLI its own."""
    sim.script(1, {"status": 429, "body": {"error": {
        "type": "usage_limit_reached", "message": "m", "resets_in_seconds": 5000}}})
    relay.responses("hello")
    for slot in ("2", "3"):
        relay.cli("slot-disable", "--slot", slot)
    relay.stop()
    records = relay.records()
    assert records["slot-1"]["runtime"]["cooldownUntil"]
    assert [records[f"slot-{n}"]["enabled"] for n in (1, 2, 3)] == [True, False, False]


def test_new_credential_ends_reauth(sim, relay):
    sim.set_account(1, revoke_access=True, revoke_refresh=True)
    relay.responses("hello")
    assert relay.health()["slotsDetail"]["eligible"] == 2
    sim.set_account(1, login=True)
    relay.add_slot(1)
    relay.wait_until(lambda: relay.health()["slotsDetail"]["eligible"] == 3)


def test_cli_shows_slots_without_tokens(sim, relay):
    shown = json.dumps(relay.cli("slot-list"))
    assert "slot-3" in shown and "label 2" in shown
    with pytest.raises(CliError):
        relay.cli("slot-disable", "--slot", "9")
    health = relay.cli("health")
    assert health
    relay.check_secrets()


# --- Signals

def test_sigterm_drains(sim, relay):
    sim.script("*", {"directive": "count to 60 every 20ms"})
    stream = relay.stream("hello")
    assert stream.wait_head() == 200
    idle = relay.wire().send_request("GET", "/healthz")
    idle.read_reply()
    mark = relay.mark()
    relay.signal()
    stopping = relay.wait_for("server.stop", since=mark)
    assert stopping["inflight"] == 1
    assert idle.is_closed(), "an idle connection is closed"
    with pytest.raises(ConnectionRefusedError):
        relay.wire()
    events = stream.read_to("response.completed")
    assert events[-1]["type"] == "response.completed", "the running stream ends well"
    stream.close()
    relay.check_end(relay.wait_end())
    assert relay.log("request.finish")[-1]["status"] == 200


def test_second_sigterm_ends_at_once(sim, relay):
    sim.script("*", HELD)
    stream = relay.stream("hello")
    assert stream.wait_head() == 200
    relay.signal()
    relay.wait_for("server.stop")
    relay.signal(signal.SIGINT)
    relay.check_end(relay.wait_end(timeout=10))
    last = stream.read_to()[-1]
    assert last["type"] == "response.failed"
    assert last["response"]["error"]["code"] in ("relay_stopping", "server_error")
    sim.wait("gone>=1", path="/codex/responses")
    stream.close()


def test_drain_has_an_end(sim, start_relay):
    relay = start_relay(config={"drainTimeoutSeconds": 1})
    sim.script("*", {**HELD, "repeat": -1})
    stream = relay.stream("hello")
    stream.wait_head()
    whole = relay.wire().send_request("POST", "/v1/responses", responses_body("whole"))
    sim.wait("active==2", path="/codex/responses")
    relay.signal()
    relay.check_end(relay.wait_end(timeout=10))
    assert relay.log("server.drain")[0]["cut_requests"] == 2
    reply = whole.read_reply()
    assert (reply.status, reply.json["error"]["code"]) == (503, "relay_stopping")
    stream.close()


def test_client_that_does_not_read_cannot_hold_the_end(sim, relay):
    slow = relay.stream("big 100m", receive_buffer=4096)
    assert slow.wait_head() == 200
    relay.signal()
    relay.wait_for("server.stop")
    relay.signal()
    relay.check_end(relay.wait_end(timeout=10))
    slow.close()


def test_readyz_says_no_while_draining(sim, relay):
    sim.script("*", HELD)
    stream = relay.stream("hello")
    stream.wait_head()
    probe = relay.wire().send("GET /readyz HTTP/1.1\r\nHost: x\r\n")  # not complete yet
    relay.get("/healthz")
    relay.signal()
    relay.wait_for("server.stop")
    probe.send("\r\n")
    reply = probe.read_reply()
    assert reply.status == 503 and reply.json["draining"] is True
    assert reply.headers["connection"] == "close"
    stream.close()
    relay.check_end(relay.wait_end())


def test_sighup_reloads_the_configuration(sim, relay):
    relay.change_config({"authToken": "fresh", "selectionPolicy": "least-recently-used"})
    mark = relay.mark()
    relay.signal(signal.SIGHUP)
    relay.wait_for("config.reload", lambda l: l["ok"] and "relay.json" in l["file"], since=mark)
    assert relay.responses("hello").status == 401
    assert relay.responses("hello", headers={"Authorization": "Bearer fresh"}).status == 200
    assert relay.health()["selectionPolicy"] == "least-recently-used"


@pytest.mark.parametrize("bad", ['{"authToken": 5}', '{"listen": ', "[]",
                                 '{"selectionPolicy": "worst"}'])
def test_invalid_configuration_keeps_the_old_one(sim, relay, bad):
    with open(relay.path("config/relay.json"), "w", encoding="utf-8") as file:
        file.write(bad)
    mark = relay.mark()
    relay.signal(signal.SIGHUP)
    line = relay.wait_for("config.reload", lambda l: "relay.json" in l["file"], since=mark)
    assert line["ok"] is False and line["reason"]
    assert relay.responses("hello").status == 200


def test_invalid_slots_keep_the_old_ones(sim, relay):
    mark = relay.mark()
    with open(relay.path("config/slots.json"), "w", encoding="utf-8") as file:
        file.write('{"slots": [')
    line = relay.wait_for(
        "config.reload", lambda l: "slots.json" in l["file"] and not l["ok"], since=mark)
    assert line["reason"]
    assert relay.responses("hello").status == 200
    relay.kill()  # it cannot merge into such a file; what it says about it is not the point here


def test_reload_does_not_disturb_streams(sim, relay):
    stream = Background(lambda: relay.responses("count to 50 every 10ms", stream=True))
    sim.wait("events>=5", path="/codex/responses")
    for _ in range(5):
        mark = relay.mark()
        relay.signal(signal.SIGHUP)
        relay.wait_for("config.reload", lambda l: l["ok"] and "slots" in l["file"], since=mark)
    assert len(responses_text(stream.result()).split()) == 50


def test_second_relay_on_the_same_port_says_why(sim, relay, start_relay):
    other = start_relay(start=False)
    other.change_config({"listen": relay.address})
    with pytest.raises(AssertionError):
        other.start()
    assert other.wait_end() != 0
    assert relay.address in "".join(other.noise)
    other.noise.clear()


def test_serve_without_a_runtime_directory(sim, start_relay):
    relay = start_relay(start=False)
    os.unlink(relay.path("config/relay.json"))
    with pytest.raises(AssertionError):
        relay.start()
    assert relay.wait_end() != 0
    assert "init" in "".join(relay.noise)
    relay.noise.clear()


# --- The log

def test_log_lines_of_a_request(sim, relay):
    start = relay.log("server.start")[0]
    assert start["listen"] == relay.address and start["pid"] == relay.pid
    assert (start["slots"], start["eligible"]) == (3, 3) and start["version"]
    sim.script(1, {"status": 500, "body": {"error": {"code": "server_error", "message": "oops"}}})
    reply = relay.chat("hello", stream=True)
    (begun,) = relay.lines_of(reply, "request.start")
    assert (begun["method"], begun["path"]) == ("POST", "/v1/chat/completions")
    assert (begun["dialect"], begun["model"], begun["stream"]) == ("chat", "gpt-5.5", True)
    first, second = relay.lines_of(reply, "slot.selection")
    assert (first["slot_id"], first["attempt"]) == ("slot-1", 1)
    assert second["attempt"] == 2 and second["others"]["slot-1"] == "tried"
    (failed,) = relay.lines_of(reply, "attempt.failed")
    assert (failed["slot_id"], failed["class"], failed["next"]) == (
        "slot-1", "transient", "other_slot")
    (done,) = relay.lines_of(reply, "request.finish")
    assert (done["status"], done["slot_id"], done["attempts"]) == (200, second["slot_id"], 2)
    assert 0 <= done["queue_ms"] <= done["first_byte_ms"] <= done["total_ms"]
    assert done["input_tokens"] > 0 and done["output_tokens"] > 0
    assert done["total_tokens"] == done["input_tokens"] + done["output_tokens"]
    for line in relay.log():
        assert line["time"].endswith("Z") and line["level"] in ("info", "warn", "error")


def test_log_escapes_and_cuts_what_clients_send(sim, relay):
    evil = "evil\n{\"event\":\"forged\"}\r\u2028\x1b[31m" + "x" * 5000
    reply = relay.responses("hello", model=evil)
    assert reply.status == 400
    line = relay.lines_of(reply, "request.start")[0]
    assert line["model"].startswith('evil\n{"event":"forged"}') and len(line["model"]) < 2000
    assert not relay.log("forged") and not relay.noise


def test_no_token_in_logs_answers_and_state(sim, relay):
    token = relay.tokens[0].decode()
    leaks = [
        {"status": 400, "body": {"error": {"message": f"bad token {token}", "code": "x"}}},
        {"status": 500, "body": {"error": {"message": f"oops {token}", "code": "server_error"}}},
        {"status": 401, "body": {"error": {"message": f"no {token}", "code": "token_expired"}}},
    ]
    for script in leaks:
        sim.script(1, script)
        relay.responses("hello", headers={"session-id": str(script["status"])})
    in_parallel([lambda: relay.get("/healthz"), lambda: relay.get("/v1/models"),
                 lambda: relay.cli("slot-list"), lambda: relay.cli("health")])
    relay.stop()  # checks logs and answers
    for path, _, files in os.walk(relay.root):
        for name in files:
            with open(os.path.join(path, name), "rb") as file:
                data = file.read()
            assert name == "auth-profiles.json" or token.encode() not in data, name


def test_limits_are_learnt_while_an_answer_is_running(sim, relay):
    sim.set_account(1, primary={"used_percent": 95})
    with relay.stream("count to 2000 every 100ms") as stream:
        assert stream.wait_head() == 200
        relay.wait_for("config.reload")  # the relay has seen what it wrote a second later
        assert relay.records()["slot-1"]["usage"]["fivePct"] <= 5
        assert relay.health()["inflight"] == 1
    relay.wait_for("request.finish")
