"""Logging in: by paste, by the browser's callback, by device code, and every way it can fail."""
import fcntl
import json
import os
import signal
import socket
import stat
import subprocess

import pytest

from loginlib import (LoginRelay, Terminal, environment, free_port, open_page, query_of, sign_in)

OK, FAILED, USAGE, CONFIG = 0, 1, 2, 3
UNCHANGED = "nothing was changed"


@pytest.fixture
def relay(sim):
    with LoginRelay(sim) as running:
        yield running


@pytest.fixture
def start(relay):
    """Starts slot-login on a terminal; whatever is left of it ends with the test."""
    running = []

    def begin(*words, slot=1, **options):
        running.append(Terminal(relay, "slot-login", "--slot", str(slot), *words, **options))
        return running[-1]

    yield begin
    for one in running:
        one.__exit__()


def piped(relay, *words, given="", env=None):
    """slot-login in a script: no terminal anywhere."""
    done = subprocess.run(
        [relay.binary, "--runtime-root", relay.root, "slot-login", *words], input=given,
        capture_output=True, text=True, timeout=60, env=environment(**(env or {})))
    relay.outputs += [done.stdout.encode(), done.stderr.encode()]
    return done


def log_in(relay, start, slot=1, words=()):
    login = start(*words, slot=slot)
    login.type(sign_in(login.url()))
    assert login.end() == OK, login.text
    relay.grant(slot)
    return login


# --- the three ways


FORMS = {
    "address": lambda url: url,
    "address without scheme": lambda url: url.removeprefix("http://"),
    "query": lambda url: "code={code}&state={state}".format(**query_of(url)),
    "code and state": lambda url: "{code}#{state}".format(**query_of(url)),
    "code": lambda url: query_of(url)["code"],
    "quoted address": lambda url: f'  "{url}" ',
    "bracketed paste": lambda url: f"\x1b[200~{url}\x1b[201~",
}


@pytest.mark.parametrize("form", FORMS)
def test_login_by_paste(sim, relay, start, form):
    login = start("--label", "work")
    login.type(FORMS[form](sign_in(login.url())))
    assert login.end() == OK, login.text
    assert "slot-1 is logged in" in login.text
    grant = relay.grant(1)
    assert grant["email"] == "demo1@example.com" and grant["type"] == "oauth"
    assert grant["access"] and grant["refresh"] and grant["idToken"] and grant["expires"]
    assert relay.records()["slot-1"]["label"] == "work"
    path = relay.path("state/slots/slot-1/agent/auth-profiles.json")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    request = sim.requests(path="/oauth/token")[0]
    assert request.header("originator") == "codex_slot_relay"
    assert request.header("user-agent").startswith("codex-slot-relay/")


def test_login_by_callback(relay, start):
    login = start()
    page = open_page(sign_in(login.url()))
    assert page.status == 200 and "You are logged in" in page.text
    assert page.headers["cache-control"] == "no-store"
    assert login.end() == OK, login.text
    assert relay.grant(1)["email"] == "demo1@example.com"
    assert relay.records()["slot-1"]["label"] == "demo1@example.com"


def test_callback_comes_over_ipv6_too(relay, start):
    login = start()
    callback = sign_in(login.url())
    try:
        connection = socket.create_connection(("::1", relay.port), timeout=30)
    except OSError:
        pytest.skip("no IPv6 here")
    with connection:
        target = callback.split(str(relay.port), 1)[1]
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
    assert login.end() == OK, login.text
    relay.grant(1)


@pytest.mark.parametrize("polls", [0, 1])
def test_login_by_device_code(sim, relay, start, polls):
    sim.settings(device_pending_polls=polls)
    login = start("--device")
    login.wait("Ctrl-C gives up")
    assert f"\n  {sim.issuer}/codex/device\n" in login.text
    assert login.wait(r"\n  ([A-Z]{4}-\d{5})\n")
    assert login.end() == OK, login.text
    assert relay.grant(1)["email"] == "demo1@example.com"
    assert len(sim.requests(path="/deviceauth/token")) == polls + 1


def test_device_code_is_polled_until_it_is_approved(sim, relay, start):
    sim.settings(device_pending_polls=-1)
    sim.script("*", {"path": "/deviceauth/token", "status": 502, "body": "<html>bad gateway"})
    login = start("--device")
    code = login.wait(r"\n  ([A-Z]{4}-\d{5})\n").group(1)
    sim.wait("requests>=2", path="/deviceauth/token")
    sim.control("POST", "device/approve", {"user_code": code})
    assert login.end() == OK, login.text
    relay.grant(1)


# --- the browser


BROWSER = """#!/bin/sh
[ -e /dev/tty ] && tty -s && exit 1
printf '%s\\n' "$#" "$@" > {log}.tmp && mv {log}.tmp {log}
exec {python} -c 'import sys, loginlib as l; l.open_page(l.sign_in(sys.argv[1]))' "$1"
"""


def write_browser(folder, log, name="browser"):
    path = folder / name
    import sys  # pylint: disable=import-outside-toplevel
    path.write_text(BROWSER.format(log=log, python=sys.executable))
    path.chmod(0o700)
    return str(path)


def browser_environment(**extra):
    return {"PYTHONPATH": os.path.dirname(os.path.abspath(__file__)),
            "PYTHONDONTWRITEBYTECODE": "1", **extra}


def test_browser_of_the_environment_is_started_without_a_shell(relay, start, tmp_path):
    log = tmp_path / "log"
    browser = write_browser(tmp_path, log)
    login = start(env=browser_environment(BROWSER=f"{tmp_path}/none:{browser} %s &"))
    assert login.end() == OK, login.text
    assert "the browser that has just been started" in login.text
    relay.grant(1)
    count, url = log.read_text().splitlines()
    assert count == "1" and url == login.url()


def test_usual_browser_needs_a_display(relay, start, tmp_path):
    log = tmp_path / "log"
    write_browser(tmp_path, log, "xdg-open")
    path = f"{tmp_path}:{os.environ['PATH']}"
    for extra, words in (({"SSH_CONNECTION": "a 1 b 2"}, ()),
                         ({"DISPLAY": ":0"}, ("--no-browser",))):
        login = start(*words, env=browser_environment(PATH=path, **extra))
        login.url()
        assert "just been started" not in login.text
        login.type("\x03", enter=False)
        assert login.end() == -signal.SIGINT
    assert not log.exists()
    login = start(env=browser_environment(PATH=path, DISPLAY=":0"))
    assert login.end() == OK, login.text
    relay.grant(1)
    assert log.exists()


# --- a relay that runs


def test_running_relay_uses_the_new_slot(relay, start):
    relay.start()
    assert relay.chat("hello").status == 429
    log_in(relay, start)
    relay.wait_for("config.reload", lambda line: line["file"] == "config/slots.json")
    reply = relay.chat("hello")
    assert reply.status == 200 and reply.headers["x-relay-slot-id"] == "slot-1"


def test_login_waits_while_the_slots_token_is_refreshed(relay, start):
    with open(relay.path("run/credential-slot-1.lock"), "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        login = start()
        login.type(sign_in(login.url()))
        login.wait("waiting for it to end")
        assert "slot-1" not in relay.records()
        fcntl.flock(file, fcntl.LOCK_UN)
        assert login.end() == OK, login.text
    relay.grant(1)


# --- another login for a slot that has one


def test_new_login_of_the_same_account_keeps_the_slot(sim, relay, start):
    sim.settings(login_account="acct-1")
    log_in(relay, start, words=("--label", "mine"))
    before = relay.grant(1)
    relay.cli("slot-disable", "--slot", "1")
    login = log_in(relay, start)
    assert "slot-1 is disabled" in login.text
    assert relay.grant(1)["access"] != before["access"]
    record = relay.records()["slot-1"]
    assert record["label"] == "mine" and record["enabled"] is False


def test_login_of_another_account_is_refused_unless_forced(sim, relay, start):
    sim.settings(login_account="acct-1")
    log_in(relay, start)
    before = relay.files()
    sim.settings(login_account="acct-2")
    login = start()
    page = open_page(sign_in(login.url()))
    assert page.status == 400 and "Login failed" in page.text
    assert login.end() == FAILED
    assert "slot-1 belongs to demo1@example.com" in login.text
    assert "demo2@example.com" in login.text and UNCHANGED in login.text
    assert "--force" in login.text
    assert relay.files() == before
    log_in(relay, start, words=("--force",))
    assert relay.grant(1)["email"] == "demo2@example.com"
    assert relay.records()["slot-1"]["sourceMeta"]["email"] == "demo2@example.com"


def test_another_seat_of_the_same_account_is_another_identity(sim, relay, start):
    """One account id may hold several users."""
    sim.settings(login_account="acct-1")
    log_in(relay, start)
    path = relay.path("state/slots/slot-1/agent/auth-profiles.json")
    file = relay.read_json("state/slots/slot-1/agent/auth-profiles.json")
    profile = file["profiles"]["openai-codex:default"]
    profile |= {"access": "opaque-token", "idToken": "opaque-token", "userId": "user-other"}
    with open(path, "w", encoding="utf-8") as out:
        json.dump(file, out)
    login = start()
    login.type(sign_in(login.url()))
    assert login.end() == FAILED
    assert "slot-1 belongs to" in login.text and UNCHANGED in login.text


def test_further_account_is_asked_for_its_password(sim, relay, start):
    login = start()
    assert "prompt" not in query_of(login.url())
    login.type(sign_in(login.url()))
    assert login.end() == OK
    relay.grant(1)
    assert query_of(start(slot=2).url())["prompt"] == "login"


def test_twin_is_warned_about(sim, relay, start):
    sim.settings(login_account="acct-1")
    log_in(relay, start)
    assert "slot-1 has the same account" in log_in(relay, start, slot=2).text


# --- what goes wrong: a message, an exit status, and no file changed


@pytest.fixture
def unchanged(relay):
    before = relay.files()
    yield
    assert relay.files() == before


def test_wrong_state_is_refused_and_may_be_corrected(relay, start):
    login = start()
    before = relay.files()
    callback = sign_in(login.url())
    login.type(callback.replace(query_of(callback)["state"], "x" * 43))
    login.wait("That cannot be used: it belongs to another login: wrong state")
    assert relay.files() == before
    login.type("hm")
    login.wait("too short")
    login.type(login.url())
    login.wait("that is the address to open")
    login.type("")
    login.type(callback)
    assert login.end() == OK, login.text
    relay.grant(1)


def test_wrong_state_again_and_again_ends_the_login(sim, relay, start, unchanged):
    login = start()
    code = query_of(sign_in(login.url()))["code"]
    for _ in range(5):
        login.type(f"{code}#of-another-login")
    assert login.end() == FAILED
    assert "wrong state" in login.text and UNCHANGED in login.text
    assert sim.requests(path="/oauth/token") == []


def test_wrong_state_in_a_pipe_ends_the_login(sim, relay, unchanged):
    done = piped(relay, "--slot", "1", given="code=ac_0123456789&state=other\n")
    assert done.returncode == FAILED and done.stdout == ""
    assert "wrong state" in done.stderr and UNCHANGED in done.stderr
    assert sim.requests(path="/oauth/token") == []


def test_wrong_state_at_the_callback_is_refused_and_the_login_goes_on(relay, start):
    login = start()
    callback = sign_in(login.url())
    before = relay.files()
    for wrong in (callback.replace("state=", "state=x"), callback.split("&state=")[0],
                  relay.redirect_uri, callback.replace("code=", "kode=")):
        page = open_page(wrong)
        assert page.status == 400 and "Not this login" in page.text
    assert relay.files() == before
    assert open_page(callback).status == 200
    assert login.end() == OK, login.text
    relay.grant(1)


def test_callback_serves_nothing_else(relay, start):
    login = start()
    callback = sign_in(login.url())
    assert open_page(callback.replace("/auth/callback", "/favicon.ico")).status == 404
    assert open_page(callback.replace("/auth/callback", "/")).status == 404
    for method in ("POST", "HEAD", "OPTIONS", "DELETE"):
        reply = open_page(callback, method)
        assert (reply.status, reply.headers["allow"]) == (405, "GET")
    assert open_page(callback).status == 200
    assert login.end() == OK, login.text
    relay.grant(1)


@pytest.mark.parametrize("way", ["paste", "callback"])
@pytest.mark.parametrize("error,told", [
    ("access_denied", "the login was denied in the browser (access_denied)"),
    ("server_error", "the issuer ended the login with an error (server_error)"),
    ("Strange_Thing", "the issuer ended the login with an error;")])
def test_denied_login(sim, relay, start, unchanged, way, error, told):
    sim.settings(login_error=error)
    login = start()
    callback = sign_in(login.url())
    if way == "paste":
        login.type(callback)
    else:
        page = open_page(callback)
        assert page.status == 400 and "Login failed" in page.text
    assert login.end() == FAILED
    assert told in login.text and UNCHANGED in login.text
    assert "Strange_Thing" not in login.text.replace(callback, "")


def test_expired_code(sim, relay, start, unchanged):
    login = start()
    callback = sign_in(login.url())
    sim.advance(601)
    page = open_page(callback)
    assert page.status == 400 and "not valid any more" in page.text
    assert login.end() == FAILED
    assert "the code is not valid any more" in login.text and UNCHANGED in login.text


@pytest.mark.parametrize("script,told", [
    ({"status": 500, "body": {"error": "server_error"}}, "status 500 (server_error)"),
    ({"status": 429, "body": {}}, "the issuer refused with status 429"),
    ({"status": 403, "body": "<html>Just a moment"}, "the issuer refused with status 403"),
    ({"status": 502, "body": "<html>"}, "held no access token"),
    ({"status": 200, "body": {"access_token": ""}}, "held no access token"),
    ({"status": 200, "body": "access_token=x"}, "held no access token"),
    ({"reset": True}, "no answer came from the issuer")])
def test_failed_exchange(sim, relay, start, unchanged, script, told):
    login = start()
    sim.script("*", {"path": "/oauth/token", **script})
    login.type(sign_in(login.url()))
    assert login.end() == FAILED
    assert told in login.text and UNCHANGED in login.text
    assert len(sim.requests(path="/oauth/token")) == 1


def test_issuer_out_of_reach(relay, start):
    relay.change_config({"auth": {"issuer": f"http://127.0.0.1:{free_port()}"}})
    before = relay.files()
    login = start()
    login.url()
    login.type("ac_0123456789")
    assert login.end() == FAILED
    assert "the issuer could not be reached" in login.text and UNCHANGED in login.text
    login = start("--device")
    assert login.end() == FAILED
    assert "the issuer could not be asked" in login.text and UNCHANGED in login.text
    assert relay.files() == before


@pytest.fixture
def busy(relay):
    with socket.socket() as other:
        other.bind(("127.0.0.1", relay.port))
        other.listen()
        yield other


def test_port_busy_leaves_the_paste(relay, start, busy):
    login = start()
    callback = sign_in(login.url())
    assert f"port {relay.port} is in use by another program" in login.text
    login.type(callback)
    assert login.end() == OK, login.text
    relay.grant(1)


def test_port_busy_on_one_address_is_told(relay, start):
    with socket.socket(socket.AF_INET6) as other:
        try:
            other.bind(("::1", relay.port))
        except OSError:
            pytest.skip("no IPv6 here")
        other.listen()
        login = start()
        callback = sign_in(login.url())
        assert f"port {relay.port} of [::1] is in use by another program" in login.text
        assert open_page(callback).status == 200
        assert login.end() == OK, login.text
    relay.grant(1)


def test_browser_that_does_not_wait_ends_nothing(sim, relay, start):
    sim.script("*", {"path": "/oauth/token", "delay_ms": 1500})
    login = start()
    target = sign_in(login.url()).split(str(relay.port), 1)[1]
    with socket.create_connection(("127.0.0.1", relay.port), timeout=30) as browser:
        browser.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        login.wait("asking for the tokens")
        assert open_page(relay.redirect_uri).status == 409
    assert login.end() == OK, login.text
    relay.grant(1)


def test_port_busy_and_nobody_to_paste(relay, busy, unchanged):
    done = piped(relay, "--slot", "1")
    assert done.returncode == FAILED and done.stdout == ""
    assert "is in use by another program" in done.stderr
    assert "standard input ended" in done.stderr and UNCHANGED in done.stderr


def test_redirect_to_another_machine_leaves_the_paste(relay, start):
    relay.change_config({"auth": {"redirectUri": "https://login.example.org/auth/callback"}})
    login = start()
    login.url()
    assert "does not lead to this machine" in login.text
    login.type("\x04", enter=False)
    assert login.end() == FAILED


@pytest.mark.parametrize("keys,told,status", [
    ("\x03", "interrupted", -signal.SIGINT),
    ("\x04", "given up at the terminal", FAILED)])
def test_giving_up_at_the_terminal(relay, start, unchanged, keys, told, status):
    login = start()
    login.url()
    login.type(keys, enter=False)
    assert login.end() == status
    assert told in login.text and UNCHANGED in login.text


@pytest.mark.parametrize("signo", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("moment", ["browser", "device", "exchange"])
def test_signal_leaves_nothing_half_written(sim, relay, start, unchanged, signo, moment):
    sim.settings(device_pending_polls=-1)
    sim.script("*", {"path": "/oauth/token", "stall": True})
    login = start(*(["--device"] if moment == "device" else []))
    login.wait("Ctrl-C gives up")
    if moment == "exchange":
        login.type(sign_in(login.url()))
        sim.wait("requests>=1", path="/oauth/token")
    os.kill(login.pid, signo)
    assert login.end() == -signo
    assert "interrupted" in login.text and UNCHANGED in login.text


@pytest.mark.parametrize("words", [(), ("--device",)])
def test_nobody_signs_in(sim, relay, start, unchanged, words):
    sim.settings(device_pending_polls=-1)
    login = start("--timeout", "1", *words)
    assert login.end() == FAILED
    assert "nobody signed in within the time" in login.text and UNCHANGED in login.text


@pytest.mark.parametrize("prepare,told", [
    (lambda sim, code: sim.control("POST", "device/deny", {"user_code": code}),
     "the login was denied in the browser"),
    (lambda sim, code: sim.advance(901), "the code has expired"),
    (lambda sim, code: sim.script("*", {"path": "/deviceauth/token", "status": 400,
                                        "body": {"error": "invalid_client"}}),
     "the issuer refused with status 400 (invalid_client)")])
def test_device_code_denied_or_expired(sim, relay, start, unchanged, prepare, told):
    sim.settings(device_pending_polls=-1)
    login = start("--device")
    prepare(sim, login.wait(r"\n  ([A-Z]{4}-\d{5})\n").group(1))
    assert login.end() == FAILED
    assert told in login.text and UNCHANGED in login.text


def test_device_codes_not_enabled(sim, relay, start, unchanged):
    sim.settings(device_enabled=False)
    login = start("--device")
    assert login.end() == FAILED
    assert "not enabled" in login.text and "without --device" in login.text


def test_device_answers_are_hostile(sim, relay, start, unchanged):
    sim.script("*", {"path": "/usercode", "status": 200,
                     "body": {"device_auth_id": "d", "user_code": "\x1b[2JX"}})
    login = start("--device")
    assert login.end() == FAILED
    assert "makes no sense" in login.text and "\x1b" not in login.text


@pytest.mark.parametrize("words,status,told", [
    (["--slot", "x"], USAGE, "--slot takes a number"),
    (["--slot", "1", "--timeout", "0"], USAGE, "--timeout takes seconds"),
    (["--slot", "1", "--timeout", "soon"], USAGE, "--timeout takes seconds"),
    ([], USAGE, "--slot N is missing")])
def test_command_line_is_checked_first(sim, relay, unchanged, words, status, told):
    done = piped(relay, *words)
    assert done.returncode == status and told in done.stderr
    assert sim.requests() == []


def test_no_runtime_directory(relay, tmp_path):
    relay.root, kept = str(tmp_path / "none"), relay.root
    try:
        done = piped(relay, "--slot", "1")
    finally:
        relay.root = kept
    assert done.returncode == CONFIG and not (tmp_path / "none").exists()


# --- output


def test_result_alone_is_json_on_stdout(relay, start, tmp_path):
    login = start(stdout=tmp_path / "out")
    login.type(sign_in(login.url()))
    assert login.end() == OK, login.text
    relay.grant(1)
    output = (tmp_path / "out").read_text()
    relay.outputs.append(output.encode())
    assert json.loads(output)["slot"]["id"] == "slot-1"


def test_callback_in_a_script_without_standard_input(relay):
    child = subprocess.Popen(
        [relay.binary, "--runtime-root", relay.root, "slot-login", "--slot", "1"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment())
    seen = ""
    for line in child.stderr:
        seen += line
        if line.startswith("  http"):
            address = line.strip()
        if "Ctrl-C" in line:
            break
    assert open_page(sign_in(address)).status == 200
    out, rest = child.communicate(timeout=60)
    relay.outputs += [out.encode(), (seen + rest).encode()]
    assert child.returncode == OK, seen + rest
    assert json.loads(out)["ok"] is True
    relay.grant(1)
