"""codex-sim: program, accounts, logins, usage, models, control API."""
import base64
import hashlib
import json
import os
import signal
import subprocess
import urllib.parse

import pytest

from simlib import Sim, SimError, http_request

CLIENT_ID = "app_EMoamEEZ73f0CkXaXp7hrann"
BINARY = os.environ.get("SIM_BIN", "build/codex-sim")


@pytest.fixture(scope="module")
def sim():
    with Sim("--accounts", "3") as running:
        yield running


@pytest.fixture(name="client")
def fixture_client(sim):
    sim.reset()
    return sim.client(1)


def run(*args):
    return subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=20)


# The program.

def test_help_and_version():
    shown = run("--help")
    assert shown.returncode == 0
    for option in ("--listen", "--accounts", "--plan", "--pace-ms", "--seed", "--capacity",
                   "--no-log", "--quiet", "--help", "--version", "count to", "/_sim/"):
        assert option in shown.stdout
    assert run("--version").stdout.startswith("codex-sim ")


@pytest.mark.parametrize("args", [
    ["--plan", "gold"], ["--accounts", "x"], ["--nothing"], ["extra"], ["--pace-ms", "-1"],
])
def test_bad_command_lines(args):
    shown = run(*args)
    assert shown.returncode == 2 and shown.stdout == "" and "codex-sim:" in shown.stderr


def test_bad_listen_address():
    shown = run("--listen", "nowhere:port")
    assert shown.returncode == 1 and "cannot listen" in shown.stderr


@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGINT])
def test_ends_on_signals_while_requests_run(signo):
    sim = Sim("--accounts", "1", "--plan", "pro").start()
    assert sim.accounts[0]["id"] == "acct-1" and sim.accounts[0]["plan"] == "pro"
    assert sim.accounts[0]["email"] == "demo1@example.com"
    running = sim.client().background("count to 100000 every 10ms")
    sim.wait("events>=3")
    sim.process.send_signal(signo)
    assert sim.process.wait(timeout=20) == 0
    assert running.result().cut


def test_paced_by_the_command_line():
    with Sim("--accounts", "1", "--pace-ms", "15") as sim:
        assert sim.client().turn("a b").output_text == "a b"
        assert sim.turns()[0].end_after_ms >= 9 * 13


def test_without_log():
    with Sim("--accounts", "1", "--no-log") as sim:
        assert sim.client().turn().status == 200
        assert sim.requests() == []
        assert sim.wait("requests>=1,active==0")["requests"] == 1


# Accounts and windows.

def claims(token):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def test_auth_files(sim, client, tmp_path):
    account = sim.account(2)
    path = sim.write_auth_profiles(2, tmp_path / "profiles.json")
    profile = json.loads(path.read_text())["profiles"]["openai-codex:default"]
    assert profile["type"] == "oauth" and profile["provider"] == "openai-codex"
    assert profile["accountId"] == account["account_id"]
    assert profile["email"] == "demo2@example.com"
    tokens = json.loads(sim.write_auth_json(2, tmp_path / "auth.json").read_text())["tokens"]
    assert tokens["access_token"] == profile["access"]
    assert tokens["refresh_token"] == profile["refresh"]
    assert tokens["account_id"] == account["account_id"]
    for token in (profile["access"], tokens["id_token"]):
        claim = claims(token)
        assert claim["exp"] * 1000 == profile["expires"]
        assert claim["email"] == "demo2@example.com"
        assert claim["https://api.openai.com/profile"]["email"] == "demo2@example.com"
        auth = claim["https://api.openai.com/auth"]
        assert auth["chatgpt_account_id"] == account["account_id"]
        assert auth["chatgpt_plan_type"] == "plus"
        assert auth["chatgpt_user_id"] == account["user_id"]


def test_new_accounts(sim, client):
    made = sim.add_accounts(2, plan="free", primary={"used_percent": 40})
    assert [a["plan"] for a in made] == ["free", "free"]
    assert made[0]["primary"]["used_percent"] == 40
    assert made[0]["secondary"] is None
    assert made[0]["primary"]["window_seconds"] == 30 * 86400
    assert sim.client(made[1]["id"]).turn().status == 200
    with pytest.raises(SimError, match="unknown plan"):
        sim.add_accounts(1, plan="gold")
    with pytest.raises(SimError, match="no such account"):
        sim.account("acct-999")


def test_limit_headers(sim, client):
    sim.set_account(1, primary={"used_percent": 12.5, "reset_in_seconds": 900},
                    secondary={"used_percent": 40}, credits={"has_credits": True,
                                                             "balance": "5"})
    headers = client.turn().headers
    assert headers["x-codex-plan-type"] == "plus"
    assert float(headers["x-codex-primary-used-percent"]) == 12.5
    assert headers["x-codex-primary-window-minutes"] == "300"
    assert 890 <= int(headers["x-codex-primary-reset-after-seconds"]) <= 900
    assert float(headers["x-codex-secondary-used-percent"]) == 40
    assert headers["x-codex-secondary-window-minutes"] == "10080"
    assert int(headers["x-codex-secondary-reset-at"]) > int(headers["x-codex-primary-reset-at"])
    assert headers["x-codex-credits-has-credits"] == "True"
    assert headers["x-codex-credits-unlimited"] == "False"
    assert headers["x-codex-credits-balance"] == "5"
    assert headers["x-codex-active-limit"] == "codex"


def test_full_window(sim, client):
    state = sim.set_account(1, primary={"used_percent": 100, "reset_in_seconds": 600},
                            secondary={"used_percent": 100, "reset_in_seconds": 7200})
    reply = client.turn()
    assert reply.status == 429
    error = reply.json["error"]
    assert error["type"] == "usage_limit_reached" and error["plan_type"] == "plus"
    assert error["resets_at"] == state["secondary"]["reset_at"]
    assert 7190 <= error["resets_in_seconds"] <= 7200
    assert reply.headers["x-codex-primary-used-percent"] == "100.00"
    assert sim.client(2).turn().status == 200


def test_windows_reset_at_their_time(sim, client):
    sim.set_account(1, primary={"used_percent": 100, "reset_in_seconds": 600})
    assert client.turn().status == 429
    sim.advance(599 - 5)
    assert client.turn().status == 429
    sim.advance(10)
    assert client.turn().status == 200
    window = sim.account(1)["primary"]
    assert window["used_percent"] < 1
    assert window["reset_at"] > sim.advance(0)["now_ms"] / 1000 + 4 * 3600


def test_windows_drain_with_use(sim, client):
    sim.settings(capacity_tokens=1000)
    assert client.turn("say exactly: " + "x" * 1200).status == 200
    account = sim.account(1)
    assert 60 < account["primary"]["used_percent"] < 90
    assert 6 < account["secondary"]["used_percent"] < 9
    client.turn("say exactly: " + "x" * 1200)
    assert client.turn().status == 429


@pytest.mark.parametrize("state,status,text", [
    ("deactivated", 401, "account_deactivated"), ("suspended", 403, "account_suspended"),
    ("blocked", 403, "cloudflare"), ("unpaid", 402, "deactivated_workspace")])
def test_account_states(sim, client, state, status, text):
    sim.set_account(1, state=state)
    reply = client.turn()
    assert reply.status == status and text in reply.text
    assert reply.headers["x-codex-plan-type"] == "plus"
    sim.set_account(1, state="ok")
    assert client.turn().status == 200


def test_expired_and_revoked_tokens(sim, client):
    sim.set_account(1, access_expires_in=100)
    fresh = sim.client(1)
    assert fresh.turn().status == 200
    sim.advance(101)
    reply = fresh.turn()
    assert (reply.status, reply.json["error"]["code"]) == (401, "token_expired")
    sim.advance(-101)
    sim.set_account(1, revoke_access=True)
    reply = fresh.turn()
    assert (reply.status, reply.json["error"]["code"]) == (401, "token_invalidated")
    sim.set_account(1, login=True)
    assert sim.client(1).turn().status == 200


# OAuth.

def post_form(sim, path, **members):
    return http_request(sim.address, "POST", path, urllib.parse.urlencode(members),
                        {"content-type": "application/x-www-form-urlencoded"})


def post_json(sim, path, **members):
    return http_request(sim.address, "POST", path, json.dumps(members),
                        {"content-type": "application/json"})


def refresh(sim, token, post=post_json):
    return post(sim, "/oauth/token", grant_type="refresh_token", client_id=CLIENT_ID,
                refresh_token=token, scope="openid profile email")


def bearer(client, access):
    return {**client.headers, "authorization": "Bearer " + access}


@pytest.mark.parametrize("post", [post_form, post_json])
def test_refresh_rotates(sim, client, post):
    sim.set_account(1, login=True)
    old = sim.auth_json(1)["tokens"]
    answer = refresh(sim, old["refresh_token"], post).json
    assert answer["expires_in"] == 864000 and answer["token_type"] == "Bearer"
    assert answer["refresh_token"] != old["refresh_token"]
    assert answer["access_token"] != old["access_token"]
    assert claims(answer["id_token"])["email"] == "demo1@example.com"
    assert client.turn(headers=bearer(client, answer["access_token"])).status == 200
    assert sim.auth_json(1)["tokens"]["refresh_token"] == answer["refresh_token"]
    assert sim.stats()["refreshes_by_account"]["acct-1"] == 1


def test_reuse_of_a_refresh_token_revokes_the_family(sim, client):
    sim.set_account(1, login=True)
    first = sim.auth_json(1)["tokens"]["refresh_token"]
    second = refresh(sim, first).json
    reply = refresh(sim, first)
    assert (reply.status, reply.json["error"]["code"]) == (401, "refresh_token_reused")
    reply = refresh(sim, second["refresh_token"])
    assert (reply.status, reply.json["error"]["code"]) == (401, "refresh_token_invalidated")
    reply = client.turn(headers=bearer(client, second["access_token"]))
    assert (reply.status, reply.json["error"]["code"]) == (401, "token_invalidated")
    assert sim.stats()["refresh_reuses"] == 1
    sim.set_account(1, login=True)


def test_refresh_errors(sim, client):
    assert refresh(sim, "rt_unknown").json["error"] == "invalid_grant"
    assert post_json(sim, "/oauth/token", grant_type="refresh_token").json == {
        "error": "invalid_client", "error_description": "Unknown client_id."}
    assert post_json(sim, "/oauth/token", grant_type="x", client_id=CLIENT_ID).json[
        "error"] == "unsupported_grant_type"
    sim.script(1, {"path": "/oauth/token", "status": 500, "body": {"error": "server_error"}})
    token = sim.auth_json(1)["tokens"]["refresh_token"]
    assert refresh(sim, token).status == 500
    assert refresh(sim, token).status == 200


VERIFIER = "verifier-of-at-least-forty-three-characters"


def authorize(sim, **changed):
    members = {"response_type": "code", "client_id": CLIENT_ID, "state": "s/1",
               "redirect_uri": "http://localhost:1455/auth/callback",
               "scope": "openid profile email offline_access",
               "code_challenge": base64.urlsafe_b64encode(
                   hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("="),
               "code_challenge_method": "S256", **changed}
    return http_request(sim.address, "GET", "/oauth/authorize?" + urllib.parse.urlencode(members))


def exchange(sim, code, **changed):
    return post_form(sim, "/oauth/token", **{
        "grant_type": "authorization_code", "client_id": CLIENT_ID, "code": code,
        "redirect_uri": "http://localhost:1455/auth/callback", "code_verifier": VERIFIER,
        **changed})


def code_of(reply):
    assert reply.status == 302, reply.text
    url = urllib.parse.urlparse(reply.headers["location"])
    assert url.netloc == "localhost:1455" and url.path == "/auth/callback"
    query = urllib.parse.parse_qs(url.query)
    assert query["state"] == ["s/1"]
    return query["code"][0]


def test_browser_login(sim, client):
    sim.settings(login_account="acct-3")
    code = code_of(authorize(sim))
    tokens = exchange(sim, code).json
    assert claims(tokens["access_token"])["email"] == "demo3@example.com"
    assert sim.client(3).turn().status == 200
    assert exchange(sim, code).json["error"] == "invalid_grant"  # once only


def test_browser_login_takes_accounts_in_turn_or_by_hint(sim, client):
    emails = [claims(exchange(sim, code_of(authorize(sim))).json["id_token"])["email"]
              for _ in range(2)]
    assert emails == ["demo1@example.com", "demo2@example.com"]
    tokens = exchange(sim, code_of(authorize(sim, login_hint="demo3@example.com"))).json
    assert claims(tokens["id_token"])["email"] == "demo3@example.com"


def test_browser_login_errors(sim, client):
    assert authorize(sim, client_id="x").status == 400
    assert authorize(sim, code_challenge_method="plain").status == 400
    assert authorize(sim, code_challenge="short").status == 400
    assert authorize(sim, state="").status == 400
    assert authorize(sim, scope="openid").status == 400
    for uri in ("http://example.com/auth/callback", "http://localhost:1455/other",
                "https://localhost:1455/auth/callback", "http://localhost/auth/callback?x=1"):
        assert "not registered" in authorize(sim, redirect_uri=uri).text
    reply = exchange(sim, code_of(authorize(sim)), code_verifier="wrong")
    assert reply.json["error_description"] == "code_verifier does not match."
    reply = exchange(sim, code_of(authorize(sim)), redirect_uri="http://localhost/x")
    assert reply.json["error_description"] == "redirect_uri does not match."
    code = code_of(authorize(sim))
    sim.advance(601)
    assert exchange(sim, code).status == 400


def test_browser_login_can_be_denied(sim, client):
    sim.settings(login_error="access_denied")
    query = urllib.parse.parse_qs(urllib.parse.urlparse(
        authorize(sim).headers["location"]).query)
    assert (query["error"], query["state"], "code" in query) == (["access_denied"], ["s/1"], False)
    sim.settings(login_error="")
    assert exchange(sim, code_of(authorize(sim))).status == 200


def device_token(sim, start):
    return post_json(sim, "/api/accounts/deviceauth/token",
                     device_auth_id=start["device_auth_id"], user_code=start["user_code"])


def test_device_login(sim, client):
    start = post_json(sim, "/api/accounts/deviceauth/usercode", client_id=CLIENT_ID).json
    assert start["interval"] == "1" and start["expires_at"].endswith("Z")
    pending = device_token(sim, start)
    assert (pending.status, pending.json["error"]["code"]) == (
        403, "deviceauth_authorization_unknown")
    done = device_token(sim, start).json
    tokens = exchange(sim, done["authorization_code"], code_verifier=done["code_verifier"],
                      redirect_uri=sim.issuer + "/deviceauth/callback").json
    assert claims(tokens["access_token"])["email"] == "demo1@example.com"


def test_device_login_waits_for_approval(sim, client):
    sim.settings(device_pending_polls=-1)
    start = post_json(sim, "/api/accounts/deviceauth/usercode", client_id=CLIENT_ID).json
    assert [device_token(sim, start).status for _ in range(3)] == [403] * 3
    page = http_request(sim.address, "GET", "/codex/device?user_code=" + start["user_code"])
    assert page.status == 200
    assert device_token(sim, start).status == 200
    start = post_json(sim, "/api/accounts/deviceauth/usercode", client_id=CLIENT_ID).json
    sim.control("POST", "device/approve", {"user_code": start["user_code"]})
    assert device_token(sim, start).status == 200
    sim.settings(device_enabled=False)
    assert post_json(sim, "/api/accounts/deviceauth/usercode",
                     client_id=CLIENT_ID).status == 404


def test_device_login_is_denied_or_expires(sim, client):
    sim.settings(device_pending_polls=-1)
    start, other = (post_json(sim, "/api/accounts/deviceauth/usercode", client_id=CLIENT_ID).json
                    for _ in range(2))
    sim.control("POST", "device/deny", {"user_code": start["user_code"]})
    reply = device_token(sim, start)
    assert (reply.status, reply.json["error"]["code"]) == (403, "access_denied")
    assert device_token(sim, other).json["error"]["code"] == "deviceauth_authorization_unknown"
    sim.advance(901)
    assert device_token(sim, other).json["error"]["code"] == "expired_token"


def test_device_login_follows_scripts(sim, client):
    sim.script("*", {"path": "/deviceauth/token", "status": 400, "body": {"error": "slow_down"}})
    sim.script("*", {"path": "/deviceauth/usercode", "status": 503, "body": {}})
    assert post_json(sim, "/api/accounts/deviceauth/usercode", client_id=CLIENT_ID).status == 503
    start = post_json(sim, "/api/accounts/deviceauth/usercode", client_id=CLIENT_ID).json
    assert device_token(sim, start).json == {"error": "slow_down"}
    assert device_token(sim, start).status == 403


def test_device_login_is_exchanged_with_the_issuers_own_callback(sim, client):
    sim.settings(device_pending_polls=0)
    start = post_json(sim, "/api/accounts/deviceauth/usercode", client_id=CLIENT_ID).json
    done = device_token(sim, start).json
    assert exchange(sim, done["authorization_code"], code_verifier=done["code_verifier"],
                    redirect_uri="http://localhost/deviceauth/callback").status == 400


def test_revoke(sim, client):
    token = sim.auth_json(2)["tokens"]["refresh_token"]
    assert post_json(sim, "/oauth/revoke", token=token).status == 200
    assert refresh(sim, token).json["error"]["code"] == "refresh_token_invalidated"
    sim.set_account(2, login=True)


# Usage and models.

def test_usage(sim, client):
    state = sim.set_account(1, primary={"used_percent": 100}, reset_credits=1)
    usage = client.get("/backend-api/wham/usage").json
    assert usage["plan_type"] == "plus" and usage["email"] == "demo1@example.com"
    limit = usage["rate_limit"]
    assert (limit["allowed"], limit["limit_reached"]) == (False, True)
    assert limit["primary_window"]["used_percent"] == 100
    assert limit["primary_window"]["limit_window_seconds"] == 18000
    assert limit["primary_window"]["reset_at"] == state["primary"]["reset_at"]
    assert limit["secondary_window"]["limit_window_seconds"] == 604800
    assert usage["rate_limit_reset_credits"] == {"available_count": 1}
    path = "/backend-api/wham/rate-limit-reset-credits"
    assert client.get(path).json["available_count"] == 1
    assert client.post({"redeem_request_id": "x"}, path=path + "/consume").status == 200
    assert client.turn().status == 200
    assert client.post({"redeem_request_id": "x"}, path=path + "/consume").status == 400


def test_free_plan_has_one_monthly_window(sim, client):
    sim.set_account(1, plan="free")
    limit = client.get("/backend-api/wham/usage").json["rate_limit"]
    assert limit["primary_window"]["limit_window_seconds"] == 2592000
    assert limit["secondary_window"] is None
    headers = client.turn().headers
    assert headers["x-codex-primary-window-minutes"] == "43200"
    assert "x-codex-secondary-used-percent" not in headers
    sim.set_account(1, plan="plus")


def test_account_pages(sim, client):
    check = client.get("/backend-api/wham/accounts/check").json
    assert check["default_account_id"] == sim.account(1)["account_id"]
    assert client.get("/backend-api/wham/settings/user").status == 200
    assert client.get("/backend-api/wham/usage", {"authorization": None}).status == 401


def models(client, version="0.169.0"):
    reply = client.get("/backend-api/codex/models?client_version=" + version)
    return [m["slug"] for m in reply.json["models"]], reply.headers["etag"]


def test_models_depend_on_plan_and_version(sim, client):
    plus, etag = models(client)
    assert "gpt-5.5" in plus and "gpt-6.1-sol" in plus and "gpt-6-astra" not in plus
    assert models(client)[1] == etag
    assert "gpt-6.1-sol" not in models(client, "0.130.0")[0]
    sim.set_account(1, plan="free")
    free, other = models(client)
    assert "gpt-5.5" in free and "gpt-6.1-sol" not in free and other != etag
    reply = client.turn(model="gpt-6.1-sol")
    assert reply.json == {"detail": "The 'gpt-6.1-sol' model is not supported when using Codex "
                                    "with a ChatGPT account."}
    sim.set_account(1, plan="pro")
    assert "gpt-6-astra" in models(client)[0]
    assert client.turn(model="gpt-6-astra").status == 200
    sim.set_account(1, plan="plus")


def test_model_entries_have_what_clients_require(sim, client):
    reply = client.get("/backend-api/codex/models?client_version=0.169.0")
    for model in reply.json["models"]:
        for member in ("slug", "display_name", "supported_reasoning_levels", "shell_type",
                       "visibility", "supported_in_api", "priority", "support_verbosity",
                       "truncation_policy", "experimental_supported_tools",
                       "base_instructions", "supports_reasoning_summaries",
                       "supports_parallel_tool_calls", "context_window",
                       "available_in_plans"):
            assert member in model
    assert client.get("/backend-api/codex/models").status == 400
    etag = reply.headers["etag"]
    again = client.get("/backend-api/codex/models?client_version=0.169.0",
                       {"if-none-match": etag})
    assert again.status == 304 and again.body == b""


# The request log and the rest of the control API.

def test_request_log(sim, client):
    body = json.dumps(client.body("héllo")).encode()
    client.post(body, headers={"x-thing": "a", "session-id": "s1"})
    sim.client(2).get("/backend-api/wham/usage?a=b")
    turn, usage = sim.requests()
    assert (turn.account, turn.method, turn.path) == (
        "acct-1", "POST", "/backend-api/codex/responses")
    assert turn.record["body"].encode() == body and turn.body_bytes == len(body)
    assert turn.status == 200 and turn.events == 10
    assert turn.end == "finished" and not turn.active and not turn.client_gone
    assert 0 <= turn.end_time_ms - turn.time_ms < 10000
    assert turn.header("X-Thing") == "a"
    names = [name.lower() for name, _ in turn.headers]
    assert names.index("authorization") < names.index("x-thing") < names.index("session-id")
    assert turn.header("authorization").startswith("fingerprint:")
    access = client.headers["authorization"].split()[1]
    assert access not in json.dumps(turn.record)
    assert (usage.account, usage.query) == ("acct-2", "a=b")
    assert [r.seq for r in sim.requests(account=2)] == [usage.seq]
    assert [r.seq for r in sim.requests(path="/codex/")] == [turn.seq]
    assert [r.seq for r in sim.requests(since=turn.seq)] == [usage.seq]
    assert "body" not in sim.requests(bodies=False)[0].record
    sim.clear_requests()
    assert sim.requests() == []


def test_wait(sim, client):
    reply = http_request(sim.address, "GET", "/_sim/wait?until=requests%3E%3D1&timeout_ms=30")
    assert reply.status == 408 and reply.json["ok"] is False
    waiting = [client.background("after 20ms: x") for _ in range(3)]
    counters = sim.wait("requests>=3,active==0,finished=3")
    assert (counters["succeeded"], counters["failed"], counters["gone"]) == (3, 0, 0)
    assert all(w.result().status == 200 for w in waiting)
    sim.wait("requests<1", account=2)
    for nonsense in ("", "requests", "requests>x", "colour==1"):
        reply = http_request(sim.address, "GET",
                             "/_sim/wait?until=" + urllib.parse.quote(nonsense))
        assert reply.status == 400


def test_stats_and_reset(sim, client):
    client.turn()
    client.turn(temperature=1)
    stats = sim.stats()
    assert (stats["requests"], stats["responses"], stats["refused"]) == (2, 2, 1)
    assert stats["events"] == 10 and stats["active"] == 0 and stats["connections"] >= 1
    sim.set_account(1, primary={"used_percent": 100}, state="blocked")
    sim.script(1, {"status": 500})
    sim.script("*", {"status": 500})
    sim.settings(pace_ms=50, output_in_terminal=True)
    sim.advance(1000)
    sim.reset()
    reply = client.turn()
    assert reply.status == 200 and reply.terminal["output"] == []
    assert sim.stats()["requests"] == 1
    assert sim.control("GET", "clock")["offset_ms"] == 0


def test_settings_are_checked(sim, client):
    assert sim.settings(pace_ms=5)["pace_ms"] == 5
    with pytest.raises(SimError):
        sim.settings(pace=5)
    with pytest.raises(SimError):
        sim.control("POST", "clock", {"seconds": 5})
