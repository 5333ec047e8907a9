"""The command line on a runtime directory: every command, on a terminal and off it."""
import base64
import copy
import json
import os
import pathlib
import re
import socket
import stat
import subprocess

import pytest

import clilib
from clilib import CONFIG, FAILED, NOT_FOUND, OK, USAGE

RELAY = os.environ.get("RELAY_BIN")
pytestmark = pytest.mark.skipif(not RELAY, reason="RELAY_BIN names the program")

SHOWN_KEYS = {"id", "enabled", "label", "usage", "runtime", "busy", "sourceMeta"}
USAGE_KEYS = {"usage5h", "usageWeek", "fivePct", "weekPct", "checkedAt"}
RUNTIME_KEYS = {"cooldownUntil", "lastUsedAt", "lastError", "consecutiveFailures"}
META_KEYS = {"email", "emailLabel", "accountId", "profileId", "expires", "savedAt",
             "usageFingerprint"}
SECRET = "SECRET-access-token"


class Relay:
    def __init__(self, root):
        self.root = pathlib.Path(root)

    def run(self, *words, root=True, env=None):
        command = [RELAY, *(["--runtime-root", str(self.root)] if root else []), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=30,
                              stdin=subprocess.DEVNULL, env=clilib.environment(**(env or {})))

    def json(self, *words):
        result = self.run(*words)
        assert result.returncode == OK, result.stderr
        assert SECRET not in result.stdout
        return json.loads(result.stdout)

    def fails(self, status, *words, root=True):
        result = self.run(*words, root=root)
        assert result.returncode == status, (result.stdout, result.stderr)
        assert result.stdout == ""
        assert result.stderr.startswith("codex-slot-relay: ")
        assert SECRET not in result.stderr
        return result.stderr

    def on_terminal(self, *words, env=None, columns=160):
        """What a person sees: standard output is a pseudo-terminal."""
        done = clilib.on_terminal([RELAY, "--runtime-root", str(self.root), *words], columns, env)
        assert done.status == OK, done.errors
        return done.text

    def file(self, name):
        return json.loads((self.root / name).read_text())

    def record(self, slot_id):
        return next(r for r in self.file("config/slots.json")["slots"] if r["id"] == slot_id)

    def shown(self, slot_id):
        return next(s for s in self.json("slot-list")["slots"] if s["id"] == slot_id)


@pytest.fixture
def relay(tmp_path):
    relay = Relay(tmp_path / "runtime")
    relay.json("init")
    return relay


def mode_of(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def jwt(claims):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
    return f"{part({'alg': 'none'})}.{part(claims)}.c2ln"


def auth_file(folder, name="auth.json", **values):
    path = folder / name
    content = {"access": SECRET, "refresh": "R", "accountId": "acc", "email": "me@example.org",
               "expires": 4000000000000} | values
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))
    return str(path)


def import_slot(relay, folder, slot, *words, **values):
    return relay.json("slot-auth-import-file", "--slot", str(slot), "--auth-file",
                      auth_file(folder, f"auth-{slot}.json", **values), *words)


# --- init -------------------------------------------------------------------------------------


def test_init_makes_private_files(tmp_path):
    relay = Relay(tmp_path / "deep" / "runtime")
    old = os.umask(0)
    try:
        result = relay.json("init")
    finally:
        os.umask(old)
    assert result["ok"] is True
    assert result["runtimeRoot"] == str(relay.root)
    for path in relay.root.rglob("*"):
        assert mode_of(path) == (0o700 if path.is_dir() else 0o600), path
    assert mode_of(relay.root) == 0o700
    config = relay.file("config/relay.json")
    assert config["listen"] == "127.0.0.1:8787"
    assert config["authToken"] == "relay-dev-token"
    assert config["thresholds"] == {"min5hPct": 15, "minWeekPct": 10}
    assert relay.file("config/slots.json")["slots"] == []


def test_init_keeps_what_exists_unless_forced(relay, tmp_path):
    path = relay.root / "config/relay.json"
    import_slot(relay, tmp_path, 1)
    path.write_text('{"authToken":"own","usageTtlSeconds":7,"future":1}')
    relay.json("init")
    assert relay.file("config/relay.json") == {"authToken": "own", "usageTtlSeconds": 7,
                                               "future": 1}
    relay.json("init", "--force")
    config = relay.file("config/relay.json")
    assert (config["authToken"], config["usageTtlSeconds"], config["future"]) == ("own", 300, 1)
    assert relay.shown("slot-1")


def test_root_and_profile_of_the_environment(tmp_path):
    relay = Relay(tmp_path / "a")
    env = {"CODEX_SLOT_RELAY_RUNTIME_ROOT": str(relay.root), "CODEX_SLOT_RELAY_PROFILE": "prof"}
    assert relay.run("init", root=False, env=env).returncode == OK
    assert relay.file("config/relay.json")["profile"] == "prof"
    other = Relay(tmp_path / "b")
    assert other.run("init", "--profile=mine", env=env).returncode == OK
    assert other.file("config/relay.json")["profile"] == "mine"


def test_default_root_is_below_the_working_directory(tmp_path):
    done = subprocess.run([RELAY, "init"], cwd=tmp_path, capture_output=True, timeout=30,
                          env=clilib.environment())
    assert done.returncode == OK
    assert (tmp_path / ".codex-slot-relay-runtime/config/relay.json").exists()


# --- import -----------------------------------------------------------------------------------

SHAPES = {
    "profiles": {"version": 1, "profiles": {"openai-codex:default": {
        "type": "oauth", "provider": "openai-codex", "access": SECRET, "refresh": "R",
        "expires": 4000000000000, "accountId": "acc", "email": "me@example.org"}}},
    "oauth": {"oauth": {"openai-codex": {
        "access": SECRET, "refresh": "R", "expires": "4000000000000", "accountId": "acc",
        "email": "me@example.org"}}},
    "flat": {"access_token": SECRET, "refresh_token": "R", "expires": "2096-10-02T07:06:40Z",
             "account_id": "acc", "email": "me@example.org"},
    "codex-cli": {"OPENAI_API_KEY": None, "last_refresh": "2026-01-01T00:00:00.123456Z",
                  "tokens": {"access_token": jwt({"exp": 4000000000, "x": SECRET}),
                             "refresh_token": "R", "account_id": "acc",
                             "id_token": jwt({"email": "me@example.org"})}},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_import_of_every_shape(relay, tmp_path, shape):
    path = tmp_path / "in.json"
    path.write_text(json.dumps(SHAPES[shape]))
    result = relay.json("slot-auth-import-file", "--slot", "2", "--auth-file", str(path))
    assert result["ok"] is True
    assert result["slot"]["id"] == "slot-2"
    stored = relay.root / "state/slots/slot-2/agent/auth-profiles.json"
    assert mode_of(stored) == 0o600
    assert mode_of(stored.parent) == 0o700
    profile = json.loads(stored.read_text())["profiles"]["openai-codex:default"]
    assert profile["type"] == "oauth" and profile["provider"] == "openai-codex"
    assert profile["refresh"] == "R" and profile["accountId"] == "acc"
    assert profile["email"] == "me@example.org" and profile["expires"] == 4000000000000
    record = relay.record("slot-2")
    assert record["label"] == "me@example.org"
    assert record["enabled"] is True and record["modelDefault"] == "gpt-5.4"
    assert record["authFile"] == str(stored)
    assert record["agentDir"] == str(stored.parent)
    assert set(record["usage"]) == USAGE_KEYS
    assert set(record["runtime"]) == RUNTIME_KEYS
    assert set(record["sourceMeta"]) == META_KEYS
    assert "providerModels" in record and "sourceSlot" in record
    assert relay.shown("slot-2")["eligible"] is True


def test_import_again_keeps_what_the_operator_set(relay, tmp_path):
    import_slot(relay, tmp_path, 2, "--label", "work")
    relay.json("slot-disable", "--slot", "2")
    path = relay.root / "config/slots.json"
    doc = json.loads(path.read_text())
    doc["slots"][0]["custom"] = {"x": 1}
    doc["future"] = True
    path.write_text(json.dumps(doc))
    result = relay.run("slot-auth-import-file", "--slot", "slot-2", "--auth-file",
                       auth_file(tmp_path, access="other-token"))
    assert result.returncode == OK
    assert "slot-2 is disabled" in result.stderr
    record = relay.record("slot-2")
    assert record["enabled"] is False
    assert record["label"] == "work"
    assert record["custom"] == {"x": 1}
    assert relay.file("config/slots.json")["future"] is True
    import_slot(relay, tmp_path, 2, "--label", "new")
    assert relay.record("slot-2")["label"] == "new"


def test_import_of_another_account_forgets_the_old_limits(relay, tmp_path):
    import_slot(relay, tmp_path, 1)
    path = relay.root / "config/slots.json"
    doc = json.loads(path.read_text())
    doc["slots"][0]["usage"]["usage5h"] = "0% left"
    doc["slots"][0]["runtime"]["lastError"] = "old"
    path.write_text(json.dumps(doc))
    import_slot(relay, tmp_path, 1)
    assert relay.record("slot-1")["usage"]["usage5h"] == "0% left"
    import_slot(relay, tmp_path, 1, accountId="acc-2")
    assert relay.record("slot-1")["usage"]["usage5h"] is None
    assert relay.record("slot-1")["runtime"]["lastError"] is None


def test_import_warns_of_a_second_slot_of_one_account(relay, tmp_path):
    import_slot(relay, tmp_path, 1)
    result = relay.run("slot-auth-import-file", "--slot", "2", "--auth-file", auth_file(tmp_path))
    assert result.returncode == OK
    assert "slot-1 has the same account" in result.stderr


def test_import_refusals_change_nothing(relay, tmp_path):
    before = (relay.root / "config/slots.json").read_bytes()
    cases = {
        '{"refresh":"%s"}' % SECRET: "no access token",
        '{"OPENAI_API_KEY":"%s","tokens":null}' % SECRET: "codex login",
        '{"access":"%s" oops}' % SECRET: "line 1",
        '{"access":"%s two"}' % SECRET: "no token",
        "": "line 1",
        "[]": "must be a JSON object",
    }
    for text, told in cases.items():
        path = tmp_path / "bad.json"
        path.write_text(text)
        errors = relay.fails(FAILED, "slot-auth-import-file", "--slot", "2", "--auth-file",
                             str(path))
        assert told in errors and str(path) in errors
    errors = relay.fails(FAILED, "slot-auth-import-file", "--slot", "2", "--auth-file",
                         str(tmp_path / "absent"))
    assert "No such file" in errors
    assert (relay.root / "config/slots.json").read_bytes() == before
    assert not (relay.root / "state/slots/slot-2").exists()


def test_records_stand_in_order_of_their_numbers(relay, tmp_path):
    for slot in (10, 2, 9, 1):
        import_slot(relay, tmp_path, slot, accountId=f"acc-{slot}")
    ids = [r["id"] for r in relay.file("config/slots.json")["slots"]]
    assert ids == ["slot-1", "slot-2", "slot-9", "slot-10"]


# --- enable, disable, remove --------------------------------------------------------------------


def test_enable_and_disable(relay, tmp_path):
    import_slot(relay, tmp_path, 2)
    shown = relay.json("slot-disable", "--slot", "2")["slot"]
    assert (shown["enabled"], shown["state"], shown["reason"]) == (False, "disabled", "disabled")
    assert relay.record("slot-2")["enabled"] is False
    shown = relay.json("slot-enable", "--slot=slot-2")["slot"]
    assert (shown["enabled"], shown["state"], shown["reason"]) == (True, "ready", None)
    assert relay.record("slot-2")["enabled"] is True


def test_set_changes_what_was_named_and_nothing_else(relay, tmp_path):
    import_slot(relay, tmp_path, 2, "--label", "old")
    before = relay.record("slot-2")
    shown = relay.json("slot-set", "--slot", "2", "--priority", "-5")["slot"]
    assert (shown["priority"], shown["weight"], shown["label"]) == (-5, 1, "old")
    assert relay.record("slot-2") == before | {"priority": -5}
    shown = relay.json("slot-set", "--slot", "slot-2", "--weight=0.25", "--label", "new")["slot"]
    assert (shown["priority"], shown["weight"], shown["label"]) == (-5, 0.25, "new")
    assert relay.record("slot-2") == before | {"priority": -5, "weight": 0.25, "label": "new"}
    # Neither another import nor another command forgets them.
    import_slot(relay, tmp_path, 2)
    relay.json("slot-disable", "--slot", "2")
    shown = relay.shown("slot-2")
    assert (shown["priority"], shown["weight"]) == (-5, 0.25)


@pytest.mark.parametrize("words, told", [
    ([], "--label, --priority or --weight"),
    (["--priority", "1.5"], "--priority must be"),
    (["--priority", "1000001"], "--priority must be"),
    (["--priority", ""], "--priority is empty"),
    (["--weight", "0"], "--weight must be"),
    (["--weight", "-1"], "--weight must be"),
    (["--weight", "nan"], "--weight must be"),
    (["--weight", "1e7"], "--weight must be"),
    (["--priority", "1", "--weight", "x"], "--weight must be"),
    (["--label", b"\xff"], "--label must be UTF-8"),
])
def test_set_refuses_what_makes_no_sense(relay, tmp_path, words, told):
    import_slot(relay, tmp_path, 2)
    before = relay.file("config/slots.json")
    assert told in relay.fails(USAGE, "slot-set", "--slot", "2", *words)
    assert relay.file("config/slots.json") == before


def test_set_of_a_slot_that_is_not_there(relay):
    assert "no slot-3" in relay.fails(NOT_FOUND, "slot-set", "--slot", "3", "--priority", "1")


def test_remove_deletes_the_credentials(relay, tmp_path):
    import_slot(relay, tmp_path, 1)
    import_slot(relay, tmp_path, 2, accountId="other")
    assert relay.json("slot-remove", "--slot", "1") == {"ok": True, "removed": "slot-1"}
    assert not (relay.root / "state/slots/slot-1").exists()
    assert (relay.root / "state/slots/slot-2").exists()
    assert [s["id"] for s in relay.json("slot-list")["slots"]] == ["slot-2"]
    assert "no slot-1" in relay.fails(NOT_FOUND, "slot-remove", "--slot", "1")


# --- a directory of the original program --------------------------------------------------------


@pytest.fixture
def original(tmp_path):
    """As SPEC describes what the original program leaves behind; its times are epoch ms."""
    root = tmp_path / "original"
    slots = []
    for number in (1, 2):
        agent = root / f"state/slots/slot-{number}/agent"
        agent.mkdir(parents=True)
        (agent / "auth-profiles.json").write_text(json.dumps(
            {"version": 1, "profiles": {"openai-codex:default": {
                "type": "oauth", "provider": "openai-codex", "access": SECRET, "refresh": "R",
                "expires": 4000000000000, "accountId": f"acc-{number}",
                "email": f"u{number}@example.org"}}}))
        (agent / "models.json").write_text(json.dumps(
            {"providers": {"openai-codex": {"baseUrl": "https://chatgpt.com/backend-api",
                                            "api": "openai-codex-responses", "models": []}}}))
        slots.append({
            "id": f"slot-{number}", "sourceSlot": str(number), "enabled": True,
            "label": f"u{number}", "agentDir": str(agent),
            "authFile": str(agent / "auth-profiles.json"), "modelDefault": "gpt-5.4",
            "usage": {"usage5h": "95% left · resets 3h", "usageWeek": "40% left · resets 6d 23h",
                      "fivePct": 95, "weekPct": 40, "checkedAt": 4000000000000},
            "runtime": {"cooldownUntil": None, "lastUsedAt": 1790000000000, "lastError": None,
                        "consecutiveFailures": 0},
            "sourceMeta": {"email": f"u{number}@example.org", "emailLabel": f"u{number}",
                           "accountId": f"acc-{number}", "profileId": "openai-codex:default",
                           "expires": 4000000000000, "savedAt": "2026-01-01T00:00:00Z",
                           "usageFingerprint": "f00"},
            "providerModels": [{"id": "gpt-5.4"}],
            "whatever": {"kept": True}})
    slots[1]["runtime"]["cooldownUntil"] = 4000000000000
    slots[1]["runtime"]["lastError"] = "quota"
    config = {"listen": "127.0.0.1:8787", "authToken": "relay-dev-token", "authTokenAliases": [],
              "profile": "codex-slot-relay", "workspace": str(root / "min-workspace"),
              "runtimeRoot": str(root), "usageTtlSeconds": 300, "requestTimeoutSeconds": 180,
              "thinking": "off", "selectionPolicy": "best-week-then-5h",
              "thresholds": {"min5hPct": 15, "minWeekPct": 10},
              "cooldown": {"genericErrorSeconds": 300, "quotaErrorSeconds": 1800},
              "auth": {"backend": "native"}, "usage": {"backend": "codex-api"},
              "runner": {"backend": "codex-direct", "agentId": "relay"}, "oldKey": 1}
    (root / "config").mkdir()
    (root / "config/relay.json").write_text(json.dumps(config))
    (root / "config/slots.json").write_text(json.dumps(
        {"version": 1, "updatedAt": 1790000000000, "slots": slots}))
    return Relay(root)


def test_list_of_the_originals_directory(original):
    shown = original.shown("slot-1")
    assert SHOWN_KEYS <= set(shown)
    assert set(shown["usage"]) == USAGE_KEYS
    assert set(shown["runtime"]) == RUNTIME_KEYS
    assert set(shown["sourceMeta"]) == META_KEYS
    assert shown["usage"]["fivePct"] == 95
    assert shown["usage"]["checkedAt"] == 4000000000000
    assert shown["runtime"]["lastUsedAt"] == 1790000000000
    assert shown["eligible"] is True
    other = original.shown("slot-2")
    assert (other["state"], other["eligible"]) == ("cooldown", False)
    assert other["runtime"]["cooldownUntil"] == 4000000000000


def test_edits_leave_the_rest_of_the_originals_directory_alone(original):
    before = original.file("config/slots.json")
    original.json("slot-disable", "--slot", "1")
    after = original.file("config/slots.json")
    assert isinstance(after["updatedAt"], int) and after["updatedAt"] > 1790000000000
    expected = copy.deepcopy(before)
    expected["slots"][0]["enabled"] = False
    expected["updatedAt"] = after["updatedAt"]
    assert after == expected


def test_health_of_the_originals_directory(original):
    health = original.json("health")
    assert {"ok", "time", "version", "listen", "slots", "busy", "slotsDetail", "selectionPolicy",
            "backends", "running"} <= set(health)
    assert health["ok"] is True
    assert health["slots"] == 2
    assert health["slotsDetail"] == {"total": 2, "enabled": 2, "eligible": 1}
    assert health["selectionPolicy"] == "best-week-then-5h"
    assert health["backends"] == {"auth": "native", "usage": "codex-api",
                                  "runner": "codex-direct"}
    assert health["unknownKeys"] == ["oldKey"]


def test_slot_with_a_broken_file_is_shown(original):
    (original.root / "state/slots/slot-1/agent/auth-profiles.json").write_text(
        '{"access": "%s" oops' % SECRET)
    shown = original.shown("slot-1")
    assert shown["state"] == "no_credential"
    assert shown["runtime"]["lastError"].startswith("credential: line 1")


def test_directory_that_was_moved(original, tmp_path):
    moved = Relay(tmp_path / "moved")
    original.root.rename(moved.root)
    assert moved.shown("slot-1")["eligible"] is True


# --- health -------------------------------------------------------------------------------------


def test_health_tells_whether_something_listens(relay):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = "127.0.0.1:%d" % server.getsockname()[1]
        (relay.root / "config/relay.json").write_text(json.dumps({"listen": address}))
        assert relay.json("health")["running"] is True
    assert relay.json("health")["running"] is False


# --- people -------------------------------------------------------------------------------------


def test_table_on_a_terminal(original):
    text = original.on_terminal("slot-list")
    assert "\033[" in text
    plain = re.sub(r"\033\[[0-9;]*m", "", text).split("\n")
    for title in ("SLOT", "STATE", "LABEL", "PLAN", "5H LEFT", "WEEK LEFT", "COOLDOWN",
                  "LAST ERROR"):
        assert title in plain[0]
    first = next(line for line in plain if line.startswith("slot-1"))
    assert "█" in first and "95%" in first and "40%" in first and "ready" in first
    second = next(line for line in plain if line.startswith("slot-2"))
    assert "cooldown" in second and "quota" in second


def test_table_without_colour_and_without_utf8(original):
    assert "\033[" not in original.on_terminal("slot-list", env={"NO_COLOR": "1"})
    assert "\033[" not in original.on_terminal("slot-list", env={"TERM": "dumb"})
    text = original.on_terminal("slot-list", env={"LC_ALL": "C"})
    assert "#####" in text and "█" not in text


def test_json_on_a_terminal_when_asked(original):
    assert len(json.loads(original.on_terminal("slot-list", "--json"))["slots"]) == 2
    assert json.loads(original.on_terminal("--json", "health"))["ok"] is True


def test_text_of_files_cannot_drive_the_terminal(original):
    path = original.root / "config/slots.json"
    doc = json.loads(path.read_text())
    doc["slots"][0]["label"] = "a\033[2Jb\u009b31mc\nd"
    path.write_text(json.dumps(doc))
    text = original.on_terminal("slot-list", env={"NO_COLOR": "1"})
    assert "\033" not in text and "\u009b" not in text
    assert "a?[2Jb?31mc?d" in text


def test_other_commands_on_a_terminal(original, tmp_path):
    health = original.on_terminal("health")
    assert "2, 2 enabled, 1 eligible" in health
    assert "best-week-then-5h: most left of the week, then of the 5 hours" in health
    assert original.on_terminal("slot-disable", "--slot", "1") == "slot-1 disabled\n"
    assert original.on_terminal("slot-enable", "--slot", "1") == "slot-1 enabled\n"
    assert original.on_terminal("slot-set", "--slot", "1", "--weight", "2") == "slot-1 changed\n"
    assert original.on_terminal("slot-auth-import-file", "--slot", "3", "--auth-file",
                                auth_file(tmp_path)) == "slot-3 imported\n"
    assert original.on_terminal("slot-remove", "--slot", "3") == "slot-3 removed\n"
    assert str(original.root) in original.on_terminal("init")
    empty = Relay(tmp_path / "empty")
    empty.json("init")
    assert "no slots yet" in empty.on_terminal("slot-list")


# --- help and mistakes --------------------------------------------------------------------------


def commands(relay):
    text = relay.run("--help", root=False).stdout
    return re.findall(r"^  ([a-z][a-z-]+) ", text, re.M)


def test_help_of_the_program_and_of_every_command(relay):
    names = commands(relay)
    assert {"init", "serve", "slot-auth-import-file", "slot-list", "slot-enable", "slot-disable",
            "slot-remove", "health"} <= set(names)
    for name in names:
        result = relay.run(name, "--help")
        assert result.returncode == OK and result.stderr == ""
        assert f"Example:\n  codex-slot-relay {name}" in result.stdout
        assert relay.run("help", name).stdout == result.stdout
        assert "--runtime-root" in result.stdout
    assert relay.run("help").stdout == relay.run("--help").stdout


def test_version(relay):
    for words in (["--version"], ["-V"], ["slot-list", "--version"]):
        result = relay.run(*words, root=False)
        assert result.returncode == OK
        assert re.fullmatch(r"codex-slot-relay \d+\.\d+\.\d+\n", result.stdout)


def test_no_command_shows_the_help_as_an_error(relay):
    result = relay.run(root=False)
    assert result.returncode == USAGE
    assert result.stdout == ""
    assert "Usage:" in result.stderr


@pytest.mark.parametrize("words, told", [
    (["slot-lst"], "did you mean slot-list?"),
    (["helth"], "did you mean health?"),
    (["slot-auth"], "did you mean slot-auth-import-file?"),
    (["nonsense-of-no-kind"], 'unknown command "nonsense-of-no-kind"; see --help'),
    (["slot-list", "--slot", "2"], "unknown option --slot"),
    (["slot-enable", "--slto", "2"], "did you mean --slot?"),
    (["slot-enable"], "--slot N is missing"),
    (["slot-enable", "--slot"], "--slot needs a value"),
    (["slot-enable", "--slot", ""], "--slot is empty"),
    (["slot-enable", "--slot="], "--slot is empty"),
    (["slot-enable", "--slot", "two"], 'and not "two"'),
    (["slot-enable", "--slot", "../x"], 'and not "../x"'),
    (["slot-enable", "--slot", "2", "3"], '"3" is too much'),
    (["slot-auth-import-file", "--slot", "2"], "--auth-file FILE is missing"),
    (["init", "--force=yes"], "--force takes no value"),
    (["--bogus", "health"], "--bogus"),
    (["help", "bogus"], 'unknown command "bogus"'),
])
def test_wrong_command_lines(relay, words, told):
    assert told in relay.fails(USAGE, *words)


def test_directory_that_is_not_there(tmp_path):
    relay = Relay(tmp_path / "absent")
    for words in (["health"], ["slot-list"], ["slot-enable", "--slot", "1"],
                  ["slot-remove", "--slot", "1"],
                  ["slot-auth-import-file", "--slot", "1", "--auth-file", auth_file(tmp_path)]):
        errors = relay.fails(CONFIG, *words)
        assert "run init first" in errors and "relay.json" in errors
    assert not relay.root.exists()


def test_wrong_files_are_named(relay):
    config = relay.root / "config/relay.json"
    slots = relay.root / "config/slots.json"
    config.write_text('{"authToken":"%s","thresholds":{"min5hPct":120}}' % SECRET)
    errors = relay.fails(CONFIG, "health")
    assert "relay.json: thresholds.min5hPct: must be a number between 0 and 100" in errors
    config.write_text('{"authToken":"%s",}' % SECRET)
    assert "relay.json: line 1, column" in relay.fails(CONFIG, "slot-list")
    config.write_text("{}")
    slots.write_text('{"slots":[{"id":"%s"}]}' % SECRET)
    assert "slots.json: slots[0].id" in relay.fails(CONFIG, "slot-list")
    slots.write_text("{")
    assert "slots.json: line 1" in relay.fails(CONFIG, "slot-enable", "--slot", "1")
    assert slots.read_text() == "{"


def test_slot_that_is_not_there(relay):
    for command in ("slot-enable", "slot-disable", "slot-remove"):
        assert "there is no slot-7" in relay.fails(NOT_FOUND, command, "--slot", "7")


def test_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    relay = Relay(tmp_path / "file" / "below")
    assert "Not a directory" in relay.fails(FAILED, "init")


def test_full_disk_is_no_success(relay):
    with open("/dev/full", "w") as full:
        result = subprocess.run([RELAY, "--runtime-root", str(relay.root), "health"], stdout=full,
                                stderr=subprocess.PIPE, text=True, timeout=30, env=clilib.environment())
    assert result.returncode == FAILED
    assert "could not be written" in result.stderr
