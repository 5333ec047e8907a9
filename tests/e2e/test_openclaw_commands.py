"""The legacy commands that take over what OpenClaw has, and logins with the openclaw program."""
import json
import os
import pathlib
import signal
import subprocess

import pytest

from clawlib import Claw, rooms
from loginlib import Terminal
from relaylib import Relay

OK, FAILED, USAGE, CONFIG, NOT_FOUND = 0, 1, 2, 3, 4
PROFILE = "openai-codex:default"


class Home:
    """OpenClaw's files, with accounts of the simulator as slots."""

    def __init__(self, sim, place):
        self.sim, self.place = sim, pathlib.Path(place)
        self.main = self.place / "agents/main/agent"
        (self.main / "codex-slots").mkdir(parents=True)
        self.slots = {}

    def auth(self, account, **changes):
        doc = self.sim.auth_profiles(account)
        doc["profiles"][PROFILE].update(changes)
        return doc

    def put(self, key, account, auth=None, **members):
        name = f"slot-{key}.json"
        doc = auth or self.auth(account)
        (self.main / "codex-slots" / name).write_text(json.dumps(doc))
        profile = doc["profiles"][PROFILE]
        self.slots[str(key)] = {
            "file": name, "emailLabel": profile["email"], "accountId": profile["accountId"],
            "profileId": PROFILE, "expires": profile["expires"],
            "savedAt": "2026-11-01T00:00:00.000Z", "usage5h": "95% left · resets 3h",
            "usageWeek": "40% left · resets 6d 2h", "liveCheckedAt": "2026-11-20T10:00:00.000Z",
            "usageFingerprint": "print-" + str(key), **members}
        self.write()
        return profile

    def write(self):
        (self.main / "codex-slots/slots.json").write_text(json.dumps({"slots": self.slots}))

    def models(self, **provider):
        (self.main / "models.json").write_text(
            json.dumps({"providers": {"openai-codex": provider}}))


@pytest.fixture
def home(sim, tmp_path, monkeypatch):
    for name in ("OPENCLAW_MAIN_AGENT_DIR", "OPENCLAW_MAIN_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OPENCLAW_HOME", str(tmp_path / "claw"))
    return Home(sim, tmp_path / "claw")


@pytest.fixture
def empty(start_relay):
    """A runtime directory without slots; nothing serves."""
    return start_relay(slots=0, start=False)


def run(relay, *words, status=OK):
    """A command: its JSON, and what it said on stderr."""
    done = subprocess.run([relay.binary, "--runtime-root", relay.root, "--json", *words],
                          capture_output=True, text=True, timeout=60)
    relay.outputs += [done.stdout.encode(), done.stderr.encode()]
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout) if done.stdout else None, done.stderr


def stored(relay, number):
    path = relay.path(f"state/slots/slot-{number}/agent/auth-profiles.json")
    profile = json.loads(pathlib.Path(path).read_text())["profiles"][PROFILE]
    relay.tokens += [profile[k].encode() for k in ("access", "refresh") if k in profile]
    return profile


# --- sync-slots

@pytest.mark.parametrize("command", ["sync-slots", "slot-import-main"])
def test_slots_come_with_label_usage_and_source(home, empty, command):
    grant = home.put(1, 1)
    home.put(3, 2, usageWeek=None, liveCheckedAt=1795600000000)
    result, said = run(empty, command)
    assert result == {"imported": ["slot-1", "slot-3"], "updated": [], "skipped": []}
    assert "hold the same grants" in said
    record = empty.records()["slot-1"]
    assert record["label"] == grant["email"] and record["enabled"] is True
    assert record["sourceSlot"] == "1"
    meta = record["sourceMeta"]
    assert meta["email"] == meta["emailLabel"] == grant["email"]
    assert meta["accountId"] == grant["accountId"] and meta["expires"] == grant["expires"]
    assert meta["savedAt"] == "2026-11-01T00:00:00.000Z"
    assert meta["usageFingerprint"] == "print-1"
    assert record["usage"] == {
        "usage5h": "95% left · resets 3h", "usageWeek": "40% left · resets 6d 2h", "fivePct": 95,
        "weekPct": 40, "checkedAt": "2026-11-20T10:00:00.000Z"}
    assert empty.records()["slot-3"]["usage"]["usageWeek"] is None
    assert stored(empty, 1)["refresh"] == grant["refresh"]
    assert os.stat(empty.path("state/slots/slot-1/agent/auth-profiles.json")).st_mode & 0o777 == 0o600


def test_choices_of_the_operator_stay(home, empty):
    home.put(1, 1)
    run(empty, "sync-slots")
    run(empty, "slot-disable", "--slot", "1")
    slots = empty.read_json("config/slots.json")
    slots["slots"][0] |= {"label": "mine", "priority": 7}
    empty.write_json("config/slots.json", slots)
    home.put(1, 1, auth=home.auth(1, access="newer.token.here", expires=4000000000000))
    result, _ = run(empty, "sync-slots")
    assert result == {"imported": [], "updated": ["slot-1"], "skipped": []}
    record = empty.records()["slot-1"]
    assert (record["label"], record["enabled"], record["priority"]) == ("mine", False, 7)
    assert stored(empty, 1)["access"] == "newer.token.here"


def test_nothing_changes_for_the_same_grant_but_newer_usage(home, empty):
    home.put(1, 1)
    run(empty, "sync-slots")
    before = stored(empty, 1)
    home.put(1, 1, auth={"profiles": {PROFILE: before}}, usage5h="10% left · resets 1h",
             liveCheckedAt="2026-11-21T10:00:00.000Z")
    result, _ = run(empty, "sync-slots")
    assert result["updated"] == ["slot-1"]
    assert stored(empty, 1) == before
    assert empty.records()["slot-1"]["usage"]["fivePct"] == 10
    home.put(1, 1, auth={"profiles": {PROFILE: before}}, usage5h="99% left",
             liveCheckedAt="2026-11-19T10:00:00.000Z")
    run(empty, "sync-slots")
    assert empty.records()["slot-1"]["usage"]["fivePct"] == 10


@pytest.mark.parametrize("changes, told", [
    ({"access": "older.token.here", "expires": 1700000000000}, "has a newer grant"),
    ({"access": "other.token.here"}, "nobody can tell"),
])
def test_older_grant_never_replaces_a_newer_one(home, empty, changes, told):
    home.put(1, 1)
    run(empty, "sync-slots")
    before = stored(empty, 1)
    home.put(1, 1, auth=home.auth(1, **changes))
    result, _ = run(empty, "sync-slots")
    assert result["updated"] == [] and result["skipped"][0]["id"] == "slot-1"
    assert told in result["skipped"][0]["reason"]
    assert stored(empty, 1) == before
    result, _ = run(empty, "sync-slots", "--force")
    assert result["updated"] == ["slot-1"]
    assert stored(empty, 1)["access"] == changes["access"]


def test_other_account_is_skipped_unless_forced(home, empty):
    home.put(1, 1)
    run(empty, "sync-slots")
    home.put(1, 2)
    result, _ = run(empty, "sync-slots")
    assert "another account" in result["skipped"][0]["reason"]
    result, _ = run(empty, "sync-slots", "--force")
    assert result["updated"] == ["slot-1"]
    assert stored(empty, 1)["accountId"] == home.slots["1"]["accountId"]


def test_slots_that_make_no_sense_are_skipped_with_reasons(home, empty):
    home.put(1, 1)
    home.put(2, 2, file="missing.json")
    home.put(4, 3, accountId="somebody else")
    home.slots |= {"x": {}, "5": 7, "6": {"file": None}}
    home.write()
    result, _ = run(empty, "sync-slots")
    assert result["imported"] == ["slot-1"]
    reasons = {s["id"]: s["reason"] for s in result["skipped"]}
    assert set(reasons) == {"slot-2", "slot-4", "slot-6", "x", "5"}
    assert "No such file" in reasons["slot-2"] and "another account" in reasons["slot-4"]
    assert "names no file" in reasons["slot-6"] and "no slot" in reasons["x"]


def test_base_url_and_models_come_along(home, empty):
    home.put(1, 1)
    home.models(baseUrl=empty.sim.base_url, api="openai-codex-responses", apiKey="not ours",
                models=[{"id": "gpt-5.4"}])
    run(empty, "sync-slots")
    assert empty.records()["slot-1"]["providerModels"] == [{"id": "gpt-5.4"}]
    assert empty.read_json("state/slots/slot-1/agent/models.json") == {"providers": {
        "openai-codex": {"baseUrl": empty.sim.base_url, "api": "openai-codex-responses",
                         "models": [{"id": "gpt-5.4"}]}}}


def test_main_configuration_names_the_base_url_too(home, empty, monkeypatch, tmp_path):
    home.put(1, 1)
    path = tmp_path / "main.json"
    path.write_text(json.dumps(
        {"models": {"providers": {"openai-codex": {"baseUrl": "http://127.0.0.1:1/x"}}}}))
    monkeypatch.setenv("OPENCLAW_MAIN_CONFIG", str(path))
    run(empty, "sync-slots")
    models = empty.read_json("state/slots/slot-1/agent/models.json")
    assert models["providers"]["openai-codex"]["baseUrl"] == "http://127.0.0.1:1/x"


def test_store_is_found_where_the_environment_says(home, empty, monkeypatch, tmp_path):
    home.put(1, 1)
    monkeypatch.setenv("OPENCLAW_HOME", str(tmp_path / "nowhere"))
    _, said = run(empty, "sync-slots", status=NOT_FOUND)
    assert str(tmp_path / "nowhere/agents/main/agent/codex-slots/slots.json") in said
    monkeypatch.setenv("OPENCLAW_MAIN_AGENT_DIR", str(home.main))
    assert run(empty, "sync-slots")[0]["imported"] == ["slot-1"]
    monkeypatch.delenv("OPENCLAW_MAIN_AGENT_DIR")
    monkeypatch.delenv("OPENCLAW_HOME")
    home.place.rename(tmp_path / ".openclaw")
    assert run(empty, "sync-slots")[0]["updated"] == ["slot-1"]
    # What the program itself takes OPENCLAW_HOME for.
    monkeypatch.setenv("OPENCLAW_HOME", str(tmp_path))
    assert run(empty, "sync-slots")[0]["updated"] == ["slot-1"]


@pytest.mark.parametrize("text", ["{", "[]", '{"slots": []}', '{"slots": {"1": {"a": 1, "a": 2}}}'])
def test_store_that_is_broken_is_refused(home, empty, text):
    (home.main / "codex-slots/slots.json").write_text(text)
    before = empty.read_json("config/slots.json")
    _, said = run(empty, "sync-slots", status=FAILED)
    assert "slots.json: " in said
    assert empty.read_json("config/slots.json") == before


def test_running_relay_uses_the_slots_at_once(home, start_relay):
    home.put(1, 1)
    relay = start_relay(slots=0)
    run(relay, "sync-slots")
    relay.wait_until(lambda: relay.health()["slots"] == 1)
    assert relay.chat().status == 200
    stored(relay, 1)


# --- setup

def test_setup_makes_a_directory_out_of_an_openclaw_home(home, sim, tmp_path):
    home.put(1, 1)
    home.models(baseUrl=sim.base_url)
    with Relay(sim, slots=0, start=False) as relay:
        relay.remove()
        relay.root = str(tmp_path / "fresh")
        result, said = run(relay, "setup")
        assert result["ok"] is True and result["runtimeRoot"] == str(tmp_path / "fresh")
        assert result["sync"]["imported"] == ["slot-1"]
        assert result["usage"]["updated"][0]["id"] == "slot-1"
        assert "usage" not in said
        stored(relay, 1)


def test_failed_refresh_is_only_a_warning_of_setup(home, sim, tmp_path):
    home.put(1, 1)
    home.models(baseUrl="http://127.0.0.1:1")
    with Relay(sim, slots=0, start=False) as relay:
        relay.remove()
        relay.root = str(tmp_path / "fresh")
        result, said = run(relay, "setup")
        assert result["sync"]["imported"] == ["slot-1"]
        assert "warning: the usage of 1 of 1 slots could not be refreshed" in said


def test_setup_without_an_openclaw_says_where_it_looked(home, empty):
    _, said = run(empty, "setup", status=NOT_FOUND)
    assert "codex-slots/slots.json: " in said


# --- slot-auth-copy-profile

def test_profile_is_copied(home, empty):
    place = home.place.parent / "claw-work/agents/helper/agent"
    place.mkdir(parents=True)
    (place / "auth-profiles.json").write_text(json.dumps(home.auth(2)))
    result, said = run(empty, "slot-auth-copy-profile", "--slot", "4", "--label", "work",
                       "--source-profile", "work", "--source-agent", "helper")
    assert result["slot"]["label"] == "work"
    assert "hold the same grants" in said
    assert stored(empty, 4)["accountId"] == home.auth(2)["profiles"][PROFILE]["accountId"]
    _, said = run(empty, "slot-auth-copy-profile", "--slot", "4", "--source-profile", "work",
                  status=FAILED)
    assert "claw-work/agents/main/agent/auth-profiles.json" in said


def test_main_profile_is_openclaws_home(home, empty):
    (home.main / "auth-profiles.json").write_text(json.dumps(home.auth(1)))
    run(empty, "slot-auth-copy-profile", "--slot", "1", "--source-profile", "main")
    assert stored(empty, 1)["email"] == home.auth(1)["profiles"][PROFILE]["email"]


@pytest.mark.parametrize("words", [
    ["--source-profile", "../x"], ["--source-profile", "x", "--source-agent", ".."],
    ["--source-profile", "a/b"]])
def test_names_that_lead_elsewhere_are_refused(home, empty, words):
    _, said = run(empty, "slot-auth-copy-profile", "--slot", "1", *words, status=FAILED)
    assert "is no name" in said


# --- slot-usage-copy-main

def test_usage_is_copied_from_the_slot_it_came_from(home, empty):
    home.put(7, 1, usage5h="12% left · resets 2h")
    run(empty, "sync-slots")
    slots = empty.read_json("config/slots.json")
    slots["slots"][0]["id"] = "slot-1"
    empty.write_json("config/slots.json", slots)
    home.put(7, 1, usage5h="34% left", usageWeek="56% left")
    result, _ = run(empty, "slot-usage-copy-main", "--slot", "1")
    assert result["slot"]["usage"]["fivePct"] == 34
    assert result["slot"]["usage"]["weekPct"] == 56


def test_usage_that_nobody_knows_is_told(home, empty):
    home.put(1, 1, usage5h=None, usageWeek="?")
    run(empty, "sync-slots")
    _, said = run(empty, "slot-usage-copy-main", "--slot", "1", status=FAILED)
    assert "knows no usage of slot-1" in said
    _, said = run(empty, "slot-usage-copy-main", "--slot", "9", status=NOT_FOUND)
    assert "has no slot-9" in said


# --- slot-login with auth.backend "openclaw"

@pytest.fixture
def claw():
    with Claw() as stand_in:
        yield stand_in


@pytest.fixture
def login(claw, start_relay):
    """Starts slot-login on a terminal."""
    running = []

    def begin(*words, **options):
        timeout = options.pop("timeout", 60)
        relay = options.pop("relay", None) or start_relay(slots=0, start=False, config=claw.config(
            auth={"backend": "openclaw"}, openclaw={"loginTimeoutSeconds": timeout}))
        running.append(Terminal(relay, "slot-login", "--slot", "1", *words, **options))
        return running[-1]

    yield begin
    for one in running:
        one.__exit__()


def test_program_logs_in_at_the_terminal(claw, login, sim):
    doc = sim.auth_profiles(1)
    claw.says("login", auth=doc, ask=True)
    run_ = login("--label", "mine")
    run_.wait("Paste the redirect URL")
    run_.type("http://localhost:1455/?code=x")
    assert run_.end() == OK, run_.text
    assert "is logged in" in run_.text
    assert claw.log("pasted")[0]["text"] == "http://localhost:1455/?code=x"
    seen = claw.runs("login")[0]
    assert seen["argv"] == ["--profile", "codex-slot-relay", "models", "auth", "login",
                            "--provider", "openai-codex"]
    assert seen["files"]["modes"]["agent"] == "0o700"
    assert stored(run_.relay, 1)["access"] == doc["profiles"][PROFILE]["access"]
    assert run_.relay.records()["slot-1"]["label"] == "mine"
    assert rooms(run_.relay) == []


@pytest.mark.parametrize("behavior, told", [
    ({"exit": 4}, "exit status 4; nothing was changed"),
    ({"mode": "crash"}, "killed by signal 6; nothing was changed"),
    ({}, "left no auth-profiles.json"),
    ({"auth": {"profiles": {}}}, "nothing was changed"),
])
def test_login_that_fails_changes_nothing(claw, login, behavior, told):
    claw.says("login", **behavior)
    run_ = login()
    assert run_.end() == FAILED
    assert told in run_.text
    assert run_.relay.records() == {} and rooms(run_.relay) == []


def test_login_takes_no_longer_than_it_may(claw, login):
    claw.says("login", mode="hang")
    run_ = login(timeout=1)
    assert run_.end() == FAILED
    assert "took too long" in run_.text
    assert rooms(run_.relay) == [] and not claw.living()


def test_ctrl_c_ends_the_program_and_leaves_nothing(claw, login):
    claw.says("login", mode="hang")
    run_ = login()
    run_.wait("Open this URL")
    run_.type("\x03", enter=False)
    assert run_.end() == FAILED
    assert "interrupted; nothing was changed" in run_.text
    assert run_.relay.records() == {} and rooms(run_.relay) == []
    for pid in claw.pids():
        claw.wait_gone(pid)


def test_killed_login_takes_the_program_along(claw, login):
    claw.says("login", mode="hang")
    run_ = login()
    run_.wait("Open this URL")
    os.kill(run_.pid, signal.SIGKILL)
    for pid in claw.pids():
        claw.wait_gone(pid)


def test_other_account_needs_force(claw, login, start_relay, sim):
    claw.says("login", auth=sim.auth_profiles(2))
    relay = start_relay(slots=1, start=False, config=claw.config(auth={"backend": "openclaw"}))
    before = stored(relay, 1)
    run_ = login(relay=relay)
    assert run_.end() == FAILED
    assert "belongs to" in run_.text and stored(relay, 1) == before
    run_ = login("--force", relay=relay)
    assert run_.end() == OK
    assert stored(relay, 1)["email"] != before["email"]


def test_result_alone_is_on_stdout(claw, login, sim, tmp_path):
    claw.says("login", auth=sim.auth_profiles(1))
    run_ = login("--json", stdout=str(tmp_path / "out"))
    assert run_.end() == OK, run_.text
    assert "Open this URL" in run_.text
    assert json.loads((tmp_path / "out").read_text())["slot"]["id"] == "slot-1"
    stored(run_.relay, 1)


def test_login_without_a_terminal_is_refused(claw, start_relay):
    relay = start_relay(slots=0, start=False, config=claw.config(auth={"backend": "openclaw"}))
    done = subprocess.run([relay.binary, "--runtime-root", relay.root, "slot-login", "--slot", "1"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == FAILED and "at a terminal only" in done.stderr
    assert not claw.runs()
