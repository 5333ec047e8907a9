"""Failures of upstream: which go to another slot, which to the client, and what the slot pays."""
import datetime
import itertools
import json
import time

import pytest

from inotify import Watch
from relaylib import (NATIVE, QUIET, Relay, chat_text, in_parallel, responses_events, responses_text)
from simlib import Sim, parse_sse

OVERLOADED = {"code": "server_is_overloaded", "message": "Our servers are overloaded."}
FORMS = ["response.failed", "error", "error_flat"]
ONE_DELTA = 5  # created, in_progress, item added, part added, text delta


def usage_limit(resets_at=None, **members):
    resets_at = resets_at or int(time.time()) + 5000
    return {"type": "usage_limit_reached", "code": "usage_limit_reached",
            "message": "The usage limit has been reached", "plan_type": "plus",
            "resets_at": resets_at, "resets_in_seconds": resets_at - int(time.time()), **members}


def refusal(status, **error):
    return {"status": status, "body": {"error": error}}


def unix(iso):
    return datetime.datetime.fromisoformat(iso.replace("Z", "+00:00")).timestamp()


def runtime(relay):
    """`runtime` of the slots, after the relay has stopped and so written all it knew."""
    relay.stop()
    return {slot: record["runtime"] for slot, record in relay.records().items()}


def assert_unpunished(relay, *slots):
    for slot, state in runtime(relay).items():
        if slot in slots or not slots:
            assert state["cooldownUntil"] is None, slot
            assert state["consecutiveFailures"] == 0, slot
            assert state["lastError"] is None, slot


def turn_accounts(sim):
    return [turn.account for turn in sim.turns()]


def failed_attempts(relay, reply):
    return [(l["slot_id"], l["class"], l["next"]) for l in relay.lines_of(reply, "attempt.failed")]


ASKS = {
    "responses": lambda relay, text, **m: relay.responses(text, **m),
    "responses-stream": lambda relay, text, **m: relay.responses(text, stream=True, **m),
    "chat": lambda relay, text, **m: relay.chat(text, **m),
    "chat-stream": lambda relay, text, **m: relay.chat(text, stream=True, **m),
}
STREAMS = ["responses-stream", "chat-stream"]
WHOLES = ["responses", "chat"]


@pytest.fixture(params=ASKS)
def ask(request):
    return ASKS[request.param]


def text_of(reply):
    body = reply.body.lstrip()
    is_chat = b"chat.completion" in body
    return chat_text(reply) if is_chat else responses_text(reply)


def in_stream_error(reply):
    """The error that a stream ended with, in either dialect."""
    events = [json.loads(data) for _, data in parse_sse(reply.body) if data != "[DONE]"]
    last = events[-1]
    if last.get("type") == "response.failed":
        return last["response"]["error"]
    return last["error"]


# --- Limits

def test_two_of_three_accounts_run_dry_under_200_parallel_requests(sim, start_relay):
    relay = start_relay(config={"queueTimeoutSeconds": 120})
    calls = [lambda i=i: relay.chat(f"count to 5 every 20ms, number {i}", stream=i % 2 == 0)
             for i in range(200)]

    def exhaust():
        sim.wait("finished>=20", path="/codex/responses", timeout=60)
        for account, seconds in ((1, 4000), (2, 5000)):
            sim.set_account(account, primary={
                "used_percent": 100, "reset_in_seconds": seconds, "window_seconds": 18000})

    *replies, _ = in_parallel(calls + [exhaust])
    assert [r.status for r in replies] == [200] * 200
    assert all(b'"error"' not in r.body and not r.cut for r in replies)
    assert {text_of(r) for r in replies} == {"1 2 3 4 5"}
    turns = sim.requests(path="/codex/responses", bodies=False)
    for account in ("acct-1", "acct-2"):
        refused = [t for t in turns if t.account == account and t.status == 429]
        assert 1 <= len(refused) <= 8, "the slot is left alone as soon as it is known to be dry"
    states = runtime(relay)
    for number in (1, 2):
        resets_at = sim.account(number)["primary"]["reset_at"]
        assert unix(states[f"slot-{number}"]["cooldownUntil"]) == resets_at
    assert states["slot-3"]["cooldownUntil"] is None


def test_cooldown_is_written_a_moment_later(sim, relay):
    resets_at = int(time.time()) + 7777
    sim.script(1, {"status": 429, "body": {"error": usage_limit(resets_at)}})
    with Watch(relay.path("config")) as watch:
        assert relay.responses("hello").headers["x-relay-slot-id"] == "slot-2"
        watch.wait_replaced(relay.path("config/slots.json"))
    assert unix(relay.records()["slot-1"]["runtime"]["cooldownUntil"]) == resets_at


def test_every_slot_may_be_tried(sim, ask):
    with Sim("--accounts", "9") as many, Relay(many, slots=9) as relay:
        for number in range(1, 9):
            many.script(number, {"status": 429, "body": {"error": usage_limit()}})
        reply = ask(relay, "say exactly: it works")
        assert (reply.status, text_of(reply)) == (200, "it works")
        assert reply.headers["x-relay-slot-id"] == "slot-9"
        assert turn_accounts(many) == [f"acct-{n}" for n in range(1, 10)]


def exhaust_all(sim, soonest):
    """All accounts are dry; the second one recovers first."""
    for number, resets_at in ((1, soonest + 500), (2, soonest), (3, soonest + 900)):
        sim.script(number, {"status": 429, "body": {"error": usage_limit(resets_at)}, "repeat": -1})


def check_exhausted(reply, soonest, code, kind):
    error = reply.json["error"]
    left = soonest - time.time()
    assert reply.status == 429
    assert (error["code"], error["type"]) == (code, kind)
    assert error["resets_at"] == soonest
    assert abs(error["resets_in_seconds"] - left) <= 5
    assert abs(int(reply.headers["retry-after"]) - left) <= 5
    return error


def test_all_exhausted_for_sdk_clients(sim, relay, ask):
    soonest = int(time.time()) + 3000
    exhaust_all(sim, soonest)
    first = ask(relay, "hello")
    check_exhausted(first, soonest, "rate_limit_exceeded", "rate_limit_error")
    asked = len(sim.turns())
    assert asked == 3
    again = ask(relay, "hello again")
    check_exhausted(again, soonest, "rate_limit_exceeded", "rate_limit_error")
    assert len(sim.turns()) == asked, "a dry slot is not asked again"
    assert relay.get("/readyz").status == 503


def test_all_exhausted_for_codex(sim, relay):
    soonest = int(time.time()) + 3000
    exhaust_all(sim, soonest)
    error = check_exhausted(relay.native("hi"), soonest, "usage_limit_reached",
                            "usage_limit_reached")
    assert error["plan_type"] == "plus"
    check_exhausted(relay.native("hi again"), soonest, "usage_limit_reached",
                    "usage_limit_reached")


def in_form(failure, form):
    """In a flat event `type` is the event's own."""
    return {k: v for k, v in failure.items() if k != "type" or form != "error_flat"}


@pytest.mark.parametrize("failure", [OVERLOADED, usage_limit()], ids=lambda f: f["code"])
def test_failure_as_first_event_goes_to_the_next_slot(ask, failure):
    cases = itertools.product(FORMS, [False, True])
    with Sim("--accounts", "8") as sim, Relay(sim, slots=8) as relay:
        for number, (form, bare) in enumerate(cases):
            sim.clear_requests()
            sim.script("*", {"first_event_failure": in_form(failure, form),
                             "failure_form": form, "bare": bare})
            reply = ask(relay, f"say exactly: second {number}")
            assert (reply.status, reply.cut) == (200, False), (form, bare)
            assert text_of(reply) == f"second {number}", (form, bare)
            assert failure["message"] not in reply.text
            first, second = turn_accounts(sim)
            assert first != second
            assert reply.headers["x-relay-slot-id"] == second.replace("acct", "slot")
            assert relay.lines_of(reply, "attempt.failed")[0]["class"] in (
                "transient", "rate_limit")


@pytest.mark.parametrize("name", STREAMS)
def test_failure_first_in_stream_shows_one_answer_only(sim, relay, name):
    sim.script(1, {"first_event_failure": OVERLOADED})
    reply = ASKS[name](relay, "hello")
    if name == "responses-stream":
        events = responses_events(reply)
        assert [e["type"] for e in events].count("response.created") == 1
        assert [e["sequence_number"] for e in events] == list(range(len(events)))
        assert len({e["response"]["id"] for e in events if "response" in e}) == 1
    else:
        chunks = [json.loads(d) for _, d in parse_sse(reply.body) if d != "[DONE]"]
        assert len({c["id"] for c in chunks}) == 1
        assert sum("role" in c["choices"][0]["delta"] for c in chunks if c["choices"]) == 1
    assert text_of(reply) == "hello"


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("failure", [OVERLOADED, usage_limit()], ids=lambda f: f["code"])
def test_failure_after_text_is_told_in_the_stream(sim, relay, name, form, failure):
    sim.script("*", {"fail_after_events": ONE_DELTA, "failure": in_form(failure, form),
                     "failure_form": form, "directive": "count to 5"})
    reply = ASKS[name](relay, "hello")
    assert reply.status == 200
    assert text_of(reply).startswith("1")
    error = in_stream_error(reply)
    assert error["message"] == failure["message"]
    assert failure["code"] in (error["code"], error.get("type"))
    assert b"[DONE]" not in reply.body and reply.cut
    assert len(sim.turns()) == 1
    finish = relay.finish_of(reply)
    assert finish["attempts"] == 1 and finish["status"] >= 400


@pytest.mark.parametrize("name", WHOLES)
def test_failure_after_text_of_a_whole_answer_is_retried(sim, relay, name):
    sim.script(1, {"fail_after_events": ONE_DELTA, "failure": OVERLOADED})
    reply = ASKS[name](relay, "say exactly: second")
    assert (reply.status, text_of(reply)) == (200, "second")


# --- Ends that are none

CUTS = {
    "closed": {"cut_after_events": 0},
    "closed-clean": {"cut_after_events": 0, "cut_clean": True},
    "behind-preamble": {"cut_after_events": 2},
    "clean-behind-preamble": {"cut_after_events": 2, "cut_clean": True},
    "half-event": {"cut_mid_event": True, "cut_after_events": 1},
    "half-event-clean": {"cut_mid_event": True, "cut_after_events": 1, "cut_clean": True},
    "reset": {"reset_after_events": 2, "pace_ms": 2},
    "bad-json": {"bad_json_at": 2},
    "no-terminal": {"events": [{"type": "response.created", "response": {"id": "resp_x"}}]},
}
LATE_CUTS = {
    "cut": {"cut_after_events": ONE_DELTA},
    "cut-clean": {"cut_after_events": ONE_DELTA, "cut_clean": True},
    "half-event": {"cut_mid_event": True, "cut_after_events": ONE_DELTA},
    "reset": {"reset_after_events": ONE_DELTA, "pace_ms": 2},
    "bad-json": {"bad_json_at": ONE_DELTA},
    "no-terminal": {"no_terminal": True},
}
TRUNCATED = ("upstream_truncated", "upstream_protocol")


def test_truncated_before_output_is_tried_once_more(sim, relay, ask):
    for cut, script in CUTS.items():
        sim.clear_requests()
        sim.script("*", script)
        reply = ask(relay, f"say exactly: whole {cut}")
        assert (reply.status, text_of(reply)) == (200, f"whole {cut}")
        assert len(sim.turns()) == len(set(turn_accounts(sim))) == 2, cut
    assert all(state["cooldownUntil"] is None for state in runtime(relay).values())


def test_truncated_again_is_502(sim, relay, ask):
    for cut, script in CUTS.items():
        sim.clear_requests()
        sim.script("*", {**script, "repeat": 2})
        reply = ask(relay, f"hello {cut}")
        assert reply.status == 502, "a stream is not committed yet: a real status"
        assert reply.json["error"]["type"] == "server_error"
        assert reply.json["error"]["code"] in TRUNCATED
        assert len(sim.turns()) == 2, f"{cut}: it may have run, and is not sent a third time"


def test_reset_before_the_head_is_tried_once_more(sim, start_relay, ask):
    relay = start_relay(config=QUIET)  # connections are new: libcurl repeats nothing by itself
    sim.script("*", {"reset": True, "repeat": 2})
    reply = ask(relay, "hello")
    assert reply.status == 502
    assert reply.json["error"]["code"] == "upstream_truncated"
    assert turn_accounts(sim) == ["acct-1", "acct-2"]


@pytest.mark.parametrize("name", STREAMS)
def test_truncated_after_text_is_told_in_the_stream(sim, relay, name):
    for cut, script in LATE_CUTS.items():
        sim.clear_requests()
        sim.script("*", {**script, "directive": "count to 5"})
        reply = ASKS[name](relay, f"hello {cut}")
        assert reply.status == 200 and reply.cut, cut
        assert text_of(reply).startswith("1"), cut
        error = in_stream_error(reply)
        assert error["code"] in TRUNCATED or "ended early" in error["message"], cut
        for good in (b"[DONE]", b"response.completed", b'"finish_reason":"'):
            assert good not in reply.body, cut
        assert len(sim.turns()) == 1, cut
        assert relay.finish_of(reply)["status"] == 502, cut
    assert all(state["cooldownUntil"] is None for state in runtime(relay).values())


@pytest.mark.parametrize("name", WHOLES)
def test_truncated_after_text_of_a_whole_answer_is_never_a_success(sim, relay, name):
    for cut, script in LATE_CUTS.items():
        sim.clear_requests()
        sim.script("*", {**script, "directive": "count to 5", "repeat": 2})
        assert ASKS[name](relay, f"hello {cut}").status == 502, cut
        assert len(sim.turns()) == 2, cut


def test_reset_after_the_terminal_event_is_a_success(sim, relay, ask):
    sim.script(1, {"reset_after_events": 10, "pace_ms": 2})
    reply = ask(relay, "hello")
    assert (reply.status, text_of(reply)) == (200, "hello")
    assert len(sim.turns()) == 1


# --- Framing

def without_ids(reply):
    """An answer without what differs from one request to the next."""
    volatile = ("id", "item_id", "created", "created_at", "completed_at", "sequence_number",
                "obfuscation", "prompt_cache_key", "cached_tokens", "encrypted_content")

    def clean(value):
        if isinstance(value, dict):
            return {k: clean(v) for k, v in value.items() if k not in volatile}
        return [clean(v) for v in value] if isinstance(value, list) else value

    if reply.headers["content-type"] == "application/json":
        return clean(reply.json)
    return [(name, data if data == "[DONE]" else clean(json.loads(data)))
            for name, data in parse_sse(reply.body)]


def test_every_framing_gives_the_same_answer(sim, relay, ask):
    text = "think and say exactly: gr\u00fc\u00df dich \u2028 \U0001f600"
    expected = without_ids(ask(relay, text))
    for framing in ({"framing": "cr"}, {"framing": "crlf"}, {"write": "bytes"},
                    {"write": "bytes", "framing": "cr"}, {"write": "bytes", "framing": "crlf"}):
        sim.script("*", framing)
        reply = ask(relay, text)
        assert reply.status == 200, framing
        assert without_ids(reply) == expected, framing
    assert len(sim.turns()) == 6


# --- Status codes

def test_401_without_another_token_goes_to_another_slot_and_is_remembered(sim, relay, ask):
    sim.set_account(1, revoke_access=True, revoke_refresh=True)
    reply = ask(relay, "say exactly: other")
    assert (reply.status, text_of(reply)) == (200, "other")
    assert turn_accounts(sim) == ["acct-1", "acct-2"]
    assert ask(relay, "next one").status == 200
    assert turn_accounts(sim).count("acct-1") == 1, "a refused token is not sent again"
    assert relay.health()["slotsDetail"]["eligible"] == 2
    relay.stop()
    assert relay.records()["slot-1"]["relay"]["reauthRequired"] is True
    shown = relay.cli("slot-list")
    assert "reauth" in json.dumps(shown)


def test_401_everywhere_is_502_and_not_the_clients_401(sim, relay, ask):
    for number in (1, 2, 3):
        sim.set_account(number, revoke_access=True, revoke_refresh=True)
    reply = ask(relay, "hello")
    assert reply.status == 502
    assert reply.json["error"]["code"] == "upstream_auth"


@pytest.mark.parametrize("script", [
    {"status": 403, "body": {"detail": "Forbidden"}},
    {"status": 403, "body": "<!DOCTYPE html><html><title>Just a moment...</title>cloudflare",
     "headers": {"content-type": "text/html", "cf-mitigated": "challenge"}},
], ids=["403", "cloudflare"])
def test_blocked_cools_down_shortly_and_never_disables(sim, relay, script):
    sim.script(1, script)
    reply = relay.responses("say exactly: other")
    assert (reply.status, responses_text(reply)) == (200, "other")
    assert failed_attempts(relay, reply) == [("slot-1", "blocked", "other_slot")]
    relay.stop()
    record = relay.records()["slot-1"]
    assert record["enabled"] is True
    left = unix(record["runtime"]["cooldownUntil"]) - time.time()
    assert 5 < left <= 15


def test_dead_account_is_disabled_with_its_reason(sim, relay):
    sim.set_account(1, state="deactivated")
    assert relay.responses("hello").status == 200
    relay.stop()
    record = relay.records()["slot-1"]
    assert record["enabled"] is False
    assert "account_deactivated" in record["relay"]["disabledReason"]
    assert "account_deactivated" in record["runtime"]["lastError"]


def test_5xx_goes_to_another_slot_and_cools_down_after_three(sim, relay):
    sim.script(1, {**refusal(500, code="server_error", message="oops"), "repeat": 3})
    sim.set_account(2, primary={"used_percent": 50})  # slot-1 stays the best one
    sim.set_account(3, primary={"used_percent": 50})
    for number in range(4):
        reply = relay.responses(f"hello {number}", headers={"session-id": f"s-{number}"})
        assert reply.status == 200
    assert turn_accounts(sim).count("acct-1") == 3
    states = runtime(relay)
    assert states["slot-1"]["consecutiveFailures"] == 3
    assert 250 < unix(states["slot-1"]["cooldownUntil"]) - time.time() <= 300


def test_5xx_without_other_slot_is_tried_again_after_a_pause(sim, start_relay):
    relay = start_relay(slots=1)
    sim.script(1, {**refusal(503, code="slow_down", message="slow"), "repeat": 2})
    reply = relay.responses("say exactly: late")
    assert (reply.status, responses_text(reply)) == (200, "late")
    assert [n for _, _, n in failed_attempts(relay, reply)] == ["same_slot_backoff"] * 2


def test_5xx_everywhere_tells_the_last_one(sim, start_relay, ask):
    relay = start_relay(slots=2, config={"retry": {"maxAttempts": 2}})
    sim.script("*", {**refusal(503, code="server_is_overloaded", message="too much"),
                     "repeat": -1})
    reply = ask(relay, "hello")
    assert reply.status == 503
    assert reply.json["error"]["message"] == "too much"
    assert len(sim.turns()) == 2


def test_attempts_are_bounded(sim, start_relay):
    relay = start_relay(slots=3, config={"retry": {"maxAttempts": 5}})
    sim.script("*", {**refusal(500, code="server_error", message="oops"), "repeat": -1})
    reply = relay.responses("hello")
    assert reply.status == 502
    assert len(sim.turns()) == relay.finish_of(reply)["attempts"] == 5


def test_retries_end_with_their_time(sim, start_relay):
    relay = start_relay(config={"retry": {"budgetSeconds": 0}})
    sim.script("*", {**refusal(500, code="server_error", message="oops"), "repeat": -1})
    assert relay.responses("hello").status == 502
    assert len(sim.turns()) == 1


UNSUPPORTED = {"status": 400, "body": {
    "detail": "The 'gpt-5.5' model is not supported when using Codex with a ChatGPT account."}}


def test_entitlement_tries_one_other_slot(sim, relay):
    sim.script("*", {**UNSUPPORTED, "repeat": 2})
    reply = relay.responses("hello")
    assert reply.status == 400
    assert reply.json["error"]["message"] == UNSUPPORTED["body"]["detail"], "upstream's words"
    assert turn_accounts(sim) == ["acct-1", "acct-2"]
    assert_unpunished(relay)


def test_entitlement_tells_codex_the_body_as_it_came(sim, relay):
    sim.script("*", {**UNSUPPORTED, "repeat": 2})
    reply = relay.native("hello")
    assert (reply.status, reply.json) == (400, UNSUPPORTED["body"])
    assert len(sim.turns()) == 2


def test_entitlement_is_remembered_for_the_model(sim, relay):
    sim.script(1, UNSUPPORTED)
    assert relay.responses("one").headers["x-relay-slot-id"] == "slot-2"
    second = relay.responses("two", headers={"session-id": "new"})
    selection = relay.lines_of(second, "slot.selection")[0]
    assert "model" in selection["others"]["slot-1"]
    other = relay.responses("three", model="gpt-5.4", headers={"session-id": "newer"})
    assert "model" not in relay.lines_of(other, "slot.selection")[0]["others"].get("slot-1", "")


@pytest.mark.parametrize("status, error", [
    (400, {"code": "context_length_exceeded", "type": "invalid_request_error", "param": "input",
           "message": "Your input exceeds the context window of this model."}),
    (400, {"code": None, "type": "invalid_request_error", "param": "tools[0].name",
           "message": "Invalid 'tools[0].name'."}),
    (400, {"code": "cyber_policy", "type": "invalid_request_error", "param": None,
           "message": "This request was refused."}),
    (404, {"code": "not_found", "type": "invalid_request_error", "param": None,
           "message": "No such thing."}),
    (422, {"code": None, "type": "invalid_request_error", "param": None, "message": "No."}),
], ids=lambda v: str(v if isinstance(v, int) else v["code"]))
def test_clients_fault_passes_unchanged(sim, relay, ask, status, error):
    sim.script("*", {**refusal(status, **error), "repeat": -1})
    for reply in (ask(relay, "hello"), relay.native("hello")):
        assert (reply.status, reply.json["error"]) == (status, error)
    assert len(sim.turns()) == 2, "no retry"
    assert_unpunished(relay)


def test_clients_fault_as_first_event_gets_a_status(sim, relay, ask):
    sim.script(1, {"first_event_failure": {
        "code": "context_length_exceeded", "message": "Your input exceeds the context window."}})
    reply = ask(relay, "hello")
    assert reply.status == 400
    assert reply.json["error"]["code"] == "context_length_exceeded"
    assert len(sim.turns()) == 1
    assert_unpunished(relay)


def test_usage_limit_with_status_400_is_a_limit(sim, relay):
    sim.script(1, {"status": 400, "body": {"error": usage_limit()}})
    reply = relay.responses("hello")
    assert reply.headers["x-relay-slot-id"] == "slot-2"
    assert runtime(relay)["slot-1"]["cooldownUntil"] is not None


@pytest.mark.parametrize("script, seconds", [
    ({"status": 429, "body": {"error": {"code": "rate_limit_exceeded", "message": "slow"}},
      "headers": {"retry-after": "77"}}, 77),
    ({"status": 429, "body": {"error": {"type": "usage_limit_reached", "message": "m",
                                        "resets_in_seconds": 1234}}}, 1234),
    ({"status": 429, "body": {"error": {
        "code": "rate_limit_exceeded", "message": "Please try again in 6m0s."}}}, 360),
    ({"status": 429, "body": {"detail": "no"}}, 300),
    ({"status": 402, "body": {"detail": {"code": "quota_exceeded"}}}, 1800),
    ({"status": 429, "body": {"error": {"code": "insufficient_quota", "message": "m"}}}, 1800),
], ids=["retry-after", "resets-in", "text", "default", "402", "quota"])
def test_cooldown_lasts_as_long_as_upstream_said(sim, relay, script, seconds):
    sim.script(1, script)
    before = time.time()
    assert relay.responses("hello").headers["x-relay-slot-id"] == "slot-2"
    until = unix(runtime(relay)["slot-1"]["cooldownUntil"])
    assert before + seconds - 1.5 <= until <= time.time() + seconds + 0.5


# --- Network

def test_refused_connections_are_502_and_never_429(ask):
    with Sim("--accounts", "2") as sim:
        relay = Relay(sim, slots=2, config={"retry": {"maxAttempts": 4}})
    with relay:  # its upstream is gone now
        reply = ask(relay, "hello")
        assert reply.status == 502
        assert reply.json["error"]["code"] == "upstream_unreachable"
        assert {l["class"] for l in relay.log("attempt.failed")} == {"network"}
        assert all(state["cooldownUntil"] is None for state in runtime(relay).values())


def test_one_unreachable_slot_costs_nothing(sim, start_relay):
    relay = start_relay(start=False)
    with Sim("--accounts", "1") as gone:
        dead_url = gone.base_url
    relay.write_json("state/slots/slot-1/agent/models.json",
                     {"providers": {"openai-codex": {"baseUrl": dead_url, "models": []}}})
    relay.start()
    reply = relay.responses("hello")
    assert (reply.status, reply.headers["x-relay-slot-id"]) == (200, "slot-2")


# --- Blobs

def reasoning(blob):
    return {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": blob}


def conversation(blob):
    return [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "one"}]},
        reasoning(blob),
        {"type": "message", "role": "assistant",
         "content": [{"type": "output_text", "text": "two"}]},
        {"type": "message", "role": "user",
         "content": [{"type": "input_text", "text": "say exactly: three"}]},
    ]


@pytest.mark.parametrize("native", [False, True], ids=["sdk", "native"])
def test_foreign_reasoning_is_left_out_once_on_the_same_slot(sim, relay, native):
    body = {"model": "gpt-5.5", "input": conversation("gAAAAA-somebody-elses"), "stream": True,
            "store": False, "instructions": "", "include": ["reasoning.encrypted_content"]}
    reply = relay.post("/v1/responses", body, NATIVE if native else None)
    assert (reply.status, responses_text(reply)) == (200, "three")
    first, second = sim.turns()
    assert first.account == second.account == "acct-1"
    assert any(item["type"] == "reasoning" for item in first.json["input"])
    kept = [item for item in first.json["input"] if item["type"] != "reasoning"]
    assert second.json["input"] == kept
    assert_unpunished(relay)


def test_foreign_reasoning_refused_twice_is_the_clients_400(sim, relay):
    error = {"code": "invalid_encrypted_content", "type": "invalid_request_error", "param": None,
             "message": "The encrypted content gAAA could not be verified."}
    sim.script("*", {**refusal(400, **error), "repeat": -1})
    reply = relay.responses(conversation("gAAAAA-x"))
    assert (reply.status, reply.json["error"]) == (400, error)
    assert len(sim.turns()) == 2


def test_time_spent_waiting_is_not_taken_from_the_retries(sim, start_relay):
    relay = start_relay(slots=2, config={"slotConcurrency": 1, "retry": {"budgetSeconds": 1}})
    with relay.stream("count to 12 every 200ms") as one, relay.stream("count to 9 every 200ms"):
        assert one.wait_head() == 200
        relay.wait_for("slot.selection", lambda l: relay.health()["inflight"] == 2)
        sim.script("*", refusal(503, code="server_is_overloaded", message="too much"))
        reply = relay.chat("hello")
        assert reply.status == 200
    assert relay.finish_of(reply)["attempts"] == 2
    assert relay.finish_of(reply)["queue_ms"] > 1000
