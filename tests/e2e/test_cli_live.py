"""Commands beside a running relay: what it tells goes before the files, and what they change reaches it."""
import http.server
import json
import os
import signal
import socket
import subprocess
import threading

import pytest

import clilib
import relaylib
import simlib
from clilib import FAILED, NOT_FOUND, OK

LIMIT = {"status": 429, "body": {"error": {"type": "usage_limit_reached", "message": "used up",
                                          "resets_in_seconds": 3600}}}


@pytest.fixture
def sim():
    with simlib.Sim("--accounts", "3") as sim:
        yield sim


@pytest.fixture
def relay(sim):
    """Serves at an address that its own configuration names, so that commands find it."""
    with relaylib.Relay(sim, slots=2) as relay:
        relay.change_config({"listen": relay.address})
        yield relay


def run(relay, *words, status=OK):
    done = clilib.with_pipes([relay.binary, "--runtime-root", relay.root, *words])
    relay.outputs += [done.text.encode(), done.errors.encode()]
    assert done.status == status, done.errors
    return json.loads(done.text) if done.text else done.errors


# --- health and slot-list -----------------------------------------------------------------------


def test_requests_in_flight_are_seen_in_the_running_relay(relay, sim):
    sim.script("acct-1", {"stall": "after_head"})
    with relay.stream("hello") as stream:
        sim.wait("active>=1")
        listed = run(relay, "slot-list")
        assert listed["source"] == "relay"
        assert [s["inflight"] for s in listed["slots"]] == [1, 0]
        health = run(relay, "health")
        assert health["busy"] == ["slot-1"]
        assert health["relay"]["state"] == "up" and health["relay"]["inflight"] == 1
        assert health["running"] is True and health["warnings"] == []
        shown = clilib.on_terminal([relay.binary, "--runtime-root", relay.root, "slot-list"], 80)
        assert "slot-1  ready, 1 running" in shown.plain
        stream.reset()
    assert run(relay, "slot-list")["source"] == "relay"


def test_cooldown_that_no_file_knows_yet(relay, sim):
    sim.script("acct-1", LIMIT)
    assert relay.responses().status == 200
    slot = run(relay, "slot-list")["slots"][0]
    assert (slot["state"], slot["eligible"]) == ("cooldown", False)
    recovery = run(relay, "health")["nextRecovery"]
    assert (recovery["slot"], recovery["reason"]) == ("slot-1", "cooldown")
    assert recovery["at"] == slot["runtime"]["cooldownUntil"]


def test_files_tell_when_nothing_runs(relay):
    relay.stop()
    assert run(relay, "slot-list")["source"] == "files"
    health = run(relay, "health")
    assert (health["running"], health["relay"]["state"]) == (False, "down")
    shown = clilib.on_terminal([relay.binary, "--runtime-root", relay.root, "health"])
    assert "not running" in shown.plain and "as the files tell" in shown.plain


def test_relay_with_another_token(relay, sim):
    with relaylib.Relay(sim, slots=1, start=False, config={
            "authToken": "another-token", "listen": relay.address}) as other:
        health = run(other, "health")
        assert health["running"] is True and health["source"] == "files"
        assert health["relay"]["state"] == "closed" and health["relay"]["version"]
        assert "does not take this configuration's token" in health["relay"]["problem"]
        assert len(health["warnings"]) == 1


def test_relay_of_another_directory(relay, sim):
    with relaylib.Relay(sim, slots=1, start=False, config={"listen": relay.address}) as other:
        health = run(other, "health")
        assert health["relay"]["state"] == "other" and health["source"] == "files"
        assert health["slots"] == 1


def test_admin_token_is_used_when_there_is_one(sim):
    with relaylib.Relay(sim, slots=1, config={"adminToken": "for-operators-only"}) as relay:
        relay.change_config({"listen": relay.address})
        assert run(relay, "slot-list")["source"] == "relay"


def test_something_else_that_listens(relay):
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(404)

        def log_message(self, *_):
            pass

    relay.stop()
    server = http.server.HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        relay.change_config({"listen": "127.0.0.1:%d" % server.server_address[1]})
        health = run(relay, "health")
        assert (health["running"], health["relay"]["state"]) == (True, "foreign")
        shown = clilib.on_terminal([relay.binary, "--runtime-root", relay.root, "health"])
        assert "running, but it is not a relay" in shown.plain
    finally:
        server.shutdown()
        server.server_close()


def test_something_that_listens_and_says_nothing(relay):
    relay.stop()
    with socket.create_server(("127.0.0.1", 0)) as server:
        relay.change_config({"listen": "127.0.0.1:%d" % server.getsockname()[1]})
        health = run(relay, "health")
        assert (health["running"], health["relay"]["state"]) == (True, "silent")
        assert run(relay, "slot-list")["source"] == "files"


# --- slot-reset ---------------------------------------------------------------------------------


def cool_down(relay, sim):
    for account in ("acct-1", "acct-2"):
        sim.script(account, LIMIT)
    assert relay.responses().status == 429
    assert relay.responses().status == 429


def reset(relay, slot):
    shown = run(relay, "slot-reset", "--slot", slot)["slot"]
    relay.wait_until(lambda: relay.shown(slot)["runtime"]["cooldownUntil"] is None)
    return shown


def test_reset_reaches_the_running_relay(relay, sim):
    cool_down(relay, sim)
    shown = reset(relay, "2")
    assert shown["runtime"] == {"cooldownUntil": None, "lastError": None, "consecutiveFailures": 0,
                                "lastUsedAt": shown["runtime"]["lastUsedAt"]}
    reply = relay.responses()
    assert (reply.status, reply.headers["x-relay-slot-id"]) == (200, "slot-2")
    live = {s["id"]: s for s in run(relay, "slot-list")["slots"]}
    assert live["slot-2"]["state"] == "ready" and live["slot-2"]["cooldownReason"] is None
    assert live["slot-1"]["state"] == "cooldown"


def test_reset_is_not_undone_when_the_relay_saves_what_it_knew(relay, sim):
    cool_down(relay, sim)
    reset(relay, "1")
    relay.stop()  # writes all that is not written yet
    record = relay.records()["slot-1"]
    assert record["runtime"]["cooldownUntil"] is None
    assert record["runtime"]["lastError"] is None
    assert "cooldownReason" not in record["relay"] and record["relay"]["resetAt"]
    assert relay.records()["slot-2"]["runtime"]["cooldownUntil"]
    relay.start()
    assert relay.responses().headers["x-relay-slot-id"] == "slot-1"


def test_second_reset_counts_too(relay, sim):
    for _ in range(2):
        cool_down(relay, sim)
        reset(relay, "1")
        reset(relay, "2")
    assert relay.responses().status == 200


def test_reset_without_a_running_relay(relay, sim):
    cool_down(relay, sim)
    relay.stop()
    assert run(relay, "slot-list")["slots"][0]["state"] == "cooldown"
    assert run(relay, "slot-reset", "--slot", "slot-1")["slot"]["state"] == "ready"
    relay.start()
    assert relay.responses().status == 200


def test_reset_enables_what_the_relay_disabled_and_nothing_else(relay, sim):
    sim.set_account(1, state="deactivated")
    assert relay.responses().status == 200  # by the other slot
    relay.stop()
    assert relay.records()["slot-1"]["relay"]["disabledReason"]
    run(relay, "slot-disable", "--slot", "2")
    assert run(relay, "slot-reset", "--slot", "1")["slot"]["enabled"] is True
    assert "disabledReason" not in relay.records()["slot-1"]["relay"]
    done = clilib.with_pipes([relay.binary, "--runtime-root", relay.root, "slot-reset", "--slot", "2"])
    assert done.status == OK and "slot-2 stays disabled" in done.errors
    assert relay.records()["slot-2"]["enabled"] is False


def test_reset_of_a_slot_that_is_not_there(relay):
    assert "there is no slot-9" in run(relay, "slot-reset", "--slot", "9", status=NOT_FOUND)


# --- test-runner --------------------------------------------------------------------------------


def test_prompt_goes_through_the_slot_that_was_named(relay, sim):
    before = relay.records()["slot-2"]
    result = run(relay, "test-runner", "--slot", "2", "--prompt", "say exactly: hi\nthere", "--model",
                 "gpt-5.5")
    assert (result["slot"], result["text"], result["model"]) == ("slot-2", "hi\nthere", "gpt-5.5")
    sent, = sim.turns()
    assert sent.account == "acct-2" and sent.json["model"] == "gpt-5.5"
    assert sent.json["prompt_cache_key"] == result["sessionId"] == sent.header("session_id")
    after = relay.records()["slot-2"]
    assert after["runtime"] == before["runtime"] and after["usage"] != before["usage"]
    assert after["relay"]["windows"]["5h"]["windowMinutes"] == 300


def test_model_of_the_slot_is_the_default(relay, sim):
    run(relay, "test-runner", "--slot", "1", "--prompt", "x")
    assert sim.turns()[0].json["model"] == relay.records()["slot-1"]["modelDefault"]


@pytest.mark.parametrize("prompt, told", [
    ("fail rate_limit_exceeded", "slot-1: rate_limit: "),
    ("fail usage_limit_reached", "slot-1: "),
    ("fail server_is_overloaded", "slot-1: transient: "),
])
def test_failure_is_told_with_its_class_and_changes_no_runtime(relay, prompt, told):
    before = relay.records()["slot-1"]["runtime"]
    errors = run(relay, "test-runner", "--slot", "1", "--prompt", prompt, status=FAILED)
    assert told in errors
    assert relay.records()["slot-1"]["runtime"] == before


def test_stream_that_breaks_off_is_a_failure(relay, sim):
    sim.script("acct-1", {"cut_after_events": 4})
    assert "truncated" in run(relay, "test-runner", "--slot", "1", "--prompt", "x", status=FAILED)


def test_model_that_the_account_lacks(relay):
    errors = run(relay, "test-runner", "--slot", "1", "--prompt", "x", "--model", "nope",
                 status=FAILED)
    assert "slot-1: entitlement: " in errors and "nope" in errors


def test_runner_on_a_terminal_prints_the_text_alone(relay):
    done = clilib.on_terminal([relay.binary, "--runtime-root", relay.root, "test-runner", "--slot", "1",
                               "--prompt", "say exactly: a\033[2Jb\nc"])
    assert (done.status, done.text) == (OK, "a?[2Jb\nc\n")


def test_runner_uses_a_slot_that_gets_no_requests(relay):
    run(relay, "slot-disable", "--slot", "2")
    assert run(relay, "test-runner", "--slot", "2", "--prompt", "say exactly: x")["text"] == "x"
    assert "no slot-7" in run(relay, "test-runner", "--slot", "7", "--prompt", "x", status=NOT_FOUND)


def test_token_is_refreshed_once_when_the_prompt_needs_it(sim):
    with relaylib.Relay(sim, slots=2, start=False, config={
            "auth": {"issuer": sim.issuer}}) as relay:
        sim.set_account(1, revoke_access=True)  # the slot learns it from the 401
        name = "state/slots/slot-2/agent/auth-profiles.json"
        doc = relay.read_json(name)
        doc["profiles"]["openai-codex:default"]["expires"] = 1700000000000
        relay.write_json(name, doc)
        before = {slot: record["runtime"] for slot, record in relay.records().items()}
        for slot in ("1", "2"):
            assert run(relay, "test-runner", "--slot", slot, "--prompt", "say exactly: x")["text"] == "x"
        assert sim.control("GET", "stats")["refreshes"] == 2
        assert {s: r["runtime"] for s, r in relay.records().items()} == before
        sim.set_account(2, revoke_access=True, revoke_refresh=True)
        errors = run(relay, "test-runner", "--slot", "2", "--prompt", "x", status=FAILED)
        assert "slot-2: auth: " in errors and "slot-login" in errors


# --- pipes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["slot-list"], ["health"], ["--help"], ["config", "list"],
                                   ["completion", "bash"]])
@pytest.mark.parametrize("ignored", [False, True])
def test_reader_that_goes_away_is_told_nothing(relay, words, ignored):
    ours, theirs = os.pipe()
    os.close(ours)
    child = subprocess.Popen(
        [relay.binary, "--runtime-root", relay.root, *words], stdout=theirs, stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL, env=clilib.environment(), restore_signals=not ignored)
    os.close(theirs)
    _, errors = child.communicate(timeout=clilib.TIMEOUT)
    assert errors == b""
    assert child.returncode in (-signal.SIGPIPE, FAILED)
