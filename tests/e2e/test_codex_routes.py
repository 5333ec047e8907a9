"""What a Codex client in ChatGPT mode asks of the relay, and with which credentials it may."""
import json
import os
import time

import pytest

import capturelib
from relaylib import NATIVE, QUIET, native_body, responses_text
from simlib import http_request

ACCOUNT = "11111111-2222-3333-4444-555555555555"
RESPONSES = "/backend-api/codex/responses"
MODELS = "/backend-api/codex/models"
CHECK = "/backend-api/wham/accounts/check"
USAGE = "/backend-api/wham/usage"
SETTINGS = "/backend-api/wham/settings/user"
GETS = [MODELS, CHECK, "/api/codex/accounts/check", USAGE, "/api/codex/usage", SETTINGS, "/backend-api/ps/x"]
HOUR = 3600


def login(account=ACCOUNT, **claims):
    return {"Authorization": "Bearer " + capturelib.chatgpt_token(account, **claims),
            "chatgpt-account-id": account, **NATIVE}


@pytest.fixture(name="trusting")
def fixture_trusting(start_relay):
    return start_relay(config={**QUIET, "codexClients": {"trustAccounts": [ACCOUNT]}})


def start_known(start_relay, slots=2, **config):
    """A relay that knows all its slots' models."""
    relay = start_relay(slots=slots, config={"logLevel": "debug", **config})
    for number in range(1, slots + 1):
        relay.wait_for("models.fetch", lambda line, n=number: line["slot_id"] == f"slot-{n}" and line["ok"])
    return relay


# --- Who may ask

def test_a_listed_account_s_login_opens_the_codex_routes(sim, trusting):
    reply = trusting.post(RESPONSES, native_body("say exactly: hi"), login())
    assert reply.status == 200 and responses_text(reply) == "hi"
    (turn,) = sim.turns()
    assert turn.header("chatgpt-account-id") == sim.auth_profiles(1)["profiles"][
        "openai-codex:default"]["accountId"]
    for path in GETS:
        assert trusting.request("GET", path, headers=login()).status in (200, 404), path


def test_the_relay_s_token_opens_them_too(relay):
    assert relay.post(RESPONSES, native_body("hi"), NATIVE).status == 200
    assert relay.request("GET", CHECK, headers=NATIVE).status == 200


REFUSED = {
    "nothing": ({"Authorization": None}, 401, "invalid_api_key"),
    "no_token_of_anybody": ({"Authorization": "Bearer x"}, 401, "invalid_api_key"),
    "a_jwt_that_is_none": ({"Authorization": "Bearer a.b.c"}, 401, "invalid_api_key"),
    "no_account_in_it": ({"Authorization": "Bearer " + capturelib.chatgpt_token(None)}, 403,
                         "account_not_trusted"),
    "another_account": (login("somebody-else"), 403, "account_not_trusted"),
    "only_the_header_is_right": ({**login("somebody-else"), "chatgpt-account-id": ACCOUNT}, 403,
                                 "account_not_trusted"),
    "expired": (login(expires=int(time.time()) - 10), 401, "token_expired"),
    "through_a_proxy": ({**login(), "X-Forwarded-For": "192.0.2.1"}, 403, "account_not_local"),
    "through_another_proxy": ({**login(), "Forwarded": "for=192.0.2.1"}, 403, "account_not_local"),
    "the_proxy_says_via": ({**login(), "Via": "1.1 x"}, 403, "account_not_local"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_other_credentials_do_not(sim, trusting, case):
    headers, status, code = REFUSED[case]
    for method, path, body in [("POST", RESPONSES, native_body("hi")),
                               ("POST", RESPONSES + "/compact", native_body("hi")),
                               *(("GET", path, None) for path in GETS)]:
        reply = trusting.request(method, path, body, headers)
        assert (reply.status, reply.json["error"]["code"]) == (status, code), path
    assert sim.turns() == []


def test_a_login_opens_nothing_else(trusting):
    for method, path in [("POST", "/v1/responses"), ("GET", "/v1/models"), ("GET", "/admin/slots")]:
        body = native_body("hi") if method == "POST" else None
        assert trusting.request(method, path, body, login()).status == 401, path


def test_without_a_list_nobody_s_login_counts(relay):
    assert relay.request("GET", CHECK, headers=login()).status == 403


def test_trust_through_proxies_must_be_asked_for(start_relay):
    relay = start_relay(config={**QUIET, "codexClients": {"trustAccounts": [ACCOUNT], "trustRemote": True}})
    assert relay.request("GET", CHECK, headers={**login(), "X-Forwarded-For": "192.0.2.1"}).status == 200


def test_trust_ends_without_a_restart(trusting):
    assert trusting.request("GET", CHECK, headers=login()).status == 200
    mark = trusting.mark()
    trusting.cli("config", "unset", "codexClients.trustAccounts")
    trusting.wait_for("config.reload", since=mark)
    assert trusting.request("GET", CHECK, headers=login()).status == 403


# --- The calls beside the turns

@pytest.mark.parametrize("path", [CHECK, "/api/codex/accounts/check"])
def test_account_check_names_the_caller_s_account_and_no_other_place(trusting, path):
    assert trusting.request("GET", path, headers=login()).json == {
        "accounts": [{"id": ACCOUNT, "plan_type": "plus", "workspace_backend_origin": "NO_CONSTRAINT",
                      "account_routing_override": "NO_CONSTRAINT", "name": None,
                      "profile_picture_url": None, "structure": "personal"}],
        "account_ordering": [ACCOUNT], "default_account_id": ACCOUNT}


@pytest.mark.parametrize("told,named", [("ws-1", "ws-1"), ("a b\"", "codex-slot-relay"),
                                        ("x" * 500, "codex-slot-relay"), (None, "codex-slot-relay")])
def test_account_check_repeats_sane_names_only(relay, told, named):
    answer = relay.request("GET", CHECK, headers={"chatgpt-account-id": told}).json
    assert answer["default_account_id"] == answer["accounts"][0]["id"] == named


def test_settings(relay):
    assert relay.get(SETTINGS).json == {"commit_attribution_enabled": False}


SIDE_CALLS = [("POST", "/backend-api/codex/analytics-events/events"), ("GET", "/backend-api/ps/plugins/installed"),
              ("GET", "/backend-api/ps/plugins/suggested/codex"), ("POST", "/backend-api/ps/mcp")]


@pytest.mark.parametrize("config,status", [("not-found", 404), ("empty", 200)])
def test_side_calls_end_here(sim, start_relay, config, status):
    relay = start_relay(config={**QUIET, "codexClients": {"sideCalls": config}})
    for method, path in SIDE_CALLS:
        reply = relay.request(method, path, {"events": []} if method == "POST" else None)
        assert reply.status == status, path
        assert reply.json == {} if status == 200 else reply.json["error"]["code"] == "not_found"
    assert sim.requests() == []


@pytest.mark.parametrize("path", ["/backend-api", "/backend-api/", "/backend-api/ps", "/backend-api/files",
                                  "/backend-api/plugins/export/curated", "/backend-api/codex",
                                  "/backend-api/wham/rate-limit-reset-credits", "/api/codex"])
def test_everything_else_is_not_found(relay, path):
    for headers in ({}, {"Authorization": None}):
        reply = relay.request("GET", path, headers=headers)
        assert (reply.status, reply.json["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/v1/responses", RESPONSES])
def test_a_web_socket_is_refused_so_that_http_is_used_at_once(relay, path):
    handshake = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                 "Sec-WebSocket-Key": "T6H/9xQrCFu4pX3fUPNHKw==", "openai-beta": "responses_websockets=2026-02-06"}
    with relay.wire() as wire:
        reply = wire.send_request("GET", path, headers=handshake).read_reply()
        assert reply.status == 426 and "upgrade" in reply.headers
        assert wire.send_request("POST", path, native_body("hi"), NATIVE).read_reply().status == 200
    assert relay.request("GET", path).status == 405
    assert relay.request("GET", path, headers={**handshake, "Authorization": None}).status == 401


def test_compaction_by_its_own_path(sim, relay):
    reply = relay.post(RESPONSES + "/compact", {"model": "gpt-5.5", "instructions": "", "input": native_body("hi")["input"]},
                       NATIVE)
    assert reply.status == 200 and reply.json["output"][-1]["type"] == "compaction"
    assert sim.requests()[-1].path == RESPONSES + "/compact"


def test_a_body_over_the_limit_is_400_for_codex(start_relay):
    relay = start_relay(config={**QUIET, "maxBodyBytes": 100_000})
    packed = capturelib.zstd_stored(json.dumps(native_body("x" * 120_000)).encode())
    for headers in ({"Content-Encoding": "zstd"}, {"Content-Encoding": "zstd", "Transfer-Encoding": "chunked"}):
        if "Transfer-Encoding" in headers:
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(packed), packed)
        else:
            body = packed
        with relay.wire() as wire:
            reply = wire.send_request("POST", RESPONSES, body, {**NATIVE, **headers}).read_reply()
        assert (reply.status, reply.json["error"]["code"]) == (400, "payload_too_large")


# --- Models

def slugs(reply):
    return [model["slug"] for model in reply.json["models"]]


def test_models_are_upstream_s_own_whole_and_once_each(sim, start_relay):
    sim.set_account(2, plan="pro")
    relay = start_known(start_relay)
    reply = relay.get(MODELS + "?client_version=0.169.0")
    upstream = {}
    for number in (1, 2):
        for model in sim.client(number).get(MODELS + "?client_version=0.169.0").json["models"]:
            upstream.setdefault(model["slug"], model)
    assert len(slugs(reply)) == len(set(slugs(reply)))
    assert "gpt-6-astra" in slugs(reply) and "codex-auto-review" in slugs(reply)
    assert {model["slug"]: model for model in reply.json["models"]} == upstream


def test_models_for_an_older_client_are_fewer(start_relay):
    relay = start_known(start_relay)
    new, old, unknown = (slugs(relay.get(MODELS + query)) for query in
                         ("?client_version=0.169.0", "?client_version=0.142.5", ""))
    assert new == unknown and set(old) < set(new)
    assert "gpt-5.6-sol" in old and "gpt-6.1-sol" not in old


def test_hidden_models_are_left_out_and_aliases_stand_for_models(start_relay):
    relay = start_known(start_relay, models={"hidden": ["gpt-5.4"], "aliases": {"fast": "gpt-5.4-mini",
                                                                                "gpt-5.5": "gpt-6-sol"}})
    models = {model["slug"]: model for model in relay.get(MODELS).json["models"]}
    assert "gpt-5.4" not in models
    assert models["fast"] == {**models["gpt-5.4-mini"], "slug": "fast", "display_name": "fast"}
    assert models["gpt-5.5"]["priority"] == models["gpt-6-sol"]["priority"]


def test_the_list_has_an_etag_which_answers_repeat(sim, start_relay):
    """With another one the CLI would ask for the list after every turn."""
    sim.set_account(2, plan="pro")
    relay = start_known(start_relay)
    reply = relay.get(MODELS)
    etag = reply.headers["etag"]
    again = relay.request("GET", MODELS, headers={"If-None-Match": etag})
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", etag)
    sim.settings(models_etag=True)
    turn = relay.native("hi")
    assert turn.headers["x-models-etag"] == etag
    relay.request("POST", "/admin/slots/2/disable")
    other = relay.get(MODELS).headers["etag"]
    assert other != etag
    assert relay.native("hi").headers["x-models-etag"] == other


def test_an_unknown_list_is_not_found_and_its_etag_not_told(sim, start_relay):
    relay = start_relay(config=QUIET)
    assert relay.get(MODELS).status == 404
    sim.settings(models_etag=True)
    assert "x-models-etag" not in relay.native("hi").headers


def test_models_survive_a_restart(sim, start_relay):
    relay = start_known(start_relay)
    before = relay.get(MODELS)
    relay.stop()
    sim.clear_requests()
    relay.start()
    after = relay.get(MODELS)
    assert (after.body, after.headers["etag"]) == (before.body, before.headers["etag"])
    assert sim.requests(path="/codex/models") == []


@pytest.mark.parametrize("text", [None, b"", b"{", b'{"models":[]}'])
def test_a_lost_or_changed_text_is_fetched_again(sim, start_relay, text):
    relay = start_known(start_relay, slots=1)
    before = relay.get(MODELS)
    relay.stop()
    path = relay.path("state/slots/slot-1/agent/codex-models-full.json")
    if text is None:
        os.unlink(path)
    else:
        with open(path, "wb") as file:
            file.write(text)
    # The list itself may be old enough to be asked for, or a hint has come: then without an etag.
    document = relay.read_json("state/slots/slot-1/agent/codex-models.json")
    document["fetchedAt"] = "2020-01-01T00:00:00.000Z"
    relay.write_json("state/slots/slot-1/agent/codex-models.json", document)
    sim.clear_requests()
    mark = relay.mark()
    relay.start()
    relay.wait_for("models.fetch", since=mark)
    assert relay.get(MODELS).body == before.body
    assert sim.requests(path="/codex/models")[0].header("if-none-match") is None


# --- Limits

def windows(sim, number, hours, week, plan="plus"):
    sim.set_account(number, plan=plan)
    sim.set_account(number, primary={"used_percent": hours, "reset_in_seconds": HOUR * number},
                    secondary={"used_percent": week, "reset_in_seconds": 24 * HOUR * number})


def test_usage_is_the_mean_of_the_slots_by_what_they_are_worth(sim, start_relay):
    windows(sim, 1, 10, 40)
    windows(sim, 2, 50, 20)
    windows(sim, 3, 0, 0, plan="pro")
    relay = start_relay(config={"models": {"ttlSeconds": 0}})
    relay.request("POST", "/admin/refresh-usage")
    usage = relay.get(USAGE).json
    assert usage["plan_type"] == "pro"
    assert usage["rate_limit"]["allowed"] and not usage["rate_limit"]["limit_reached"]
    primary, secondary = (usage["rate_limit"][key] for key in ("primary_window", "secondary_window"))
    assert primary["used_percent"] == int((10 + 50) / (1 + 1 + 6.67))
    assert secondary["used_percent"] == int((40 + 20) / (1 + 1 + 6.67))
    assert (primary["limit_window_seconds"], secondary["limit_window_seconds"]) == (5 * HOUR, 7 * 24 * HOUR)
    assert HOUR - 60 <= primary["reset_after_seconds"] <= HOUR
    assert 24 * HOUR - 60 <= secondary["reset_after_seconds"] <= 24 * HOUR
    assert usage["rate_limit_reached_type"] is None
    assert usage == relay.get("/api/codex/usage").json or primary["reset_after_seconds"] > 0


def test_usage_says_when_nothing_is_left(sim, start_relay):
    windows(sim, 1, 100, 10)
    windows(sim, 2, 10, 100)
    relay = start_relay(slots=2, config={"models": {"ttlSeconds": 0}})
    relay.request("POST", "/admin/refresh-usage")
    usage = relay.get(USAGE).json
    assert not usage["rate_limit"]["allowed"] and usage["rate_limit"]["limit_reached"]
    assert usage["rate_limit"]["primary_window"]["used_percent"] == 100
    assert usage["rate_limit"]["secondary_window"]["used_percent"] == 55
    assert usage["rate_limit_reached_type"] == {"type": "rate_limit_reached"}


def test_usage_without_knowledge_is_neither_empty_nor_full(start_relay):
    usage = start_relay(config=QUIET).get(USAGE).json
    assert usage["rate_limit"] == {"allowed": True, "limit_reached": False,
                                   "primary_window": None, "secondary_window": None}


def test_disabled_slots_do_not_count(sim, start_relay):
    windows(sim, 1, 20, 20)
    windows(sim, 2, 80, 80)
    relay = start_relay(slots=2, config={"models": {"ttlSeconds": 0}})
    relay.request("POST", "/admin/refresh-usage")
    relay.request("POST", "/admin/slots/2/disable")
    assert relay.get(USAGE).json["rate_limit"]["primary_window"]["used_percent"] == 20


def test_answers_tell_of_the_slot_in_use(sim, start_relay):
    relay = start_relay(slots=2, config=QUIET)
    told = {"x-codex-primary-used-percent": "20.5", "x-codex-secondary-used-percent": "7",
            "x-codex-secondary-window-minutes": "10080", "x-codex-bengalfox-primary-used-percent": "1"}
    sim.script("*", {"headers": {**told, "x-codex-active-limit": "premium"}})
    headers = relay.native("hi").headers
    assert {name: headers[name] for name in told} == told
    assert headers["x-codex-active-limit"] == "codex"
    sim.script("*", {"headers": {"x-codex-active-limit": "premium"}})
    assert "x-codex-active-limit" not in relay.native("hi").headers


def test_answers_can_tell_of_all_slots(sim, start_relay):
    windows(sim, 1, 20, 40)
    windows(sim, 2, 40, 60)
    relay = start_relay(slots=2, config={"models": {"ttlSeconds": 0}, "codexClients": {"limits": "pool"}})
    relay.request("POST", "/admin/refresh-usage")
    headers = relay.native("hi").headers
    assert float(headers["x-codex-primary-used-percent"]) == pytest.approx(30, abs=0.1)
    assert float(headers["x-codex-secondary-used-percent"]) == pytest.approx(50, abs=0.1)
    assert (headers["x-codex-primary-window-minutes"], headers["x-codex-secondary-window-minutes"]) \
        == ("300", "10080")
    assert headers["x-codex-active-limit"] == "codex"
    assert "x-codex-plan-type" not in headers and "x-codex-primary-reset-after-seconds" not in headers


def test_clients_that_are_not_codex_get_no_limits(sim, start_relay):
    windows(sim, 1, 20, 40)
    relay = start_relay(slots=1, config={"codexClients": {"limits": "pool"}})
    assert not [name for name in relay.responses("hi").headers if name.startswith("x-codex-")]


def test_openai_model_is_only_what_upstream_said(sim, relay):
    assert "openai-model" not in relay.native("hi").headers
    sim.script("*", {"headers": {"openai-model": "gpt-5.4"}})
    assert relay.native("hi").headers["openai-model"] == "gpt-5.4"


def test_the_relay_forwards_no_client_login(sim, trusting):
    headers = login()
    trusting.tokens.append(headers["Authorization"].split()[1].encode())  # searched for in all output
    trusting.post(RESPONSES, native_body("hi"), headers)
    sent = http_request(sim.address, "GET", "/_sim/requests").text
    assert headers["Authorization"].split()[1] not in sent
