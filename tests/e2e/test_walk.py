"""Every command and every endpoint on a directory that the original program made.

The tables hold what each must answer with. Rows run in order, on one directory; after each, all that nobody knows
must still be in the files.
"""
import json
import re
import urllib.parse

import pytest

import relaylib
import simlib
import walklib

pytestmark = pytest.mark.xdist_group("walk")  # in order, in one process

TEXT_OR_NULL = (str, type(None))
USAGE = {"usage5h": TEXT_OR_NULL, "usageWeek": TEXT_OR_NULL, "fivePct": None, "weekPct": None,
         "checkedAt": None}
SLOT = {
    "id": str, "enabled": bool, "label": str, "usage": USAGE, "busy": bool,
    "runtime": {"cooldownUntil": None, "lastUsedAt": None, "lastError": TEXT_OR_NULL,
                "consecutiveFailures": int},
    "sourceMeta": {"email": None, "emailLabel": None, "accountId": None, "profileId": None,
                   "expires": None, "savedAt": None, "usageFingerprint": None},
    # ours
    "plan": None, "windows": dict, "inflight": int, "state": str, "eligible": bool, "reason": None}
HEALTH = {
    "ok": bool, "time": str, "version": str, "listen": str, "slots": int, "busy": list,
    "slotsDetail": {"total": int, "enabled": int, "eligible": int}, "selectionPolicy": str,
    "backends": {"auth": str, "usage": str, "runner": str}}
SUBSYSTEM = {"configuredBackend": str, "supportedBackends": [str], "status": str, "usedBy": [str]}
DEPENDENCY_MAP = {"auth": SUBSYSTEM, "usage": SUBSYSTEM, "runner": SUBSYSTEM,
                  "stateControlPlane": {"backend": str, "status": str, "usedBy": [str]}}
UPDATED = {"updated": [{"id": str, **USAGE}]}
CONFIG = {
    "listen": str, "profile": str, "workspace": str, "runtimeRoot": str, "usageTtlSeconds": int,
    "requestTimeoutSeconds": int, "thinking": str, "selectionPolicy": str,
    "thresholds": {"min5hPct": int, "minWeekPct": int},
    "cooldown": {"genericErrorSeconds": int, "quotaErrorSeconds": int}, "auth": {"backend": str},
    "usage": {"backend": str}, "runner": {"backend": str, "agentId": str}}
RECENT = {"time": str, "requestId": str, "method": str, "path": str, "status": int,
          "durationMs": (int, float), "slotId": TEXT_OR_NULL}


def log_in(original):
    """slot-login, with the callback's address pasted."""
    child = original.start_command("slot-login", "--slot", "7", "--label", "seven", "--no-browser",
                                   stdin=-1)
    url, told = None, ""
    while url is None:
        line = child.stderr.readline()
        assert line, f"no address to log in at: {told}"
        told += line
        found = re.search(r"https?://\S+/oauth/authorize\?\S+", line)
        url = found and found.group(0)
    query = urllib.parse.urlsplit(url)
    reply = simlib.http_request(original.sim.address, "GET",
                                f"{query.path}?{query.query}&login_hint=acct-7")
    assert reply.status in (302, 303), reply.text
    return original.finish_command(child, reply.headers["location"] + "\n")


def import_file(original):
    path = original.sim.write_auth_json(6, original.path("auth.json"))
    return original.command("slot-auth-import-file", "--slot", "6", "--label", "six",
                            "--auth-file", path)


def command(*words):
    return lambda original: original.command(*words)


SLOT_RESULT = {"ok": bool, "slot": SLOT}
# (name of the command, how it is run, what it answers with); SPEC 3 in its order, removal last.
COMMANDS = [
    ("init", command("init"), {"ok": bool, "runtimeRoot": str, "profile": str, "listen": str}),
    ("init --force", command("init", "--force"), {"ok": bool}),
    ("sync-slots", command("sync-slots"), {"imported": list, "updated": list, "skipped": list}),
    ("slot-import-main", command("slot-import-main"),
     {"imported": list, "updated": list, "skipped": list}),
    ("setup", command("setup"), {"ok": bool, "sync": {"imported": list, "updated": list},
                                 "usage": UPDATED}),
    ("slot-login", log_in, SLOT_RESULT),
    ("slot-auth-import-file", import_file, SLOT_RESULT),
    ("slot-auth-copy-profile", command("slot-auth-copy-profile", "--slot", "5", "--label", "five",
                                       "--source-profile", "work"), SLOT_RESULT),
    ("slot-list", command("slot-list"), {"slots": [SLOT]}),
    ("slot-disable", command("slot-disable", "--slot", "2"), SLOT_RESULT),
    ("slot-enable", command("slot-enable", "--slot", "slot-2"), SLOT_RESULT),
    ("slot-usage-set", command("slot-usage-set", "--slot", "3", "--usage5h", "95% left · resets 3h",
                               "--usageWeek", "50% left · resets 2d"), SLOT_RESULT),
    ("slot-usage-copy-main", command("slot-usage-copy-main", "--slot", "4"), SLOT_RESULT),
    ("refresh-usage", command("refresh-usage"), UPDATED),
    ("refresh-usage --slot", command("refresh-usage", "--slot", "1"), UPDATED),
    ("health", command("health"), HEALTH),
    ("dependency-map", command("dependency-map"), {"dependencyMap": DEPENDENCY_MAP}),
    ("test-runner", command("test-runner", "--slot", "1", "--prompt", "say exactly: walked"),
     {"slot": str, "sessionId": str, "text": str}),
    ("slot-remove", command("slot-remove", "--slot", "6"), {"ok": bool, "removed": str}),
]

CHAT = relaylib.chat_body("say exactly: hello")
RESPONSES = relaylib.responses_body("say exactly: hello")
CHAT_KEYS = {
    "id": str, "object": str, "created": int, "model": str,
    "choices": [{"index": int, "message": {"role": str, "content": str}, "finish_reason": str}],
    "usage": {"prompt_tokens": int, "completion_tokens": int, "total_tokens": int}}
RESPONSES_KEYS = {
    "id": str, "object": str, "created_at": int, "status": str, "model": str,
    "output": [{"type": str}],
    "usage": {"input_tokens": int, "output_tokens": int, "total_tokens": int}}
OFFLINE = [("relay-selftest", "RELAY_SELFTEST_OK"), ("relay-mock", "RELAY_SELFTEST_OK"),
           ("mock-pong", "pong"), ("relay-echo", "say exactly: hello")]
# (method and path, body, is a token needed, what it answers with); SPEC 2 in its order.
ENDPOINTS = [
    ("GET /healthz", None, False, HEALTH),
    ("GET /readyz", None, False, HEALTH),
    ("GET /v1/models", None, True, {"object": str, "data": [{"id": str, "object": str,
                                                            "owned_by": str}]}),
    ("POST /v1/chat/completions", CHAT, True, CHAT_KEYS),
    ("POST /v1/responses", RESPONSES, True, RESPONSES_KEYS),
    ("GET /admin/slots", None, True, {"slots": [SLOT]}),
    ("GET /admin/stats", None, True, {
        "requestsTotal": int, "successTotal": int, "clientErrorTotal": int,
        "serverErrorTotal": int, "inflight": int, "byPath": dict, "byStatus": dict,
        "recentRequests": [RECENT], "recentErrors": list, "lastRequestAt": TEXT_OR_NULL,
        "lastSuccessAt": TEXT_OR_NULL, "lastErrorAt": TEXT_OR_NULL, "startedAt": str,
        "uptimeSeconds": (int, float), "version": str, "config": CONFIG,
        "dependencyMap": DEPENDENCY_MAP}),
    ("GET /admin/dependency-map", None, True, {"dependencyMap": DEPENDENCY_MAP}),
    ("GET /admin/config", None, True, {"config": CONFIG}),
    ("POST /admin/refresh-usage", b"", True, UPDATED),
    ("POST /admin/refresh-usage?slot=1", b"", True, UPDATED),
]


@pytest.fixture(scope="module")
def sim():
    with simlib.Sim("--accounts", str(walklib.ACCOUNTS)) as sim:
        yield sim


@pytest.fixture(scope="module")
def original(sim):
    with walklib.Original(sim) as original:
        original.start()
        yield original


def served(original):
    """A command must leave the running relay fit to serve."""
    reply = original.chat("say exactly: still here")
    assert (reply.status, relaylib.chat_text(reply)) == (200, "still here"), reply.text


@pytest.mark.parametrize("run, keys", [row[1:] for row in COMMANDS],
                         ids=[row[0].replace(" ", "_") for row in COMMANDS])
def test_command(original, run, keys):
    walklib.has_keys(run(original), keys)
    # init --force writes the file anew, with the listen address and upstream of the original.
    original.change_config({"upstream": {"baseUrl": original.sim.base_url, "proxy": "none"},
                            "auth": {"issuer": original.sim.issuer}})
    original.check_kept()
    served(original)


@pytest.mark.parametrize("target, body, needs_token, keys", ENDPOINTS,
                         ids=[row[0].replace(" ", "_") for row in ENDPOINTS])
def test_endpoint(original, target, body, needs_token, keys):
    method, path = target.split()
    reply = original.request(method, path, body)
    assert reply.status == 200, reply.text
    assert {"x-relay-version", "x-relay-request-id"} <= set(reply.headers)
    walklib.has_keys(reply.json, keys)
    refused = original.request(method, path, body, {"Authorization": "Bearer wrong"})
    assert refused.status == (401 if needs_token else 200)
    if needs_token:
        assert refused.json["error"]["type"] == "authentication_error"
        assert refused.json["error"]["code"] == "invalid_api_key"
    original.check_kept()


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
def test_stream(original, path):
    body = {**(CHAT if "chat" in path else RESPONSES), "stream": True}
    reply = original.post(path, body)
    assert reply.status == 200
    assert reply.headers["x-relay-slot-id"].startswith("slot-")
    text = relaylib.chat_text(reply) if "chat" in path else relaylib.responses_text(reply)
    assert text == "hello"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
@pytest.mark.parametrize("model, text", OFFLINE)
def test_offline_model(original, path, stream, model, text):
    body = {**(CHAT if "chat" in path else RESPONSES), "stream": stream, "model": model}
    reply = original.post(path, body)
    assert reply.status == 200
    told = relaylib.chat_text(reply) if "chat" in path else relaylib.responses_text(reply)
    assert told == text


@pytest.mark.parametrize("header", [
    {"Authorization": "Bearer relay-internal-token"}, {"Authorization": "Bearer an-alias-of-the-operator"},
    {"Authorization": None, "x-api-key": relaylib.TOKEN},
    {"Authorization": None, "api-key": relaylib.TOKEN}])
def test_token_in_every_form(original, header):
    assert original.get("/v1/models", headers=header).status == 200


def test_unknown_path_and_wrong_method(original):
    reply = original.get("/nowhere")
    assert (reply.status, reply.json["error"]["code"]) == (404, "not_found")
    assert reply.json["error"]["type"] == "invalid_request_error"
    reply = original.get("/v1/responses")
    assert (reply.status, reply.headers["allow"]) == (405, "POST")
    assert {"x-relay-version", "x-relay-request-id"} <= set(reply.headers)


def test_session_key_of_the_original_client(original, sim):
    reply = original.chat("say exactly: hi", headers={"x-openclaw-session-key": "agent:main:one"})
    assert reply.status == 200
    sent = sim.requests(path="/codex/responses")[-1]
    assert sent.json["prompt_cache_key"] == "agent:main:one"
    assert sent.header("session_id") == "agent:main:one"


def test_admin_config_has_no_secret(original):
    text = original.get("/admin/config").text
    assert relaylib.TOKEN not in text and "an-alias-of-the-operator" not in text


def test_every_command_of_the_program_is_walked_or_ours(original):
    """A command of the table that no row names fails here, unless it is not the original's."""
    ours = {"help", "doctor", "config", "completion", "slot-reset", "slot-set", "slot-import-codex",
            "slot-export", "slot-refresh", "serve", "tls-selfsign", "codex-config", "client-config"}
    names = set(re.findall(r"^  ([a-z][a-z-]+) ", original_help(original), re.M))
    assert names - ours == {row[0].split()[0] for row in COMMANDS}


def original_help(original):
    child = original.start_command("--help", stdin=-3)
    out, _ = child.communicate(timeout=relaylib.TIMEOUT)
    return out


def test_slot_that_is_removed_takes_nothing_else_along(original):
    walklib.has_keys(original.command("slot-remove", "--slot", "3"), {"ok": bool, "removed": str})
    original.check_kept(without_slot="slot-3")
    doc = original.read_json("config/slots.json")
    assert "slot-3" not in json.dumps(doc)
