"""The admin API: every key of it, changes of slots, the journal, events, who may ask."""
import json
import os
import signal
import time

import pytest

from adminlib import Events
from relaylib import in_parallel, is_sanitized, responses_text
from simlib import Background

HELD = {"stall_after_events": 6, "directive": "count to 9"}
LISTENERS_MAX = 32

SLOT_KEYS = {
    "": {"id", "enabled", "label", "usage", "runtime", "busy", "sourceMeta", "plan", "windows", "inflight",
         "state", "eligible", "reason", "cooldownReason", "expiresAt"},
    "usage": {"usage5h", "usageWeek", "fivePct", "weekPct", "checkedAt"},
    "runtime": {"cooldownUntil", "lastUsedAt", "lastError", "consecutiveFailures"},
    "sourceMeta": {"email", "emailLabel", "accountId", "profileId", "expires", "savedAt",
                   "usageFingerprint"},
}
STATS_KEYS = {"requestsTotal", "successTotal", "clientErrorTotal", "serverErrorTotal", "inflight",
              "byPath", "byStatus", "recentRequests", "recentErrors", "lastRequestAt", "lastSuccessAt",
              "lastErrorAt", "startedAt", "uptimeSeconds", "version", "config", "dependencyMap"}
RECENT_KEYS = {"time", "requestId", "method", "path", "status", "durationMs", "slotId"}


def limit_reached(seconds=5000):
    return {"status": 429, "body": {"error": {
        "type": "usage_limit_reached", "message": "m", "resets_at": int(time.time()) + seconds}}}


def stats(relay):
    return relay.get("/admin/stats").json


def slot(relay, number):
    return relay.get(f"/admin/slots/{number}").json["slot"]


def request_id(reply):
    return reply.headers["x-relay-request-id"]


def journal_of(relay, reply):
    return relay.get("/admin/requests/" + request_id(reply)).json["request"]


def assert_error(reply, status, code):
    assert reply.status == status, reply.text
    error = reply.json["error"]
    assert error["code"] == code and error["message"] and "param" in error
    assert error["type"]


# --- What is shown

def test_slots_have_every_key(relay):
    relay.responses()
    shown = relay.get("/admin/slots").json["slots"]
    assert [s["id"] for s in shown] == ["slot-1", "slot-2", "slot-3"]
    for one in shown:
        for group, keys in SLOT_KEYS.items():
            assert keys <= set(one[group] if group else one), group
    first = shown[0]
    assert first["enabled"] is True and first["label"] == "label 1" and first["busy"] is False
    assert first["usage"]["fivePct"] == 100 and "left" in first["usage"]["usage5h"]
    assert first["runtime"]["lastUsedAt"] and first["runtime"]["lastError"] is None
    assert first["sourceMeta"]["email"] == "demo1@example.com"
    assert (first["plan"], first["state"], first["reason"]) == ("plus", "ready", None)
    assert first["windows"]["5h"]["windowMinutes"] == 300


@pytest.mark.parametrize("name", ["2", "slot-2", "slot%2D2"])
def test_a_slot_is_found_by_number_and_by_id(relay, name):
    assert slot(relay, name)["id"] == "slot-2"


@pytest.mark.parametrize("name", ["9", "slot-0", "x", "%2F", "2%00", "2/3", "..", "%ff", "9" * 600])
def test_an_unknown_slot_is_not_found(relay, name):
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/enable"), ("POST", "/reset")):
        reply = relay.request(method, f"/admin/slots/{name}{path}")
        assert reply.status == 404, (method, path)
        assert reply.json["error"]["code"] in ("slot_not_found", "not_found")


def test_a_busy_slot_is_shown_as_busy(sim, relay):
    sim.script(1, HELD)
    stream = relay.stream()
    stream.wait_head()
    shown = slot(relay, 1)
    assert shown["busy"] is True and shown["inflight"] == 1
    assert stats(relay)["inflight"] == 1
    stream.close()


def test_a_slot_says_why_it_is_not_eligible_and_until_when(sim, relay):
    sim.script(1, limit_reached(5000))
    relay.responses()
    shown = slot(relay, 1)
    told = shown["explanation"]
    assert shown["eligible"] is False and shown["reason"] == told["reason"] == "cooldown"
    assert "cooldown (rate_limit) until" in told["text"]
    assert told["changesAt"] == shown["runtime"]["cooldownUntil"]
    assert "slot-reset --slot slot-1" in told["remedy"]
    relay.cli("slot-disable", "--slot", "2")
    relay.wait_until(lambda: not slot(relay, 2)["enabled"])
    told = slot(relay, 2)["explanation"]
    assert (told["reason"], told["changesAt"]) == ("disabled", None)
    told = slot(relay, 3)["explanation"]
    assert told["reason"] in ("ready", "unknown_usage") and told["text"].startswith("It can serve")


def test_config_has_every_key_but_the_secrets(start_relay):
    secrets = {"authToken": "sekret-1", "authTokenAliases": ["sekret-2"], "adminToken": "sekret-3",
               "upstream": {"proxy": "http://user:sekret-4@127.0.0.1:1"}}
    relay = start_relay(config=secrets)
    admin = {"Authorization": "Bearer sekret-3"}
    config = relay.get("/admin/config", admin).json["config"]
    with open(os.path.join(os.path.dirname(__file__), "../../docs/config.md"), encoding="utf-8") as file:
        keys = [line.split("`")[1] for line in file if line.startswith("| `")]
    for key in keys:
        at = config
        for part in key.split("."):
            if key in ("authToken", "authTokenAliases", "adminToken"):
                assert part not in at
                break
            assert part in at, key
            at = at[part]
    for path in ("/admin/config", "/admin/stats", "/admin/slots", "/healthz"):
        assert b"sekret" not in relay.get(path, admin).body


def test_dependency_map(relay):
    told = relay.get("/admin/dependency-map").json["dependencyMap"]
    assert set(told) == {"auth", "usage", "runner", "stateControlPlane"}
    for name, configured in (("auth", "native"), ("usage", "codex-api"), ("runner", "codex-direct")):
        assert set(told[name]) >= {"configuredBackend", "supportedBackends", "status", "usedBy"}
        assert told[name]["configuredBackend"] == configured
        assert {configured, "openclaw"} <= set(told[name]["supportedBackends"])
        assert told[name]["status"] == "OpenClaw-independent"
    assert set(told["stateControlPlane"]) >= {"backend", "status", "usedBy"}


# --- Statistics

def test_stats_have_every_key_and_count(sim, relay):
    sim.script(2, {"status": 400, "body": {"error": {"message": "bad", "type": "invalid_request_error"}}})
    replies = [relay.responses(), relay.chat()]
    relay.health()
    relay.get("/nowhere")
    relay.get("/admin/slots", {"Authorization": "Bearer wrong"})
    relay.request("PUT", "/v1/responses")
    relay.post("/v1/chat/completions", b"{")
    told = stats(relay)
    assert STATS_KEYS <= set(told)
    assert told["requestsTotal"] == 7
    assert (told["successTotal"], told["clientErrorTotal"], told["serverErrorTotal"]) == (3, 4, 0)
    assert told["byPath"] == {"/v1/responses": 2, "/v1/chat/completions": 2, "/healthz": 1, "other": 1,
                              "/admin/slots": 1}
    assert told["byStatus"] == {"200": 3, "404": 1, "401": 1, "405": 1, "400": 1}
    assert told["inflight"] == 0
    assert told["startedAt"] <= told["lastSuccessAt"] <= told["lastErrorAt"] <= told["lastRequestAt"]
    assert told["uptimeSeconds"] >= 0 and told["version"]
    assert told["config"] == relay.get("/admin/config").json["config"]
    assert told["dependencyMap"] == relay.get("/admin/dependency-map").json["dependencyMap"]
    recent = told["recentRequests"]
    assert all(set(one) == RECENT_KEYS for one in recent)
    assert [one["status"] for one in recent] == [400, 405, 401, 404, 200, 200]
    assert recent[-1]["requestId"] == request_id(replies[0])
    assert recent[-1]["slotId"] == "slot-1" and recent[-1]["durationMs"] > 0
    errors = told["recentErrors"]
    assert all(set(one) >= RECENT_KEYS | {"error"} for one in errors)
    assert [one["path"] for one in errors] == ["/v1/chat/completions", "/v1/responses", "/admin/slots",
                                               "/nowhere"]
    assert all(one["error"] for one in errors)


def test_what_the_http_layer_refuses_counts(relay):
    with relay.wire() as wire:
        wire.send("BROKEN\r\n\r\n")
        assert wire.read_reply().status == 400
    with relay.wire() as wire:
        wire.send_request("POST", "/v1/responses", headers={"Content-Length": str(1 << 40)})
        reply = wire.read_reply()
        assert reply.status == 413
    told = stats(relay)
    assert told["requestsTotal"] == 2 and told["clientErrorTotal"] == 2
    assert told["byStatus"] == {"400": 1, "413": 1}
    assert told["byPath"] == {"other": 1, "/v1/responses": 1}
    assert told["recentErrors"][0]["requestId"] == request_id(reply)
    assert told["recentErrors"][0]["error"] == reply.json["error"]["message"]


def test_a_client_that_goes_counts_as_499(sim, relay):
    sim.script(1, HELD)
    stream = relay.stream()
    stream.wait_head()
    stream.close()
    relay.wait_for("request.finish", lambda l: l["status"] == 499)
    told = stats(relay)
    assert told["byStatus"] == {"499": 1} and told["recentErrors"][0]["status"] == 499


def test_an_error_inside_a_stream_is_no_success(sim, relay):
    sim.script("*", {"directive": "count to 9", "cut_after_events": 6})
    relay.responses(stream=True)
    told = stats(relay)
    assert (told["successTotal"], told["serverErrorTotal"]) == (0, 1)


def test_the_lists_of_last_requests_are_bounded(relay):
    def many():
        for number in range(40):
            relay.get(f"/nowhere/{number}")
    in_parallel([many] * 2)
    told = stats(relay)
    assert len(told["recentRequests"]) == 50 and len(told["recentErrors"]) == 20
    assert told["requestsTotal"] == 80 and told["byPath"] == {"other": 80}


# --- The journal

def test_a_request_is_told_with_each_attempt_and_candidate(sim, relay):
    sim.script(1, limit_reached())
    reply = relay.chat(headers={"x-openclaw-session-key": "my-session"})
    told = journal_of(relay, reply)
    assert told["requestId"] == request_id(reply) and told["state"] == "done"
    assert (told["dialect"], told["model"], told["stream"], told["native"]) == (
        "chat", "gpt-5.5", False, False)
    assert (told["status"], told["slotId"], told["error"]) == (200, "slot-2", None)
    assert told["sessionHash"] and "my-session" not in json.dumps(told)
    assert told["tokens"]["total"] == reply.json["usage"]["total_tokens"]
    assert 0 < told["firstByteMs"] <= told["durationMs"]
    first, second = told["attempts"]
    assert (first["outcome"], first["class"], first["upstreamStatus"]) == ("failed", "rate_limit", 429)
    assert first["retryAction"] == "other_slot" and first["error"]["message"]
    assert (second["outcome"], second["class"], second["retryAction"]) == ("success", None, None)
    reasons = {c["id"]: c["reason"] for c in first["selection"]["candidates"]}
    assert reasons["slot-1"] == "chosen" and set(reasons) == {"slot-1", "slot-2", "slot-3"}
    candidates = {c["id"]: c for c in second["selection"]["candidates"]}
    assert candidates["slot-1"]["reason"] == "tried"
    assert candidates["slot-2"]["reason"] == "chosen"
    assert candidates["slot-3"]["reason"] == "lower_rank"
    assert second["selection"]["slotId"] == "slot-2" and second["selection"]["policy"]


def test_another_try_with_a_new_token_is_told(sim, relay):
    sim.set_account(1, revoke_access=True)
    told = journal_of(relay, relay.responses())
    first, second = told["attempts"]
    assert (first["class"], first["retryAction"]) == ("auth", "same_slot_refreshed")
    assert (second["outcome"], second["selection"]["choice"]) == ("success", "same_slot")
    assert second["selection"]["slotId"] == told["slotId"] == "slot-1" and told["attemptCount"] == 2


def test_candidates_have_the_score_that_was_compared(start_relay):
    relay = start_relay(start=False)
    document = relay.read_json("config/slots.json")
    for record, left in zip(document["slots"], (60, 70, 90)):
        record["usage"] = {"usage5h": "80% left", "usageWeek": f"{left}% left", "fivePct": 80,
                           "weekPct": left, "checkedAt": int(time.time() * 1000)}
    relay.write_json("config/slots.json", document)
    relay.start()
    told = journal_of(relay, relay.responses())
    selection = told["attempts"][0]["selection"]
    candidates = {c["id"]: c for c in selection["candidates"]}
    assert candidates["slot-3"]["reason"] == "chosen" and selection["scoreUnit"]
    assert [candidates[f"slot-{n}"]["score"] for n in (1, 2, 3)] == [60, 70, 90]


def test_a_request_that_no_slot_could_serve_is_told(sim, relay):
    for number in (1, 2, 3):
        assert relay.request("POST", f"/admin/slots/{number}/disable").status == 200
    reply = relay.responses()
    assert reply.status == 429
    told = journal_of(relay, reply)
    assert told["error"]["code"] == reply.json["error"]["code"]
    [attempt] = told["attempts"]
    assert attempt["outcome"] == "none_eligible" and attempt["selection"]["slotId"] is None
    assert {c["reason"] for c in attempt["selection"]["candidates"]} == {"disabled"}


def test_a_running_request_is_told(sim, relay):
    sim.script(1, HELD)
    stream = relay.stream()
    stream.wait_head()
    told = relay.get("/admin/requests/" + stream.headers["x-relay-request-id"]).json["request"]
    assert (told["state"], told["status"], told["durationMs"]) == ("running", None, None)
    assert told["attempts"][0]["outcome"] == "running"
    stream.close()


def test_the_list_of_requests_is_newest_first_and_bounded(relay):
    ids = [request_id(relay.responses(model="mock-pong")) for _ in range(205)]
    listed = [one["requestId"] for one in relay.get("/admin/requests").json["requests"]]
    assert listed == ids[::-1][:200]
    assert_error(relay.get("/admin/requests/" + ids[0]), 404, "request_not_found")
    assert relay.get("/admin/requests/" + ids[-1]).status == 200


# --- Changes

def test_disable_and_enable(sim, relay):
    reply = relay.post("/admin/slots/1/disable", None)
    assert reply.status == 200
    assert reply.json["ok"] is True and reply.json["slot"]["enabled"] is False
    assert relay.records()["slot-1"]["enabled"] is False, "durable before the answer"
    assert relay.responses().headers["x-relay-slot-id"] == "slot-2"
    reply = relay.post("/admin/slots/slot-1/enable", None)
    assert reply.json["slot"]["state"] == "ready"
    assert relay.records()["slot-1"]["enabled"] is True
    assert relay.post("/admin/slots/1/enable", {}).status == 200, "as it is already"


def test_reset_ends_a_cooldown(sim, relay):
    sim.script(1, limit_reached())
    relay.responses()
    assert slot(relay, 1)["state"] == "cooldown"
    reply = relay.post("/admin/slots/1/reset", None)
    assert reply.status == 200
    runtime = reply.json["slot"]["runtime"]
    assert runtime["cooldownUntil"] is None and runtime["lastError"] is None
    assert runtime["consecutiveFailures"] == 0 and reply.json["slot"]["state"] == "ready"
    assert relay.records()["slot-1"]["runtime"]["cooldownUntil"] is None
    relay.stop()
    assert relay.records()["slot-1"]["runtime"]["cooldownUntil"] is None, "it stays so"


def test_remove(sim, relay):
    reply = relay.request("DELETE", "/admin/slots/3")
    assert (reply.status, reply.json) == (200, {"ok": True, "removed": "slot-3"})
    assert set(relay.records()) == {"slot-1", "slot-2"}
    assert not os.path.exists(relay.path("state/slots/slot-3"))
    assert len(relay.get("/admin/slots").json["slots"]) == 2
    assert_error(relay.request("DELETE", "/admin/slots/3"), 404, "slot_not_found")


def test_a_slot_that_is_removed_ends_its_running_stream_well(sim, relay):
    stream = Background(lambda: relay.responses("count to 30 every 10ms", stream=True))
    sim.wait("events>=3", path="/codex/responses")
    assert relay.request("DELETE", "/admin/slots/1").status == 200
    assert len(responses_text(stream.result()).split()) == 30


def test_many_changes_at_once_are_all_made(sim, start_relay):
    relay = start_relay(slots=3)
    paths = [f"/admin/slots/{n}/{what}" for n in (1, 2, 3) for what in ("disable", "reset")] * 4
    replies = in_parallel([lambda p=p: relay.post(p, None) for p in paths])
    assert {r.status for r in replies} == {200}
    assert [r["enabled"] for r in relay.records().values()] == [False] * 3


def test_a_client_that_goes_does_not_stop_the_change(relay):
    with relay.wire() as wire:
        wire.send_request("POST", "/admin/slots/2/disable")
        relay.wait_for("admin.slot", lambda l: l["slot_id"] == "slot-2" and l["ok"])
    assert relay.records()["slot-2"]["enabled"] is False


def test_a_change_and_what_the_relay_writes_itself_do_not_lose_each_other(sim, relay):
    for _ in range(3):
        relay.responses()
        relay.post("/admin/slots/2/disable", None)
        relay.post("/admin/slots/2/enable", None)
        relay.post("/admin/slots/3/disable", None)
    relay.stop()
    records = relay.records()
    assert records["slot-1"]["runtime"]["lastUsedAt"]
    assert [r["enabled"] for r in records.values()] == [True, True, False]


def test_slots_that_cannot_be_written_are_told(relay):
    with open(relay.path("config/slots.json"), "w", encoding="utf-8") as file:
        file.write("{")
    reply = relay.post("/admin/slots/1/disable", None)
    assert_error(reply, 500, "state_not_written")
    assert relay.root not in reply.text
    relay.kill()  # it cannot merge into such a file; what it says about it is not the point here


def test_stopping_with_changes_waiting_is_clean(sim, relay):
    wires = [relay.wire().send_request("POST", f"/admin/slots/{n}/disable") for n in (1, 2, 3) * 5]
    relay.wait_for("admin.slot")
    relay.signal()
    relay.check_end(relay.wait_end())
    for wire in wires:
        wire.close()


# --- What asks upstream

def test_refresh_gives_a_new_token(sim, relay):
    name = "state/slots/slot-1/agent/auth-profiles.json"
    before = relay.read_json(name)["profiles"]["openai-codex:default"]
    with Events(relay) as events:
        reply = relay.post("/admin/slots/1/refresh", None)
        assert reply.status == 200 and reply.json["slot"]["id"] == "slot-1"
        told = events.wait("slot", lambda d: "credential" in d["changed"])
        assert told["slot"]["id"] == "slot-1"
    after = relay.read_json(name)["profiles"]["openai-codex:default"]
    assert after["access"] != before["access"] and after["refresh"] != before["refresh"]
    relay.tokens += [after["access"].encode(), after["refresh"].encode()]
    assert relay.responses().status == 200


def test_refresh_of_a_dead_login_is_a_conflict(sim, relay):
    sim.set_account(1, revoke_refresh=True)
    reply = relay.post("/admin/slots/1/refresh", None)
    assert_error(reply, 409, "reauth_required")
    assert "slot-login --slot slot-1" in reply.json["error"]["message"]
    assert_error(relay.post("/admin/slots/1/refresh", None), 409, "reauth_required")
    told = slot(relay, 1)["explanation"]
    assert told["reason"] == "reauth_required" and "slot-login" in told["remedy"]


def test_refresh_without_a_refresh_token_is_a_conflict(relay):
    name = "state/slots/slot-2/agent/auth-profiles.json"
    auth = relay.read_json(name)
    del auth["profiles"]["openai-codex:default"]["refresh"]
    with Events(relay) as events:
        relay.write_json(name, auth)
        events.wait("slot", lambda d: d["slot"]["id"] == "slot-2" and "credential" in d["changed"])
    assert_error(relay.post("/admin/slots/2/refresh", None), 409, "no_refresh_token")


def test_refresh_usage_of_all_and_of_one(sim, start_relay):
    relay = start_relay(config={"usageTtlSeconds": 86400})
    sim.set_account(2, secondary={"used_percent": 25})
    reply = relay.post("/admin/refresh-usage", None)
    assert reply.status == 200
    updated = {one["id"]: one for one in reply.json["updated"]}
    assert set(updated) == {"slot-1", "slot-2", "slot-3"}
    assert set(updated["slot-1"]) >= {"id", "usage5h", "usageWeek", "fivePct", "weekPct", "checkedAt"}
    assert updated["slot-2"]["weekPct"] == 75 and "75% left" in updated["slot-2"]["usageWeek"]
    for name in ("2", "slot-2", "slot%2d2"):
        reply = relay.post("/admin/refresh-usage?slot=" + name, {})
        assert [one["id"] for one in reply.json["updated"]] == ["slot-2"]
    for name in ("9", "", "%zz", "2%00", "x" * 1000):
        assert_error(relay.post("/admin/refresh-usage?slot=" + name, {}), 404, "slot_not_found")


def test_refresh_usage_that_fails_says_why(sim, start_relay):
    relay = start_relay(config={"upstream": {"baseUrl": "http://127.0.0.1:1"}})
    reply = relay.post("/admin/refresh-usage", None)
    assert_error(reply, 502, "usage_not_updated")
    assert reply.json["error"]["message"].startswith("slot-1: ")


def test_refresh_usage_without_slots(start_relay):
    assert start_relay(slots=0).post("/admin/refresh-usage", None).json == {"updated": []}


def test_stopping_while_upstream_is_asked_is_clean(sim, relay):
    sim.script("*", *[{"path": "/wham/usage", "stall": True}] * 6)
    wires = [relay.wire().send_request("POST", "/admin/refresh-usage") for _ in range(3)]
    wires += [relay.wire().send_request("POST", f"/admin/slots/{n}/refresh") for n in (1, 2, 3)]
    assert relay.health()["ok"]
    relay.signal()
    relay.wait_for("server.stop")
    relay.signal()
    relay.check_end(relay.wait_end())
    for wire in wires:
        wire.close()


# --- Who may ask

ADMIN_PATHS = [("GET", "/admin/slots"), ("GET", "/admin/slots/1"), ("GET", "/admin/stats"),
               ("GET", "/admin/config"), ("GET", "/admin/dependency-map"), ("GET", "/admin/requests"),
               ("GET", "/admin/requests/x"), ("GET", "/admin/events"), ("POST", "/admin/slots/1/enable"),
               ("DELETE", "/admin/slots/1")]


@pytest.mark.parametrize("method,path", ADMIN_PATHS)
def test_the_admin_api_asks_for_a_token(relay, method, path):
    for headers in ({"Authorization": None}, {"Authorization": "Bearer wrong"}):
        reply = relay.request(method, path, headers=headers)
        assert_error(reply, 401, "invalid_api_key")
        assert reply.headers["www-authenticate"] == "Bearer"
    assert len(relay.records()) == 3


def test_a_separate_admin_token(start_relay):
    relay = start_relay(config={"adminToken": "root-token"})
    relay.tokens.append(b"root-token")
    admin = {"Authorization": "Bearer root-token"}
    for method, path in ADMIN_PATHS:
        assert_error(relay.request(method, path), 403, "admin_token_required")
        assert_error(relay.request(method, path, headers={"Authorization": None}), 401,
                     "invalid_api_key")
    for name in ("slots", "stats", "config", "dependency-map", "requests"):
        assert relay.get("/admin/" + name, admin).status == 200
    assert relay.get("/admin/slots", {"Authorization": None, "x-api-key": "root-token"}).status == 200
    assert_error(relay.responses(headers=admin), 401, "invalid_api_key")
    assert relay.responses().status == 200


# --- Manners

@pytest.mark.parametrize("path", ["/admin/slots", "/admin/slots/1", "/admin/stats", "/admin/config",
                                  "/admin/dependency-map", "/admin/requests"])
def test_head_is_get_without_a_body(relay, path):
    with relay.wire() as wire:
        wire.send_request("HEAD", path)
        reply = wire.read_reply(is_head=True)
        assert reply.status == 200 and int(reply.headers["content-length"]) > 10
        wire.send_request("GET", path)
        assert wire.read_reply().json


def test_head_of_events_ends(relay):
    with relay.wire() as wire:
        wire.send_request("HEAD", "/admin/events")
        reply = wire.read_reply(is_head=True)
        assert reply.headers["content-type"] == "text/event-stream"
        wire.send_request("GET", "/healthz")
        assert wire.read_reply().status == 200


@pytest.mark.parametrize("method,path,allow", [
    ("POST", "/admin/slots", "GET, HEAD"), ("PUT", "/admin/slots/1", "GET, HEAD, DELETE"),
    ("GET", "/admin/slots/1/enable", "POST"), ("DELETE", "/admin/stats", "GET, HEAD"),
    ("POST", "/admin/events", "GET, HEAD")])
def test_a_wrong_method_hears_the_right_ones(relay, method, path, allow):
    reply = relay.request(method, path)
    assert_error(reply, 405, "method_not_allowed")
    assert reply.headers["allow"] == allow


def test_bodies_are_small(relay):
    reply = relay.post("/admin/slots/1/enable", b"x" * (65 << 10))
    assert_error(reply, 413, "payload_too_large")
    assert relay.post("/admin/slots/1/enable", b"x" * (60 << 10)).status == 200


def test_every_answer_is_traced(relay):
    for method, path in ADMIN_PATHS:
        if path != "/admin/events":
            headers = relay.request(method, path).headers
            assert headers["x-relay-version"] and len(headers["x-relay-request-id"]) == 36


# --- Events

def test_listeners_hear_of_requests_and_of_slots(sim, relay):
    with Events(relay) as first, Events(relay) as second:
        assert first.hello["slots"] == 3 and first.hello["version"]
        assert first.headers["x-relay-request-id"] != second.headers["x-relay-request-id"]
        sim.script(1, limit_reached())
        reply = relay.responses()
        for events in (first, second):
            told = events.wait("request")
            assert told["requestId"] == request_id(reply)
            assert (told["status"], told["slotId"], told["error"]) == (200, "slot-2", None)
            assert RECENT_KEYS <= set(told)
            told = events.wait("slot", lambda d: d["slot"]["id"] == "slot-1")
            assert {"state", "cooldown"} <= set(told["changed"])
            assert told["slot"]["state"] == "cooldown"
        relay.post("/admin/slots/2/disable", None)
        told = first.wait("slot", lambda d: d["slot"]["id"] == "slot-2" and "state" in d["changed"])
        assert told["slot"]["enabled"] is False
        relay.request("DELETE", "/admin/slots/3")
        assert first.wait("slot_removed")["id"] == "slot-3"
        relay.add_slot(3)
        told = first.wait("slot", lambda d: d["slot"]["id"] == "slot-3")
        assert told["changed"] == ["added"]
        relay.get("/nowhere")
        assert first.wait("request", lambda d: d["status"] == 404)["error"]


def test_a_new_credential_is_told(sim, relay):
    with Events(relay) as events:
        path = relay.path("state/slots/slot-1/agent/auth-profiles.json")
        auth = relay.read_json("state/slots/slot-1/agent/auth-profiles.json")
        auth["profiles"]["openai-codex:default"]["expires"] += 1000
        with open(path, "w", encoding="utf-8") as file:
            json.dump(auth, file)
        relay.signal(signal.SIGHUP)
        told = events.wait("slot", lambda d: d["slot"]["id"] == "slot-1")
        assert "credential" in told["changed"]


def test_a_cooldown_that_ends_is_told(sim, relay):
    with Events(relay) as events:
        sim.script(1, limit_reached(2))
        relay.responses()
        events.wait("slot", lambda d: d["slot"]["state"] == "cooldown")
        told = events.wait("slot", lambda d: d["slot"]["id"] == "slot-1")
        assert told["slot"]["state"] == "ready" and "state" in told["changed"]


def test_a_silent_stream_of_events_has_heartbeats(start_relay):
    relay = start_relay(config={"heartbeatSeconds": 1})
    with Events(relay) as events:
        for _ in range(2):
            while not (block := events.block()).startswith(":"):
                pass
            assert block == ": heartbeat"


def test_a_slow_listener_loses_events_and_is_told_how_many(sim, relay):
    rounds = 240
    slow = relay.wire(receive_buffer=4096).send_request("GET", "/admin/events")
    assert slow.read_head()[0] == 200
    with Events(relay) as quick:
        before = relay.rss_kib()
        # More than the buffers of the system hold for the slow one.
        for _ in range(rounds):
            with relay.wire() as wire:
                wire.send(("GET /nowhere HTTP/1.1\r\nHost: relay\r\n\r\n") * 100)
                for _ in range(100):
                    assert wire.read_reply().status == 404
            for _ in range(100):
                quick.wait("request")
        if not is_sanitized(relay.binary):
            assert relay.rss_kib() - before < 16 << 10
        text, count = "", 0
        while '"count":' not in text:
            text = (text + (slow.read_chunk() or pytest.fail("cut")).decode())[-100000:]
        count = int(text.split('"count":')[1].split("}")[0])
        assert 0 < count < rounds * 100
    slow.close()


def test_listeners_are_limited(relay):
    listeners = [Events(relay) for _ in range(LISTENERS_MAX)]
    assert_error(relay.get("/admin/events"), 429, "too_many_listeners")
    listeners[0].wire.close()
    while (one := Events(relay)).status == 429:  # until the relay has seen that it is gone
        one.wire.close()
    assert one.status == 200
    for listener in [*listeners[1:], one]:
        listener.wire.close()


def test_listeners_that_go_leave_nothing(sim, relay):
    for how in ("close", "reset") * 10:
        getattr(Events(relay).wire, how)()
    relay.responses()
    relay.post("/admin/slots/2/disable", None)
    assert relay.health()["ok"]


def test_listeners_hear_the_end_and_do_not_hold_it_up(sim, relay):
    sim.script(1, HELD)
    stream = relay.stream()
    stream.wait_head()
    with Events(relay) as events:
        relay.signal()
        assert events.wait("end")["reason"]
        assert events.next() == (None, None)
        assert events.wire.is_closed()
    stream.close()
    relay.check_end(relay.wait_end())


def test_nobody_is_told_a_token(sim, relay):
    with Events(relay) as events:
        sim.script(1, {"status": 401, "body": {"error": {
            "message": "bad token " + relay.tokens[0].decode(), "code": "token_revoked"}}})
        reply = relay.responses()
        for path in ("/admin/slots", "/admin/slots/1", "/admin/stats", "/admin/requests",
                     "/admin/requests/" + request_id(reply)):
            relay.get(path)
        told = events.wait("slot", lambda d: d["slot"]["id"] == "slot-1")
        relay.outputs.append(json.dumps(told).encode())
    relay.check_secrets()
