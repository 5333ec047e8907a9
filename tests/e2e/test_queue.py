"""Concurrency per slot and the wait queue."""
from relaylib import in_parallel, responses_text
from simlib import Background

HELD = {"stall_after_events": 6, "directive": "count to 9"}


def settle(relay, count):
    """Waits until so many requests are in, and returns the health page."""
    relay.wait_for("request.start", lambda l: len(relay.log("request.start")) >= count)
    return relay.health()


def test_slot_concurrency_is_respected(sim, start_relay):
    relay = start_relay(slots=2, config={"slotConcurrency": 3})
    sim.script("*", {**HELD, "repeat": 6})
    streams = [relay.stream(f"hello {n}") for n in range(10)]
    sim.wait("active==6", path="/codex/responses")
    health = settle(relay, 10)
    assert (health["inflight"], health["waiting"]) == (10, 4)
    assert sorted(health["busy"]) == ["slot-1", "slot-2"]
    for account in (1, 2):
        assert sim.wait("active==3", account=account, path="/codex/responses")["requests"] == 3
    assert len(sim.turns()) == 6, "the others wait here, not upstream"
    for stream in streams:
        stream.close()
    sim.wait("active==0", path="/codex/responses")


def test_waiting_requests_are_served_in_order(sim, start_relay):
    relay = start_relay(slots=1, config={"slotConcurrency": 1})
    sim.script("*", HELD)
    holder = relay.stream("holder")
    sim.wait("active==1", path="/codex/responses")
    waiting = []
    for number in range(8):
        waiting.append(Background(lambda n=number: relay.responses(f"say exactly: number {n}")))
        settle(relay, number + 2)
    holder.close()
    assert [responses_text(w.result()) for w in waiting] == [f"number {n}" for n in range(8)]
    asked = [turn.json["input"][0]["content"][0]["text"] for turn in sim.turns()[1:]]
    assert asked == [f"say exactly: number {n}" for n in range(8)]
    waits = [relay.finish_of(w.result())["queue_ms"] for w in waiting]
    assert min(waits) > 0


def test_all_of_a_crowd_are_served(sim, start_relay):
    relay = start_relay(slots=2, config={"slotConcurrency": 2})
    replies = in_parallel(
        [lambda n=n: relay.responses(f"count to 3 every 5ms, {n}") for n in range(40)])
    assert [r.status for r in replies] == [200] * 40
    for reply in replies:
        relay.finish_of(reply)
    active = peak = 0
    for line in relay.log():
        active += {"slot.selection": 1, "request.finish": -1}.get(line["event"], 0)
        peak = max(peak, active)
    assert (active, peak) == (0, 4)
    assert len(sim.turns()) == 40


def test_wait_ends_with_slots_busy(sim, start_relay):
    relay = start_relay(slots=1, config={"slotConcurrency": 1, "queueTimeoutSeconds": 1})
    sim.script("*", HELD)
    holder = relay.stream("holder")
    sim.wait("active==1", path="/codex/responses")
    replies = in_parallel([
        lambda: relay.responses("one"), lambda: relay.chat("two"),
        lambda: relay.chat("three", stream=True), lambda: relay.native("four")])
    for reply in replies:
        assert reply.status == 429
        assert reply.json["error"]["code"] == "slots_busy"
        assert int(reply.headers["retry-after"]) >= 1
        assert relay.finish_of(reply)["queue_ms"] >= 990
    assert len(sim.turns()) == 1
    holder.close()
    relay.wait_for("request.finish", lambda l: l["status"] == 499)
    assert relay.responses("five").status == 200


def test_no_wait_at_all(sim, start_relay):
    relay = start_relay(slots=1, config={"slotConcurrency": 1, "queueTimeoutSeconds": 0})
    sim.script("*", HELD)
    with relay.stream("holder"):
        sim.wait("active==1", path="/codex/responses")
        assert relay.responses("one").json["error"]["code"] == "slots_busy"


def test_queue_waits_for_the_slot_that_can_serve(sim, start_relay):
    """A dry slot is no reason to wait, a busy one is."""
    relay = start_relay(slots=2, config={"slotConcurrency": 1})
    sim.set_account(2, primary={"used_percent": 100})
    sim.script(1, HELD)
    holder = relay.stream("holder")
    sim.wait("active==1", path="/codex/responses")
    waiting = Background(lambda: relay.responses("say exactly: waited"))
    relay.wait_for("attempt.failed", lambda l: l["slot_id"] == "slot-2")
    assert relay.health()["waiting"] == 1
    holder.close()
    reply = waiting.result()
    assert (responses_text(reply), reply.headers["x-relay-slot-id"]) == ("waited", "slot-1")


def test_slot_that_is_added_serves_those_who_wait(sim, start_relay):
    relay = start_relay(slots=1, config={"slotConcurrency": 1})
    sim.script(1, HELD)
    with relay.stream("holder"):
        sim.wait("active==1", path="/codex/responses")
        waiting = Background(lambda: relay.responses("hello"))
        settle(relay, 2)
        relay.add_slot(2)
        assert waiting.result().headers["x-relay-slot-id"] == "slot-2"


def test_selection_tells_who_was_not_taken_and_why(sim, start_relay):
    relay = start_relay(config={"slotConcurrency": 1})
    sim.script("*", {**HELD, "repeat": 2})
    first = relay.stream("one")
    sim.wait("active==1", path="/codex/responses")
    second = relay.stream("two")
    sim.wait("active==2", path="/codex/responses")
    reply = relay.responses("three")
    selection = relay.lines_of(reply, "slot.selection")[0]
    assert selection["slot_id"] == "slot-3" == reply.headers["x-relay-slot-id"]
    assert selection["others"] == {"slot-1": "busy", "slot-2": "busy"}
    assert selection["reason"] == "policy"
    first.close()
    second.close()
