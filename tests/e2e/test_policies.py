"""selectionPolicy, priority and weight with running programs, as docs/routing.md tells them."""
import datetime
import time

import pytest

from simlib import Sim

POLICIES = ["best-week-then-5h", "best-5h-then-week", "least-recently-used", "reset-soonest",
            "round-robin", "fill-first", "weighted", "pace"]
HOUR, DAY = 3600, 86400

# Percent used and seconds to the reset: of the 5 hours, of the week.
ACCOUNTS = {
    1: {"plan": "plus", "five": (20, 1 * HOUR), "week": (70, 3 * DAY)},
    2: {"plan": "pro", "five": (40, 4 * HOUR), "week": (40, 5 * DAY)},
    3: {"plan": "plus", "five": (60, 2 * HOUR), "week": (10, 1 * DAY)},
}


@pytest.fixture
def sim():
    """Windows that stay as they are."""
    with Sim("--accounts", "3", "--capacity", "0") as running:
        for number, account in ACCOUNTS.items():
            set_account(running, number, **account)
        yield running


def set_account(sim, number, plan, five, week):
    sim.set_account(number, plan=plan)
    sim.set_account(
        number, login=True,
        primary={"used_percent": five[0], "reset_in_seconds": five[1], "window_seconds": 5 * HOUR})
    set_window(sim, number, week)


def set_window(sim, number, week):
    sim.set_account(number, secondary={"used_percent": week[0], "reset_in_seconds": week[1],
                                       "window_seconds": 7 * DAY})


def iso(seconds):
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def window(used_and_reset, minutes, now):
    used, reset = used_and_reset
    return {"usedPercent": used, "windowMinutes": minutes, "resetsAt": iso(now + reset)}


def know_accounts(relay):
    """What an earlier run of the relay learnt of the simulator's windows."""
    now = int(time.time())
    doc = relay.read_json("config/slots.json")
    for record, account in zip(doc["slots"], ACCOUNTS.values()):
        record["usage"]["checkedAt"] = iso(now)
        record["relay"] = {
            "checkedAt": iso(now), "plan": account["plan"],
            "windows": {"5h": window(account["five"], 300, now),
                        "week": window(account["week"], 10080, now)}}
    relay.write_json("config/slots.json", doc)


@pytest.fixture
def start(start_relay):
    def started(policy, **config):
        relay = start_relay(start=False, config={"selectionPolicy": policy, **config})
        know_accounts(relay)
        return relay.start()
    return started


def converse(relay, count, name="s"):
    """The numbers of the slots that serve so many new conversations, and their log lines."""
    replies = [relay.responses("hello", headers={"session-id": f"{name}-{n}"})
               for n in range(count)]
    assert {r.status for r in replies} == {200}
    lines = [relay.lines_of(r, "slot.selection")[0] for r in replies]
    return [int(r.headers["x-relay-slot-id"].removeprefix("slot-")) for r in replies], lines


def wait_enabled(relay, count):
    """Until the relay has read a slots.json in which so many slots are enabled."""
    relay.wait_until(lambda: relay.health()["slotsDetail"]["enabled"] == count)


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_serves_and_explains(start, policy):
    relay = start(policy)
    assert relay.health()["selectionPolicy"] == policy
    served, [line] = converse(relay, 1)
    assert (line["policy"], line["reason"], line["slot_id"]) == (policy, "policy",
                                                                f"slot-{served[0]}")
    assert isinstance(line["score"], (int, float))
    assert sorted([line["slot_id"], *line["others"]]) == ["slot-1", "slot-2", "slot-3"]
    assert set(line["others"].values()) == {"lower_rank"}


@pytest.mark.parametrize("policy, expected, score", [
    ("best-week-then-5h", 3, 90),
    ("best-5h-then-week", 1, 80),
    ("fill-first", 1, 1),
])
def test_one_slot_leads(start, policy, expected, score):
    served, lines = converse(start(policy), 6)
    assert served == [expected] * 6
    assert {line["score"] for line in lines} == {score}


def test_reset_soonest_spends_what_would_be_lost_next(sim, start):
    relay = start("reset-soonest")
    served, lines = converse(relay, 6)
    assert served == [3] * 6
    assert all(DAY - 300 < line["score"] <= DAY + 1 for line in lines)
    # Its next answer tells that its week has just begun: now another one ends first.
    set_window(sim, 3, (10, 7 * DAY))
    assert converse(relay, 1, "last")[0] == [3]
    assert converse(relay, 3, "next")[0] == [1] * 3


def test_round_robin_goes_around_and_sessions_stay(start):
    relay = start("round-robin")
    served, _ = converse(relay, 7)
    assert served == [1, 2, 3, 1, 2, 3, 1]
    again, lines = converse(relay, 7)
    assert again == served, "the same sessions"
    assert {line["reason"] for line in lines} == {"session"}
    assert converse(relay, 3, "new")[0] == [2, 3, 1], "what sessions ask is nobody's turn"


def test_the_replay_of_a_broken_socket_takes_no_turn(sim, start):
    relay = start("round-robin", upstream={"transport": "websocket"})
    for number in (1, 2, 3):
        sim.script("*", {"close_code": 1011, "cut_after_events": 3})
        assert converse(relay, 1, f"s-{number}")[0] == [number]
    assert [(t.method, t.account) for t in sim.turns()] == [
        (method, f"acct-{number}") for number in (1, 2, 3) for method in ("WS", "POST")]


def test_fill_first_goes_on_when_the_first_is_below_its_threshold(sim, start):
    relay = start("fill-first")
    assert converse(relay, 2)[0] == [1, 1]
    set_window(sim, 1, (95, 3 * DAY))
    assert converse(relay, 1, "last")[0] == [1], "its answer tells that little is left"
    served, lines = converse(relay, 3, "next")
    assert served == [2, 2, 2]
    assert {line["others"]["slot-1"] for line in lines} == {"below_threshold"}


def test_weighted_gives_each_its_part(start):
    relay = start("weighted")
    # Parts: 0.3, 6.67 x 0.6 = 4.002, 0.4.
    served, _ = converse(relay, 47)
    assert abs(served.count(2) - 40) <= 1
    assert abs(served.count(3) - 4) <= 1
    assert abs(served.count(1) - 3) <= 1
    # Mixed, not in blocks.
    assert 1 in served[:24] and 1 in served[24:]


def test_weight_and_priority_are_taken_over_while_serving(start):
    relay = start("weighted")
    relay.cli("slot-set", "--slot", "2", "--weight", "0.01")
    relay.cli("slot-disable", "--slot", "3")
    wait_enabled(relay, 2)
    # Parts: 0.3 and 0.04.
    served, _ = converse(relay, 17, "light")
    assert abs(served.count(2) - 2) <= 1
    relay.cli("slot-set", "--slot", "2", "--priority", "1")
    relay.cli("slot-enable", "--slot", "3")
    wait_enabled(relay, 3)
    served, lines = converse(relay, 5, "first")
    assert served == [2] * 5
    assert lines[-1]["others"] == {"slot-1": "lower_priority", "slot-3": "lower_priority"}
    # The relay's own saves keep them.
    relay.stop()
    record = relay.records()["slot-2"]
    assert (record["priority"], record["weight"]) == (1, 0.01)
    assert record["runtime"]["lastUsedAt"]


@pytest.mark.parametrize("policy", POLICIES)
def test_a_failure_rolls_over_and_cools_down_under_every_policy(sim, start, policy):
    relay = start(policy)
    sim.script("*", {"status": 429, "headers": {"retry-after": "600"},
                     "body": {"error": {"code": "rate_limit_exceeded", "message": "slow"}}})
    reply = relay.responses("hello", headers={"session-id": "one"})
    assert reply.status == 200
    first, second = relay.lines_of(reply, "slot.selection")
    assert second["slot_id"] != first["slot_id"]
    assert second["others"][first["slot_id"]] == "tried"
    _, [line] = converse(relay, 1, "other")
    assert line["others"][first["slot_id"]] == "cooldown"


@pytest.mark.parametrize("policy", POLICIES)
def test_new_slots_serve_although_nothing_is_known_of_their_usage(start_relay, policy):
    # Otherwise the relay's own question may be faster than the first request.
    relay = start_relay(config={"selectionPolicy": policy, "usage": {"backend": "local-cache"}})
    served, [line] = converse(relay, 1)
    assert served == [2 if policy == "weighted" else 1], "the token tells the plan"
    assert set(line["others"].values()) == {"lower_rank"}
