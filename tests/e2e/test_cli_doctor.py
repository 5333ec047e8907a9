"""doctor: a healthy directory passes, and each thing that is broken on purpose is found."""
import fcntl
import http.server
import json
import os
import socket
import threading

import pytest

import clilib
import relaylib
import simlib
from clilib import FAILED, OK


@pytest.fixture(scope="module")
def sim():
    with simlib.Sim("--accounts", "3") as sim:
        yield sim


@pytest.fixture
def relay(sim):
    with relaylib.Relay(sim, slots=2, start=False, config={
            "authToken": "long-enough-for-everybody", "auth": {"issuer": sim.issuer}}) as relay:
        yield relay


def run(relay, *words, env=None):
    done = clilib.with_pipes([relay.binary, "--runtime-root", relay.root, "doctor", *words], env)
    relay.outputs += [done.text.encode(), done.errors.encode()]
    result = json.loads(done.text)
    assert done.status == (OK if result["ok"] else FAILED)
    for finding in result["findings"]:
        assert set(finding) == {"level", "check", "message", "advice"}
        assert (finding["advice"] is None) == (finding["level"] == "ok"), finding
    for level, count in (("warn", "warnings"), ("fail", "failures")):
        assert result[count] == sum(f["level"] == level for f in result["findings"])
    return result


def finding(result, check, text=""):
    return next(f for f in result["findings"]
                if f["check"] == check and text in f["message"])


def expect(relay, level, check, text, *words, env=None):
    result = run(relay, *(words or ["--offline"]), env=env)
    found = finding(result, check, text)
    assert found["level"] == level, found
    assert result["ok"] is not (level == "fail")
    return found


def edit_record(relay, number, change):
    doc = relay.read_json("config/slots.json")
    change(doc["slots"][number - 1])
    relay.write_json("config/slots.json", doc)


def edit_profile(relay, number, **members):
    path = f"state/slots/slot-{number}/agent/auth-profiles.json"
    doc = relay.read_json(path)
    profile = doc["profiles"]["openai-codex:default"]
    profile.update(members)
    relay.write_json(path, {**doc, "profiles": {"openai-codex:default": {
        k: v for k, v in profile.items() if v is not None}}})


def test_healthy_directory(relay):
    result = run(relay)
    assert result["ok"] is True and result["warnings"] == 0, result
    checks = {f["check"] for f in result["findings"]}
    assert {"config", "token", "slots", "slot-1", "slot-2", "files", "disk", "lock", "descriptors",
            "port", "proxy", "upstream", "issuer", "clock"} <= checks


def test_offline_asks_nobody(relay, sim):
    sim.clear_requests()
    checks = {f["check"] for f in run(relay, "--offline")["findings"]}
    assert not checks & {"upstream", "issuer", "clock"}
    assert sim.requests() == []


def test_no_token_is_sent(relay, sim):
    sim.clear_requests()
    run(relay)
    assert sim.requests()
    for request in sim.requests():
        assert request.header("authorization") is None


def test_nothing_is_changed(relay):
    def snapshot():
        found = {}
        for folder, _, names in os.walk(relay.root):
            for name in names:
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    found[path] = file.read()
        return found
    before = snapshot()
    run(relay)
    assert snapshot() == before


@pytest.mark.parametrize("change, level, check, text", [
    ({"usageTtlSeconds": 0}, "fail", "config", "usageTtlSeconds: must be"),
    ({"slotConcurency": 3}, "warn", "config", "slotConcurency"),
    ({"authToken": "relay-dev-token"}, "ok", "token", "only this machine"),
    ({"authToken": "relay-dev-token", "listen": "0.0.0.0:0"}, "fail", "token", "everybody knows"),
    ({"authToken": "short"}, "warn", "token", "can be guessed"),
    ({"authToken": "short", "listen": ":0"}, "fail", "token", "can be guessed"),
    ({"authTokenAliases": ["short"]}, "warn", "token", "authTokenAliases[0]"),
    ({"listen": "192.0.2.1:8787"}, "fail", "port", "nobody can listen"),
])
def test_configuration(relay, change, level, check, text):
    relay.change_config(change)
    expect(relay, level, check, text)


def test_configuration_that_is_no_json(relay):
    with open(relay.path("config/relay.json"), "w", encoding="ascii") as file:
        file.write("{")
    expect(relay, "fail", "config", "relay.json: line 1")


def test_directory_that_is_not_there(relay, tmp_path):
    done = clilib.with_pipes([relay.binary, "--runtime-root", str(tmp_path / "no"), "doctor"])
    assert done.status == FAILED
    assert "init" in finding(json.loads(done.text), "config")["message"]


@pytest.mark.parametrize("path, mode, level", [
    ("config/relay.json", 0o644, "fail"), ("config/slots.json", 0o640, "fail"),
    ("state/slots/slot-1/agent/auth-profiles.json", 0o604, "fail"), ("config", 0o755, "warn"),
    ("state/slots/slot-2/agent", 0o750, "warn")])
def test_files_that_others_can_use(relay, path, mode, level):
    os.chmod(relay.path(path), mode)
    found = expect(relay, level, "files", f"{path} can be used by others: mode {mode:03o}")
    assert found["advice"].startswith("chmod ")
    os.system(found["advice"])
    assert run(relay, "--offline")["ok"] is True


@pytest.mark.parametrize("members, level, text", [
    ({"expires": 1700000000000, "refresh": None}, "fail", "has expired, and there is no refresh token"),
    ({"expires": 1700000000000}, "ok", "has expired; it is refreshed"),
    ({"refresh": None}, "warn", "there is no refresh token"),
    ({"access": None}, "fail", "no credential that can be used"),
])
def test_credentials(relay, members, level, text):
    edit_profile(relay, 2, **members)
    found = expect(relay, level, "slot-2", text)
    assert level == "ok" or "slot-login --slot slot-2" in found["advice"]


def test_login_that_upstream_refused(relay):
    with relaylib.Relay(relay.sim, slots=1) as other:
        other.sim.set_account(1, revoke_access=True, revoke_refresh=True)
        other.responses()
        other.stop()
        other.sim.set_account(1, login=True)
        assert other.records()["slot-1"]["relay"]["reauthRequired"] is True
        expect(other, "fail", "slot-1", "does not accept its login any more")


def test_slot_that_the_relay_disabled(relay):
    edit_record(relay, 1, lambda r: r.update(
        enabled=False, relay={"disabledReason": "dead: account_deactivated"}))
    assert "slot-reset" in expect(relay, "warn", "slot-1", "account_deactivated")["advice"]


def test_two_slots_of_one_account(relay):
    edit_profile(relay, 2, **relay.read_json("state/slots/slot-1/agent/auth-profiles.json")
                 ["profiles"]["openai-codex:default"])
    expect(relay, "warn", "slot-2", "slot-1 is the same account")


def test_broken_files_of_slots(relay):
    relay.write_json("state/slots/slot-1/agent/models.json", {"providers": {
        "openai-codex": {"baseUrl": "nonsense"}}})
    expect(relay, "fail", "slot-1", "models.json")
    relay.write_json("config/slots.json", {"slots": [{"id": "x"}]})
    expect(relay, "fail", "slots", "slots.json: slots[0].id")
    relay.write_json("config/slots.json", {"slots": []})
    expect(relay, "warn", "slots", "there is no slot")


def test_port_that_another_program_has(relay):
    with socket.create_server(("127.0.0.1", 0)) as server:
        relay.change_config({"listen": "127.0.0.1:%d" % server.getsockname()[1]})
        expect(relay, "fail", "port", "something else listens")


def test_port_that_is_bound_without_listening(relay):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        relay.change_config({"listen": "127.0.0.1:%d" % bound.getsockname()[1]})
        expect(relay, "fail", "port", "Address already in use")


def test_running_relay(relay):
    relay.start()
    relay.change_config({"listen": relay.address})
    # It has read its token before; the same is in the file.
    expect(relay, "ok", "port", f"the relay runs at {relay.address}, version ")


def test_lock_that_is_held(relay):
    with open(relay.path("run/state.lock"), "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        fcntl.lockf(file, fcntl.LOCK_EX)
        expect(relay, "warn", "lock", "is held")


def test_upstream_that_cannot_be_reached(relay):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = "http://127.0.0.1:%d/backend-api" % closed.getsockname()[1]
        relay.change_config({"upstream": {"baseUrl": address}})
        found = finding(run(relay), "upstream")
        assert found["level"] == "fail" and "Connection refused" in found["message"]
        relay.change_config({"auth": {"issuer": address}})
        assert finding(run(relay), "issuer")["level"] == "fail"


def test_backend_of_one_slot_is_asked_too(relay):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        relay.write_json("state/slots/slot-2/agent/models.json", {"providers": {"openai-codex": {
            "baseUrl": "http://127.0.0.1:%d" % closed.getsockname()[1]}}})
        assert finding(run(relay), "slot-2", "cannot be reached")["level"] == "fail"


@pytest.mark.parametrize("date, level", [("Mon, 01 Jan 2024 00:00:00 GMT", "fail"),
                                         ("nonsense", None)])
def test_clock(relay, date, level):
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response_only(404)
            self.send_header("Date", date)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = "http://127.0.0.1:%d" % server.server_address[1]
        relay.change_config({"upstream": {"baseUrl": url}, "auth": {"issuer": url}})
        found = [f for f in run(relay)["findings"] if f["check"] == "clock"]
        assert [f["level"] for f in found] == ([level] if level else [])
        assert not found or "seconds ahead of upstream's" in found[0]["message"]
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("env, level, text", [
    ({}, "ok", "no proxy"),
    ({"https_proxy": "http://user:hidden@127.0.0.1:1"}, "warn", "(https_proxy)"),
    ({"HTTP_PROXY": "http://127.0.0.1:1"}, "warn", "(HTTP_PROXY)"),
    ({"https_proxy": "http://127.0.0.1:1", "NO_PROXY": "127.0.0.1,localhost"}, "ok", "without it"),
    ({"https_proxy": "http://127.0.0.1:1", "no_proxy": "*"}, "ok", "without it"),
])
def test_proxy_variables(relay, env, level, text):
    expect(relay, level, "proxy", text, env=env)
    assert "hidden" not in json.dumps(run(relay, "--offline", env=env))


def test_descriptor_limit(relay):
    done = clilib.with_pipes(["/bin/sh", "-c", 'ulimit -n 200; exec "$0" "$@"', relay.binary,
                              "--runtime-root", relay.root, "doctor", "--offline"])
    assert finding(json.loads(done.text), "descriptors")["level"] == "warn"


def test_on_a_terminal_it_says_what_to_do(relay):
    os.chmod(relay.path("config/relay.json"), 0o644)
    done = clilib.on_terminal(
        [relay.binary, "--runtime-root", relay.root, "doctor", "--offline"], 80)
    assert done.status == FAILED
    assert "fail files" in done.plain and "-> chmod 600 " in done.plain
    assert "\n1 failed, 0 warnings, " in done.plain and "\033[31m" in done.text
    assert all(clilib.columns_of(line) <= 80 for line in done.plain.split("\n"))
