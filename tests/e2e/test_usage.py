"""What is left of the slots' limits: polled in the background, asked by commands, set by hand."""
import json

import pytest

import relaylib
from relaylib import QUIET, Relay
from simlib import Sim

USAGE = "/wham/usage"
DEBUG = {"logLevel": "debug"}
OFTEN = {**DEBUG, "usageTtlSeconds": 1, "models": {"ttlSeconds": 0}}
HOUR = 3600


def window(used, reset_in=HOUR):
    return {"used_percent": used, "reset_in_seconds": reset_in}


def wait_checked(relay, slot, ok=True, since=0):
    """The next answer about a slot's usage, and that there is no other one in between."""
    return relay.wait_for(
        "usage.check", lambda l: l["slot_id"] == slot and l["ok"] == ok, since=since)


def wait_reload(relay, mark):
    relay.wait_for("config.reload", lambda l: l["file"] == "config/slots.json", since=mark)


def usage_of(relay, slot):
    return relay.records()[slot]["usage"]


# --- Background

def test_limits_are_known_before_the_first_request(sim, start_relay):
    sim.set_account(1, primary=window(10), secondary=window(90))
    sim.set_account(2, primary=window(20), secondary=window(30))
    relay = start_relay(slots=2, config=DEBUG)
    wait_checked(relay, "slot-1")
    wait_checked(relay, "slot-2")
    reply = relay.responses("hello")
    assert reply.headers["x-relay-slot-id"] == "slot-2", "it has most of its week left"


def test_question_is_honest_and_complete(sim, start_relay):
    relay = start_relay(slots=1, config=DEBUG)
    wait_checked(relay, "slot-1")
    question, = sim.requests(1, USAGE)
    assert (question.method, question.status) == ("GET", 200)
    headers = {k.lower(): v for k, v in question.record["headers"]}
    assert headers["originator"] == "codex_slot_relay"
    assert headers["user-agent"].startswith("codex-slot-relay/")
    assert headers["accept"] == "application/json"
    assert headers["chatgpt-account-id"]
    assert "content-type" not in headers


def test_slots_are_not_asked_in_one_burst():
    with Sim("--accounts", "6") as sim, Relay(sim, slots=6, config=DEBUG) as relay:
        for number in range(1, 7):
            wait_checked(relay, f"slot-{number}")
        times = [r.record["time_ms"] for r in sim.requests(path="/backend-api/")]
        assert len(times) >= 6
        assert min(b - a for a, b in zip(times, times[1:])) >= 50, "a pause between two starts"


def test_usage_is_asked_again_and_again(sim, start_relay):
    start_relay(slots=1, config=OFTEN)
    sim.wait("requests>=3", account=1, path=USAGE)


def test_what_was_learnt_is_stored(sim, start_relay):
    sim.set_account(1, primary=window(25), secondary=window(50), reset_credits=2,
                    credits={"has_credits": True, "unlimited": False, "balance": "5"})
    relay = start_relay(slots=1, config=DEBUG)
    wait_checked(relay, "slot-1")
    relay.stop()
    record = relay.records()["slot-1"]
    assert record["usage"]["fivePct"] == 75 and record["usage"]["weekPct"] == 50
    assert record["usage"]["usage5h"].startswith("75% left · resets ")
    assert record["relay"]["plan"] == "plus"
    assert record["relay"]["resetCredits"] == 2
    assert record["relay"]["credits"] == {"has": True, "unlimited": False}
    # The next start knows it, and does not ask at once.
    sim.clear_requests()
    relay.start()
    assert relay.cli("slot-list")["slots"][0]["resetCredits"] == 2
    assert relay.responses("hello").status == 200
    assert sim.requests(1, USAGE) == []


@pytest.mark.parametrize("plan, window_name", [("free", "month"), ("plus", "week")])
def test_windows_are_known_by_their_length(sim, start_relay, plan, window_name):
    sim.set_account(1, plan=plan)
    relay = start_relay(slots=1, config=DEBUG)
    wait_checked(relay, "slot-1")
    relay.stop()
    assert window_name in relay.records()["slot-1"]["relay"]["windows"]


# --- Failures

FAILURES = {
    "busy": {"status": 503, "body": {"error": {"code": "slow_down", "message": "busy"}}},
    "limited": {"status": 429, "headers": {"retry-after": "600"}, "body": {"detail": "slow"}},
    "forbidden": {"status": 403, "body": {"detail": "no"}},
    "page": {"status": 403, "headers": {"content-type": "text/html"},
             "body": "<html>cloudflare</html>"},
    "no such path": {"status": 404, "body": {"detail": "Not Found"}},
    "garbage": {"status": 200, "body": "<html>"},
    "list": {"status": 200, "body": []},
    "nothing told": {"status": 200, "body": {"rate_limit": None}},
    "deep": {"status": 200, "body": "[" * 100000},
    "reset": {"reset": True},
}


@pytest.mark.parametrize("name", FAILURES)
def test_usage_that_cannot_be_had_blocks_no_slot(sim, start_relay, name):
    sim.script(1, {"path": USAGE, "repeat": -1, **FAILURES[name]})
    relay = start_relay(slots=1, config=DEBUG)
    line = wait_checked(relay, "slot-1", ok=False)
    assert line["level"] == "warn" and line["reason"]
    assert relay.responses("hello").status == 200
    assert relay.health()["slotsDetail"]["eligible"] == 1
    relay.stop()
    record = relay.records()["slot-1"]
    assert record["enabled"] and record["runtime"]["cooldownUntil"] is None
    assert record["runtime"]["consecutiveFailures"] == 0


def test_failing_backend_is_left_alone_for_a_while(sim, start_relay):
    sim.script(1, {"path": USAGE, "repeat": -1, **FAILURES["busy"]})
    relay = start_relay(slots=2, config=OFTEN)
    wait_checked(relay, "slot-1", ok=False)
    sim.wait("requests>=3", account=2, path=USAGE)
    assert len(sim.requests(1, USAGE)) == 1, "the next try is half a minute later"


def test_refused_token_is_refreshed_once(sim, start_relay):
    relay = start_relay(slots=1, start=False, config=DEBUG)
    sim.set_account(1, revoke_access=True)
    relay.start()
    wait_checked(relay, "slot-1")
    assert [r.status for r in sim.requests(1, USAGE)] == [401, 200]
    assert sim.stats()["refreshes"] == 1


@pytest.mark.parametrize("state", ["unpaid", "deactivated", "suspended"])
def test_account_that_is_gone_is_disabled_with_its_reason(sim, start_relay, state):
    sim.set_account(1, state=state)
    relay = start_relay(slots=2, config=DEBUG)
    line = relay.wait_for("slot.disabled")
    assert line["slot_id"] == "slot-1"
    assert relay.responses("hello").headers["x-relay-slot-id"] == "slot-2"
    relay.stop()
    record = relay.records()["slot-1"]
    assert record["enabled"] is False
    assert record["relay"]["disabledReason"] == line["reason"]


def test_404_with_a_code_is_an_account_that_is_gone(sim, start_relay):
    sim.script(1, {"path": USAGE, "status": 404,
                   "body": {"error": {"code": "account_not_found", "message": "No account."}}})
    relay = start_relay(slots=1, config=DEBUG)
    assert "account_not_found" in relay.wait_for("slot.disabled")["reason"]


def test_account_in_front_of_which_a_page_stands_is_not_disabled(sim, start_relay):
    sim.set_account(1, state="blocked")
    relay = start_relay(slots=1, config=DEBUG)
    wait_checked(relay, "slot-1", ok=False)
    sim.set_account(1, state="ok")
    assert relay.responses("hello").status == 200


# --- Cooldowns

def test_cooldown_ends_when_its_window_is_free_again(sim, start_relay):
    relay = start_relay(slots=1, config=OFTEN)
    wait_checked(relay, "slot-1")
    sim.set_account(1, primary=window(100))
    # By a poll or by the refusal itself: the slot is out.
    mark = relay.mark()
    wait_checked(relay, "slot-1", since=mark)
    relay.responses("hello")
    assert relay.responses("hello").status == 429
    sim.set_account(1, primary=window(30))
    mark = relay.mark()
    wait_checked(relay, "slot-1", since=mark)
    wait_checked(relay, "slot-1", since=relay.mark())
    assert relay.responses("hello").status == 200
    assert relay.health()["slotsDetail"]["eligible"] == 1


def test_refusal_is_not_forgotten_while_the_window_is_full(sim, start_relay):
    sim.set_account(1, primary=window(100))
    relay = start_relay(slots=1, config={**OFTEN, "usage": {"backend": "local-cache"}})
    assert relay.responses("hello").status == 429
    relay.change_config({"usage": {"backend": "codex-api"}})
    for _ in range(2):
        wait_checked(relay, "slot-1", since=relay.mark())
    sim.clear_requests()
    reply = relay.responses("hello")
    assert reply.status == 429 and int(reply.headers["retry-after"]) > HOUR - 60
    assert sim.turns() == [], "upstream is not asked in vain"


# --- Stop

def test_stop_does_not_wait_for_an_answer(sim, start_relay):
    sim.script("*", {"path": USAGE, "stall": True, "repeat": -1})
    relay = start_relay(slots=1)
    sim.wait("active>=1", path=USAGE)
    relay.stop()
    sim.wait("active==0", path=USAGE)


# --- refresh-usage

KEYS = {"id", "usage5h", "usageWeek", "fivePct", "weekPct", "checkedAt"}


@pytest.fixture
def idle(start_relay):
    """Three slots that no relay serves."""
    return start_relay(start=False)


def test_refresh_usage_asks_for_all_slots(sim, idle):
    sim.set_account(2, primary=window(40), secondary=window(60))
    answer = idle.cli("refresh-usage")
    assert set(answer) == {"updated"}
    assert [row["id"] for row in answer["updated"]] == ["slot-1", "slot-2", "slot-3"]
    assert all(set(row) == KEYS for row in answer["updated"])
    row = answer["updated"][1]
    assert (row["fivePct"], row["weekPct"]) == (60, 40)
    assert row["usage5h"] == "60% left · resets 1h"
    assert {k: row[k] for k in KEYS - {"id"}} == usage_of(idle, "slot-2")


def test_refresh_usage_asks_for_one_slot(sim, idle):
    answer = idle.cli("refresh-usage", "--slot", "2")
    assert [row["id"] for row in answer["updated"]] == ["slot-2"]
    assert usage_of(idle, "slot-1")["checkedAt"] is None
    assert [r.account for r in sim.requests(path=USAGE)] == ["acct-2"]


def test_refresh_usage_tells_what_failed(sim, idle):
    sim.script(2, {"path": USAGE, **FAILURES["busy"]})
    answer = idle.cli("refresh-usage")
    assert [row["id"] for row in answer["updated"]] == ["slot-1", "slot-3"]
    assert answer["failed"] == [{"id": "slot-2", "reason": "upstream answered with status 503"}]
    sim.script("*", {"path": USAGE, "repeat": -1, **FAILURES["busy"]})
    status, answer, errors = run(idle, "refresh-usage")
    assert status == 1 and "no slot could be updated" in errors
    assert answer["updated"] == [] and len(answer["failed"]) == 3


def test_refresh_usage_disables_an_account_that_is_gone(sim, idle):
    sim.set_account(1, state="unpaid")
    answer = idle.cli("refresh-usage")
    failed, = answer["failed"]
    assert failed["id"] == "slot-1" and "the slot is disabled" in failed["reason"]
    record = idle.records()["slot-1"]
    assert record["enabled"] is False and "402" in record["relay"]["disabledReason"]
    idle.cli("slot-enable", "--slot", "1")
    assert idle.records()["slot-1"]["enabled"] is True


def run(relay, *args):
    """A command's status, JSON result, and what it said on stderr."""
    done = relay.run(*args)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


@pytest.mark.parametrize("slot, status", [("9", 4), ("x", 2)])
def test_refresh_usage_of_no_slot(idle, slot, status):
    assert run(idle, "refresh-usage", "--slot", slot)[0] == status


def test_running_relay_takes_over_what_the_command_learnt(sim, start_relay):
    relay = start_relay(slots=1, config=DEBUG)
    wait_checked(relay, "slot-1")
    sim.set_account(1, primary=window(100))
    mark = relay.mark()
    assert relay.cli("refresh-usage")["updated"][0]["fivePct"] == 0
    wait_reload(relay, mark)
    sim.clear_requests()
    assert relay.responses("hello").status == 429
    assert sim.turns() == []


def test_local_cache_asks_nobody(sim, start_relay):
    relay = start_relay(slots=1, config=QUIET)
    status, answer, _ = run(relay, "refresh-usage")
    assert status == 1 and "no usage is stored" in answer["failed"][0]["reason"]
    relay.cli("slot-usage-set", "--slot", "1", "--usage5h", "95% left · resets 3h")
    assert relay.cli("refresh-usage")["updated"][0]["fivePct"] == 95
    assert sim.requests(path=USAGE) == []


# --- slot-usage-set

def test_slot_usage_set_is_parsed_and_written(idle):
    idle.cli("refresh-usage", "--slot", "1")
    shown = idle.cli("slot-usage-set", "--slot", "1", "--usage5h", " 95 % left · resets in 3h")
    assert shown["slot"]["usage"]["usage5h"] == "95% left · resets 3h"
    usage = usage_of(idle, "slot-1")
    assert (usage["usage5h"], usage["fivePct"]) == ("95% left · resets 3h", 95)
    assert usage["usageWeek"].startswith("100% left · resets 7d"), "what was not given stays"
    idle.cli("slot-usage-set", "--slot", "slot-1", "--usageWeek", "12% used")
    usage = usage_of(idle, "slot-1")
    assert (usage["usageWeek"], usage["weekPct"], usage["fivePct"]) == ("88% left", 88, 95)
    assert usage["usage5h"] == "95% left · resets 3h"


@pytest.mark.parametrize("args, status", [
    ((), 2),
    (("--usage5h", "lots"), 2),
    (("--usage5h", "101% left"), 2),
    (("--usage5h", ""), 2),
    (("--usage5h", "5% left", "--usageWeek", "x"), 2),
])
def test_slot_usage_set_refuses_what_it_cannot_read(idle, args, status):
    before = idle.records()
    assert run(idle, "slot-usage-set", "--slot", "1", *args)[0] == status
    assert idle.records() == before


def test_slot_usage_set_needs_a_slot(idle):
    assert run(idle, "slot-usage-set", "--slot", "9", "--usage5h", "5% left")[0] == 4


def test_usage_that_was_set_steers_a_running_relay(sim, start_relay):
    relay = start_relay(slots=2, config=QUIET)
    for slot, text in ((1, "0% left · resets 2h"), (2, "50% left")):
        mark = relay.mark()
        relay.cli("slot-usage-set", "--slot", str(slot), "--usage5h", text)
        wait_reload(relay, mark)
    assert relay.responses("hello").headers["x-relay-slot-id"] == "slot-2"
    mark = relay.mark()
    relay.cli("slot-usage-set", "--slot", "2", "--usage5h", "0% left · resets 1h")
    wait_reload(relay, mark)
    reply = relay.responses("hello")
    assert reply.status == 429
    assert 0 < int(reply.headers["retry-after"]) <= HOUR
    assert relaylib.TOKEN not in reply.text
