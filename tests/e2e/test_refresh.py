"""Tokens that expire, are refused, rotate, get lost: one refresh, durable, and never a second one."""
import copy
import datetime
import os
import resource
import signal
import time

import pytest

from inotify import Watch
from relaylib import QUIET, Relay, in_parallel, merge, responses_text
from simlib import Background

TOKEN_LIFE = 864000  # seconds, of the simulator's tokens
PATH = "/oauth/token"
NOTE = "state/slots/slot-1/agent/auth-profiles.json.refresh"
PERMANENT = ["invalid_grant", "refresh_token_expired", "refresh_token_reused",
             "refresh_token_invalidated", "token_revoked", "app_session_terminated"]
ELIGIBLE = ("chosen", "lower_rank", "unknown_usage", "below_threshold", "not_pinned")


@pytest.fixture
def start_relay(sim):
    """As everywhere, but who asks for a token is the test."""
    running = []

    def start(config=None, **options):
        config = merge(copy.deepcopy(QUIET), config or {})
        running.append(Relay(sim, config=config, **options))
        return running[-1]

    yield start
    for one in reversed(running):  # those that are beside another one first
        try:
            one.stop()
        finally:
            one.kill()
            one.remove()


def age_token(sim, account, left):
    """The account's access token was made long ago and has `left` seconds to live."""
    sim.advance(left - TOKEN_LIFE)
    sim.set_account(account, access_expires_in=TOKEN_LIFE)
    sim.advance(TOKEN_LIFE - left)


def knows_its_file(relay, number):
    told = datetime.datetime.fromisoformat(relay.shown(number)["expiresAt"].replace("Z", "+00:00"))
    return round(told.timestamp() * 1000) == relay.profile(number)["expires"]


def import_again(relay, number, *others):
    """What the simulator's account has now becomes the slot's, also in relays that run."""
    relay.add_slot(number)
    for one in (relay, *others):
        if one.process:
            one.wait_until(lambda one=one: knows_its_file(one, number))


def expire(sim, relay, number, *others, left=-60):
    """What the issuer is to answer is told to the simulator before: the relay's own plan may ask it
    as soon as the slot has such a token."""
    age_token(sim, number, left)
    import_again(relay, number, *others)


def age_file(relay, number):
    """It was written long ago: the plan leaves a pair alone that has just come."""
    path = relay.path(f"state/slots/slot-{number}/agent/auth-profiles.json")
    os.utime(path, (0, time.time() - TOKEN_LIFE))


def refreshes(sim):
    return sim.stats()["refreshes"]


def token_requests(sim):
    return sim.requests(path=PATH)


def shown(relay, number=1):
    return {s["id"]: s for s in relay.cli("slot-list")["slots"]}[f"slot-{number}"]


def state_of(relay, number=1):
    """How the running relay sees the slot: "ready", or why it does not take it."""
    reply = relay.responses("hello", headers={"session-id": os.urandom(8).hex()})
    line = relay.lines_of(reply, "slot.selection")[0]
    reason = line["others"].get(f"slot-{number}", "chosen")
    return "ready" if reason in ELIGIBLE else reason


def limit_files(relay, size):
    """No file of the relay may grow beyond size: a full disk, or none any more."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.prlimit(relay.pid, resource.RLIMIT_FSIZE, (size, limits[1]))


# --- Once

def test_expired_slot_hit_by_two_relays_and_two_commands_is_refreshed_once(sim, start_relay):
    relay = start_relay(slots=1, config={"usage": {"backend": "codex-api"}})  # it may ask too
    other = start_relay(beside=relay)
    # Longer than the commands take to start: one that comes behind the refresh would ask for another.
    sim.script(1, {"path": PATH, "delay_ms": 4000})
    expire(sim, relay, 1, other)
    mark = other.mark()
    calls = [lambda i=i: (relay if i % 2 else other).responses(f"say exactly: {i}")
             for i in range(50)]
    calls += [lambda: relay.run("slot-refresh", "--slot", "1")] * 2
    results = in_parallel(calls)
    for i, reply in enumerate(results[:50]):
        assert (reply.status, responses_text(reply)) == (200, str(i))
    assert [r.returncode for r in results[50:]] == [0, 0], results[50:]
    assert refreshes(sim) == 1
    assert len(token_requests(sim)) == 1
    assert sim.stats()["refresh_reuses"] == 0
    assert relay.profile(1)["refresh"] == sim.auth_profiles(1)[
        "profiles"]["openai-codex:default"]["refresh"]
    assert not os.path.exists(relay.path(NOTE)), "nothing is in doubt"
    assert not other.log("attempt.failed", since=mark)


def test_refresh_costs_no_file_access_for_each_waiting_request(sim, start_relay):
    relay = start_relay(slots=1, config={"slotConcurrency": 100})
    sim.script(1, {"path": PATH, "delay_ms": 300})
    expire(sim, relay, 1)
    agent = relay.path("state/slots/slot-1/agent")
    with Watch(agent, relay.path("run")) as watch:
        replies = in_parallel([lambda: relay.responses("hello")] * 60)
        changes = watch.changes()
    assert {r.status for r in replies} == {200}
    assert refreshes(sim) == 1
    assert len(changes) < 30, changes


def test_slot_refresh_command_rotates_the_grant_and_the_relay_goes_on_with_it(sim, start_relay):
    relay = start_relay(slots=1)
    before = relay.profile(1)
    mark = relay.mark()
    result = relay.cli("slot-refresh", "--slot", "1")
    after = relay.profile(1)
    assert result["ok"] and result["slot"]["state"] == "ready"
    assert before["refresh"] != after["refresh"] and before["access"] != after["access"]
    assert before["email"] == after["email"] and before["accountId"] == after["accountId"]
    relay.wait_for("slot.credential", since=mark)
    assert relay.responses("hello").status == 200
    assert sim.turns()[0].header("authorization") == sim.turns()[-1].header("authorization")
    assert refreshes(sim) == 1


def test_slot_refresh_says_what_is_wrong(sim, start_relay):
    relay = start_relay(slots=1, start=False)
    missing = relay.run("slot-refresh", "--slot", "7")
    assert missing.returncode == 4 and "slot-7" in missing.stderr
    path = "state/slots/slot-1/agent/auth-profiles.json"
    doc = relay.read_json(path)
    del doc["profiles"]["openai-codex:default"]["refresh"]
    relay.write_json(path, doc)
    without = relay.run("slot-refresh", "--slot", "1")
    assert without.returncode == 1 and "no refresh token" in without.stderr
    os.unlink(relay.path(path))
    nothing = relay.run("slot-refresh", "--slot", "1")
    assert nothing.returncode == 1 and "credential" in nothing.stderr
    assert not token_requests(sim)


def test_unknown_members_of_the_file_survive(sim, start_relay):
    relay = start_relay(slots=1, start=False)
    path = "state/slots/slot-1/agent/auth-profiles.json"
    doc = relay.read_json(path)
    doc["extra"] = [1]
    doc["profiles"]["openai-codex:default"]["note"] = "kept"
    doc["profiles"]["other:profile"] = {"type": "api_key"}
    relay.write_json(path, doc)
    relay.cli("slot-refresh", "--slot", "1")
    after = relay.read_json(path)
    assert after["extra"] == [1] and after["profiles"]["other:profile"] == {"type": "api_key"}
    assert after["profiles"]["openai-codex:default"]["note"] == "kept"
    assert os.stat(relay.path(path)).st_mode & 0o777 == 0o600


# --- When

def test_request_waits_for_the_token_of_an_expired_slot(sim, start_relay):
    relay = start_relay(slots=1)
    expire(sim, relay, 1)
    assert relay.health()["slotsDetail"]["eligible"] == 1, "it can get a token"
    reply = relay.responses("say exactly: fresh")
    assert (reply.status, responses_text(reply)) == (200, "fresh")
    assert refreshes(sim) == 1
    assert relay.wait_for("slot.refresh")["cause"] == "expiry"
    assert len(sim.turns()) == 1, "the expired token was not sent"


def test_token_about_to_expire_serves_while_it_is_refreshed(sim, start_relay):
    relay = start_relay(slots=1)
    sim.script(1, {"path": PATH, "stall": True})
    expire(sim, relay, 1, left=120)
    reply = relay.responses("hello")
    assert reply.status == 200
    sim.wait("requests==1,active==1", path=PATH)
    assert relay.responses("again").status == 200
    assert len(token_requests(sim)) == 1


def test_disabled_and_idle_slots_are_refreshed_in_the_background(sim, start_relay):
    relay = start_relay(slots=3, start=False)
    for number in (1, 2):
        expire(sim, relay, number, left=3600)
        age_file(relay, number)
    relay.cli("slot-disable", "--slot", "2")
    relay.start()
    sim.wait("requests==2,active==0", path=PATH)
    for number in (1, 2):
        line = relay.wait_for("slot.refresh", lambda l, n=number: l["slot_id"] == f"slot-{n}")
        assert (line["result"], line["cause"]) == ("ready", "plan")
    first, second = [r.record for r in token_requests(sim)]
    assert second["time_ms"] >= first["end_time_ms"] + 1000, "one account after another"
    assert sim.stats()["refreshes_by_account"]["acct-3"] == 0, "it is not due"
    assert shown(relay, 2)["enabled"] is False and shown(relay, 2)["credential"]["state"] == "ok"


def test_401_brings_another_token_for_the_same_slot(sim, start_relay):
    relay = start_relay(slots=2)
    sim.set_account(1, revoke_access=True)
    reply = relay.responses("say exactly: same")
    assert (reply.status, responses_text(reply)) == (200, "same")
    assert reply.headers["x-relay-slot-id"] == "slot-1"
    assert [t.account for t in sim.turns()] == ["acct-1", "acct-1"]
    failed = relay.lines_of(reply, "attempt.failed")
    assert [(l["class"], l["next"]) for l in failed] == [("auth", "same_slot_refreshed")]
    assert refreshes(sim) == 1
    assert relay.wait_for("slot.refresh")["cause"] == "refused"


def test_401_of_many_requests_at_once_refreshes_once(sim, start_relay):
    relay = start_relay(slots=1)
    sim.set_account(1, revoke_access=True)
    replies = in_parallel([lambda: relay.responses("hello")] * 20)
    assert {r.status for r in replies} == {200}
    assert refreshes(sim) == 1
    assert state_of(relay) == "ready"


def test_401_for_a_fresh_token_too_is_the_end_of_the_login(sim, start_relay):
    relay = start_relay(slots=2)
    refused = {"status": 401, "body": {"error": {"code": "token_invalidated", "message": "no"}}}
    sim.script(1, {**refused, "repeat": 2})
    reply = relay.responses("say exactly: other")
    assert (reply.status, responses_text(reply)) == (200, "other")
    assert reply.headers["x-relay-slot-id"] == "slot-2"
    assert refreshes(sim) == 1
    relay.stop()
    assert shown(relay)["state"] == "reauth_required"


# --- Dead

@pytest.mark.parametrize("code", PERMANENT)
def test_permanent_refusal_needs_a_login_across_restarts(sim, start_relay, code):
    relay = start_relay(slots=2)
    sim.script(1, {"path": PATH, "status": 400, "body": {"error": {"code": code, "message": "x"}}})
    expire(sim, relay, 1)
    reply = relay.responses("hello")
    assert reply.status == 200 and reply.headers["x-relay-slot-id"] == "slot-2"
    assert relay.wait_for("slot.refresh")["result"] == "reauth_required"
    assert state_of(relay) == "reauth_required"
    relay.stop()
    assert shown(relay)["state"] == "reauth_required"
    assert code in shown(relay)["runtime"]["lastError"]
    relay.start()
    assert relay.responses("again").headers["x-relay-slot-id"] == "slot-2"
    assert len(token_requests(sim)) == 1, "it is not asked again"
    sim.set_account(1, login=True)
    import_again(relay, 1)
    assert state_of(relay) == "ready"


def test_one_slot_with_a_dead_login_says_so(sim, start_relay):
    relay = start_relay(slots=1)
    expire(sim, relay, 1)
    sim.set_account(1, revoke_refresh=True)
    reply = relay.responses("hello")
    assert (reply.status, reply.json["error"]["code"]) == (502, "upstream_auth")
    failed = relay.run("slot-refresh", "--slot", "1")
    assert failed.returncode == 1 and "log in again" in failed.stderr


def test_newer_grant_in_the_file_wins_over_a_refusal(sim, start_relay):
    relay = start_relay(slots=1)
    sim.script(1, {"path": PATH, "status": 400, "delay_ms": 1000,
                   "body": {"error": "invalid_grant"}})
    expire(sim, relay, 1)
    asked = Background(lambda: relay.responses("say exactly: newer"))
    sim.wait("requests==1,active==1", path=PATH)
    sim.set_account(1, login=True)  # by a program that knows nothing of locks
    path = relay.path("state/slots/slot-1/agent/auth-profiles.json")
    sim.write_auth_profiles(1, path + ".new")
    os.rename(path + ".new", path)
    reply = asked.result()
    assert (reply.status, responses_text(reply)) == (200, "newer")
    assert state_of(relay) == "ready"


# --- Later

def test_retry_after_of_the_issuer_is_kept(sim, start_relay):
    relay = start_relay(slots=1)
    sim.script(1, {"path": PATH, "status": 429, "headers": {"retry-after": "120"},
                   "body": {"error": {"code": "rate_limit_exceeded"}}})
    expire(sim, relay, 1)
    for _ in range(3):
        reply = relay.responses("hello")
        assert (reply.status, reply.json["error"]["code"]) == (503, "token_refresh_failed")
        assert 100 < int(reply.headers["retry-after"]) <= 120
    assert len(token_requests(sim)) == 1
    assert not os.path.exists(relay.path(NOTE))
    assert relay.health()["slotsDetail"]["eligible"] == 0
    # An operator may try at once.
    relay.cli("slot-refresh", "--slot", "1")
    assert len(token_requests(sim)) == 2


@pytest.mark.parametrize("answer", [
    {"status": 500, "body": {"error": {"code": "server_error"}}},
    {"status": 503, "body": "busy"},
    {"status": 400, "body": {"error": "invalid_request"}},
], ids=["500", "503", "400"])
def test_refusal_for_now_goes_to_another_slot_and_is_tried_again(sim, start_relay, answer):
    relay = start_relay(slots=2)
    sim.script(1, {"path": PATH, **answer})
    expire(sim, relay, 1)
    reply = relay.responses("hello")
    assert (reply.status, reply.headers["x-relay-slot-id"]) == (200, "slot-2")
    assert [l["next"] for l in relay.lines_of(reply, "token.failed")] == ["other_slot"]
    assert state_of(relay) == "expired"
    relay.cli("slot-refresh", "--slot", "1")
    assert refreshes(sim) == 1


def test_issuer_that_is_not_there_spends_nothing(sim, start_relay):
    relay = start_relay(slots=1, config={"auth": {"issuer": "http://127.0.0.1:1"}})
    expire(sim, relay, 1)
    reply = relay.responses("hello")
    assert (reply.status, reply.json["error"]["code"]) == (503, "token_refresh_failed")
    assert not os.path.exists(relay.path(NOTE))
    relay.stop()
    relay.change_config({"auth": {"issuer": sim.issuer}})
    relay.start()
    assert relay.responses("hello").status == 200


# --- In doubt

LOST = [
    {"reset": True},
    {"status": 502, "body": {"error": {"code": "server_error"}}},
    {"status": 200, "body": {}},
    {"status": 200, "body": {"access_token": "", "refresh_token": "x"}},
    {"status": 200, "body": "<html>"},
]


@pytest.mark.parametrize("answer", LOST, ids=["reset", "502", "empty", "no_token", "html"])
def test_lost_answer_is_never_asked_for_again(sim, start_relay, answer):
    relay = start_relay(slots=1)
    sim.script(1, {"path": PATH, **answer})
    expire(sim, relay, 1)
    assert relay.responses("hello").status == 502
    assert state_of(relay) == "reauth_required"
    assert relay.run("slot-refresh", "--slot", "1").returncode == 1
    relay.stop()
    assert shown(relay)["state"] == "reauth_required"
    relay.start()
    assert state_of(relay) == "reauth_required"
    assert len(token_requests(sim)) == 1
    sim.set_account(1, login=True)
    import_again(relay, 1)
    assert relay.responses("hello").status == 200


def test_slot_in_doubt_serves_until_its_token_is_over(sim, start_relay):
    relay = start_relay(slots=1, start=False)
    expire(sim, relay, 1, left=3600)
    age_file(relay, 1)
    sim.script(1, {"path": PATH, "reset": True})
    relay.start()
    assert relay.wait_for("slot.refresh")["result"] == "ready"
    assert "log in again" in relay.log("slot.refresh")[0]["message"]
    assert relay.responses("hello").status == 200
    relay.stop()
    relay.start()
    assert relay.responses("hello").status == 200
    assert shown(relay)["credential"]["state"] == "in_doubt"
    assert len(token_requests(sim)) == 1
    sim.set_account(1, revoke_access=True)
    assert relay.responses("hello").status == 502
    assert state_of(relay) == "reauth_required"
    assert len(token_requests(sim)) == 1


# --- Crashes

@pytest.mark.parametrize("point,newer", [
    ("refresh-before-send", False), ("refresh-after-answer", False), ("refresh-after-write", True)])
def test_kill_9_during_a_refresh_never_loses_a_grant_silently(sim, start_relay, point, newer):
    relay = start_relay(slots=1, start=False)
    expire(sim, relay, 1)
    before = relay.profile(1)
    relay.start(env={"RELAY_FAULT": point})
    asked = Background(lambda: relay.responses("hello"))
    assert relay.wait_end() == -signal.SIGKILL
    assert asked.result().reset
    assert (relay.profile(1)["refresh"] != before["refresh"]) == newer
    mark = relay.mark()
    relay.start()
    assert relay.responses("hello").status == (200 if newer else 502)
    if not newer:
        assert relay.wait_for("slot.refresh", since=mark)["result"] == "reauth_required"
        assert state_of(relay) == "reauth_required"
        relay.stop()
        assert shown(relay)["state"] == "reauth_required"
        assert "log in again" in shown(relay)["runtime"]["lastError"]
        relay.start()
    assert sim.stats()["refresh_reuses"] == 0
    assert len(token_requests(sim)) == (0 if point == "refresh-before-send" else 1)
    sim.set_account(1, login=True)
    import_again(relay, 1)
    assert relay.responses("hello").status == 200


def test_command_killed_in_a_refresh_is_noticed_by_the_running_relay(sim, start_relay):
    relay = start_relay(slots=1)
    killed = relay.run("slot-refresh", "--slot", "1", env={"RELAY_FAULT": "refresh-after-answer"})
    assert killed.returncode == -signal.SIGKILL
    assert relay.responses("hello").status == 200, "the access token is still good"
    assert relay.run("slot-refresh", "--slot", "1").returncode == 1
    sim.set_account(1, revoke_access=True)
    assert relay.responses("hello").status == 502
    assert len(token_requests(sim)) == 1
    assert state_of(relay) == "reauth_required"


# --- Ends

def test_client_that_goes_does_not_stop_the_refresh(sim, start_relay):
    relay = start_relay(slots=1)
    sim.script(1, {"path": PATH, "delay_ms": 500})
    expire(sim, relay, 1)
    before = relay.profile(1)["refresh"]
    with relay.stream("hello"):
        sim.wait("requests==1,active==1", path=PATH)
    assert relay.wait_for("request.finish")["status"] == 499
    assert relay.wait_for("slot.refresh")["result"] == "ready"
    assert relay.profile(1)["refresh"] != before
    assert relay.responses("hello").status == 200
    assert refreshes(sim) == 1


def test_answer_that_comes_during_the_shutdown_is_written(sim, start_relay):
    relay = start_relay(slots=1, config={"drainTimeoutSeconds": 0})
    sim.script(1, {"path": PATH, "delay_ms": 2000})
    expire(sim, relay, 1)
    before = relay.profile(1)["refresh"]
    asked = Background(lambda: relay.responses("hello"))
    sim.wait("requests==1,active==1", path=PATH)
    relay.stop()
    assert asked.result().status == 503
    assert relay.profile(1)["refresh"] != before
    assert not os.path.exists(relay.path(NOTE))
    relay.start()
    assert relay.responses("hello").status == 200
    assert refreshes(sim) == 1


def test_issuer_that_stays_silent_does_not_hold_up_the_shutdown(sim, start_relay):
    relay = start_relay(slots=1, config={"drainTimeoutSeconds": 0})
    sim.script(1, {"path": PATH, "stall": True})
    expire(sim, relay, 1)
    asked = Background(lambda: relay.responses("hello"))
    sim.wait("requests==1,active==1", path=PATH)
    began = time.monotonic()
    relay.stop()
    assert time.monotonic() - began < 15
    assert asked.result().status == 503
    assert shown(relay)["state"] == "reauth_required"


def test_ctrl_c_of_a_command_waits_for_the_answer(sim, start_relay):
    relay = start_relay(slots=1, start=False)
    before = relay.profile(1)["refresh"]
    sim.script(1, {"path": PATH, "delay_ms": 700})
    relay.wrap = []
    done = Background(lambda: relay.run("slot-refresh", "--slot", "1"))
    sim.wait("requests==1,active==1", path=PATH)
    command = [int(pid) for pid in os.listdir("/proc") if pid.isdigit()
               and b"slot-refresh" in read_cmdline(pid) and relay.root.encode() in read_cmdline(pid)]
    os.kill(command[0], signal.SIGINT)
    assert done.result().returncode == -signal.SIGINT
    assert relay.profile(1)["refresh"] != before
    assert not os.path.exists(relay.path(NOTE))


def read_cmdline(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""


# --- Disk

def test_grant_that_cannot_be_written_is_kept_and_written_later(sim, start_relay):
    relay = start_relay(slots=1)
    sim.script(1, {"path": PATH, "delay_ms": 700})
    expire(sim, relay, 1)
    asked = Background(lambda: relay.responses("say exactly: served"))
    sim.wait("requests==1,active==1", path=PATH)
    limit_files(relay, 16)
    reply = asked.result()
    assert (reply.status, responses_text(reply)) == (200, "served"), "from memory: there is no other"
    assert relay.wait_for("slot.refresh.unsaved")
    mark = relay.mark()
    relay.cli("slot-enable", "--slot", "1")
    relay.wait_for("config.reload", since=mark)
    assert relay.responses("hello").status == 200, "the old file does not replace the new grant"
    limit_files(relay, resource.RLIM_INFINITY)
    assert relay.wait_for("slot.refresh")["result"] == "ready"
    granted = sim.auth_profiles(1)["profiles"]["openai-codex:default"]
    assert relay.profile(1)["refresh"] == granted["refresh"]
    assert not os.path.exists(relay.path(NOTE))
    assert refreshes(sim) == 1


def test_nothing_is_spent_while_nothing_can_be_written(sim, start_relay):
    relay = start_relay(slots=1)
    expire(sim, relay, 1)
    limit_files(relay, 16)
    reply = relay.responses("hello")
    assert (reply.status, reply.json["error"]["code"]) == (503, "token_refresh_failed")
    assert not token_requests(sim)
    limit_files(relay, resource.RLIM_INFINITY)
    mark = relay.mark()
    relay.cli("slot-refresh", "--slot", "1")
    assert refreshes(sim) == 1
    relay.wait_for("slot.credential", since=mark)
    assert state_of(relay) == "ready"


# --- Files of others

@pytest.mark.alone
def test_auth_file_of_another_process_is_used_within_a_second(sim, start_relay):
    relay = start_relay(slots=1)
    relay.responses("hello")
    sim.set_account(1, revoke_access=True, login=True)
    path = relay.path("state/slots/slot-1/agent/auth-profiles.json")
    mark = relay.mark()
    sim.write_auth_profiles(1, path + ".new")
    os.rename(path + ".new", path)
    relay.wait_for("slot.credential", since=mark, timeout=1)
    assert relay.responses("again").status == 200
    assert refreshes(sim) == 0 and len(sim.turns()) == 2, "the old token was not sent"


def test_broken_auth_file_does_not_end_a_good_credential(sim, start_relay):
    relay = start_relay(slots=1)
    path = "state/slots/slot-1/agent/auth-profiles.json"
    good = relay.read_json(path)
    mark = relay.mark()
    with open(relay.path(path), "w", encoding="utf-8") as file:
        file.write('{"profiles":')
    assert relay.wait_for("slot.credential", since=mark)["level"] == "warn"
    assert relay.responses("hello").status == 200
    relay.write_json(path, good)


def test_other_account_in_the_file_starts_afresh(sim, start_relay):
    relay = start_relay(slots=1)
    sim.set_account(1, primary={"used_percent": 100, "reset_in_seconds": 5000})
    assert relay.responses("hello").status == 429
    path = relay.path("state/slots/slot-1/agent/auth-profiles.json")
    mark = relay.mark()
    sim.write_auth_profiles(2, path + ".new")
    os.rename(path + ".new", path)
    relay.wait_for("slot.credential", since=mark)
    assert relay.responses("hello").status == 200
    assert sim.turns()[-1].account == "acct-2"
