"""config get, set, unset, list, check: what is written, what is refused, and that no token is seen."""
import json
import os

import pytest

import clilib
import relaylib
from clilib import CONFIG, FAILED, OK, USAGE

SECRET = "a-token-that-nobody-may-see"


@pytest.fixture
def relay():
    relay = relaylib.Relay(None, slots=0, start=False)
    yield relay
    relay.remove()


def command(relay, *words):
    return [relay.binary, "--runtime-root", relay.root, "config", *words]


def run(relay, *words, status=OK, typed=""):
    done = clilib.with_pipes(command(relay, *words), typed=typed)
    assert done.status == status, done.errors
    assert SECRET not in done.text + done.errors
    return json.loads(done.text) if status == OK else done.errors


def raw(relay):
    with open(relay.path("config/relay.json"), "rb") as file:
        return file.read()


@pytest.mark.parametrize("key, word, value", [
    ("thresholds.min5hPct", "20", 20),
    ("thresholds.min5hPct", "12.5", 12.5),
    ("usageTtlSeconds", "60", 60),
    ("reusePort", "true", True),
    ("selectionPolicy", "least-recently-used", "least-recently-used"),
    ("selectionPolicy", '"best-5h-then-week"', "best-5h-then-week"),
    ("upstream.httpVersion", "2", "2"),
    ("upstream.caFile", "", ""),
    ("listen", "127.0.0.1:9999", "127.0.0.1:9999"),
])
def test_set_takes_json_and_plain_text(relay, key, word, value):
    result = run(relay, "set", key, word)
    assert (result["ok"], result["key"], result["value"]) == (True, key, value)
    stored = relay.read_json("config/relay.json")
    for part in key.split("."):
        stored = stored[part]
    assert stored == value
    shown = run(relay, "get", key)
    assert shown["value"] == value
    assert shown["changed"] is (value != shown["default"])
    run(relay, "unset", key)
    assert run(relay, "get", key)["value"] == shown["default"]


@pytest.mark.parametrize("words, told", [
    (["set", "thresholds.min5hPct", "120"],
     "thresholds.min5hPct: must be a number between 0 and 100"),
    (["set", "thresholds.min5hPct", "much"], "thresholds.min5hPct: must be a number"),
    (["set", "thresholds.min5hPct", "null"], "thresholds.min5hPct: must be a number"),
    (["set", "usageTtlSeconds", "1.5"], "usageTtlSeconds: must be a whole number"),
    (["set", "reusePort", "yes"], "reusePort: must be true or false"),
    (["set", "selectionPolicy", "best"], "selectionPolicy: must be one of"),
    (["set", "listen", "nowhere at all"], "listen: must be an address"),
    (["set", "authToken", "two words"], "authToken: must be a token"),
    (["set", "authTokenAliases", '["a b"]'], "authTokenAliases: must be a list"),
    (["set", "slotConcurrency", "-5"], "unknown option -5"),
    (["set", "--", "slotConcurrency", "-5"], "slotConcurrency: must be a whole number"),
    (["set", "lisen", "x"], "did you mean listen?"),
    (["set", "min5hPct", "20"], "did you mean thresholds.min5hPct?"),
    (["get", "nothing.like.it"], "see config list"),
    (["unset", "retry.maxAttempts"], "retry.maxAttempts is not set"),
    (["unset", "nothing"], "nothing is not set"),
    (["gte", "listen"], "did you mean get?"),
    (["wrong"], "see config --help"),
    ([], "get, set, unset, list or check?"),
    (["get"], "get takes a key"),
    (["set", "listen"], "set takes a key and a value"),
    (["list", "all"], "list takes nothing more"),
    (["get", "a", "b", "c"], "too much"),
])
def test_refusals_change_nothing(relay, words, told):
    before = raw(relay)
    assert told in run(relay, *words, status=USAGE)
    assert raw(relay) == before


def test_keys_that_nobody_knows_survive_and_can_be_dropped(relay):
    relay.change_config({"xTop": [1, {"a": None}], "thresholds": {"xInner": 3}})
    run(relay, "set", "thresholds.minWeekPct", "33")
    stored = relay.read_json("config/relay.json")
    assert stored["xTop"] == [1, {"a": None}]
    assert stored["thresholds"] == {"min5hPct": 15, "minWeekPct": 33, "xInner": 3}
    assert run(relay, "check")["unknownKeys"] == ["thresholds.xInner", "xTop"] or \
        set(run(relay, "check")["unknownKeys"]) == {"thresholds.xInner", "xTop"}
    run(relay, "unset", "thresholds.xInner")
    run(relay, "unset", "xTop")
    assert run(relay, "check")["unknownKeys"] == []
    # Their values may be anything, so they are not shown.
    assert "unknown key" in run(relay, "get", "xTop", status=USAGE)


def test_file_stays_private_and_in_its_order(relay):
    names = list(relay.read_json("config/relay.json"))
    run(relay, "set", "usageTtlSeconds", "77")
    assert list(relay.read_json("config/relay.json")) == names
    assert os.stat(relay.path("config/relay.json")).st_mode & 0o777 == 0o600
    assert raw(relay).startswith(b'{\n  "')


def test_tokens_are_never_shown(relay):
    run(relay, "set", "authToken", "-", typed=SECRET + "\n")
    run(relay, "set", "authTokenAliases", "-", typed=f"{SECRET}-1\n{SECRET}-2\n")
    stored = relay.read_json("config/relay.json")
    assert stored["authToken"] == SECRET
    assert stored["authTokenAliases"] == [SECRET + "-1", SECRET + "-2"]
    assert run(relay, "get", "authToken")["value"] == "***"
    assert run(relay, "get", "authTokenAliases")["value"] == ["***", "***"]
    listed = {entry["key"]: entry for entry in run(relay, "list")["keys"]}
    assert listed["authToken"]["value"] == "***" and listed["authToken"]["changed"] is True
    assert listed["adminToken"]["value"] == ""
    for words in (["get", "authToken"], ["list"], ["set", "usageTtlSeconds", "5"]):
        assert SECRET not in clilib.on_terminal(command(relay, *words)).text


def test_token_as_an_argument_is_warned_about(relay):
    done = clilib.with_pipes(command(relay, "set", "authTokenAliases", '["a","b"]'))
    assert done.status == OK and "others on this machine can see arguments" in done.errors
    assert relay.read_json("config/relay.json")["authTokenAliases"] == ["a", "b"]
    assert json.loads(done.text)["value"] == ["***", "***"]


def test_token_typed_on_a_terminal_is_not_echoed(relay):
    done = clilib.on_terminal(command(relay, "set", "authToken", "-"), typed=SECRET + "\n")
    assert done.status == OK and "authToken: " in done.errors
    assert SECRET not in done.text + done.errors
    assert "authToken is ***" in done.text
    assert relay.read_json("config/relay.json")["authToken"] == SECRET


def test_password_of_a_proxy_is_not_shown(relay):
    for result in (run(relay, "set", "upstream.proxy", f"http://me:{SECRET}@proxy:3128"),
                   run(relay, "get", "upstream.proxy")):
        assert "***" in result["value"]
    assert SECRET in relay.read_json("config/relay.json")["upstream"]["proxy"]


def test_list_has_every_key_of_the_documentation(relay):
    with open(relaylib.REPOSITORY / "docs/config.md", encoding="utf-8") as file:
        documented = {line.split("`")[1] for line in file if line.startswith("| `")}
    entries = run(relay, "list")["keys"]
    assert {entry["key"] for entry in entries} == documented
    for entry in entries:
        assert set(entry) == {"key", "value", "default", "changed"}
    changed = {entry["key"] for entry in entries if entry["changed"]}
    assert changed == {"listen", "upstream.proxy"}


def test_check_names_what_is_wrong(relay, tmp_path):
    assert run(relay, "check")["ok"] is True
    other = tmp_path / "other.json"
    other.write_text('{"usageTtlSeconds":0}')
    errors = run(relay, "check", str(other), status=CONFIG)
    assert f"{other}: relay.json: usageTtlSeconds: must be a whole number" in errors
    other.write_text('{"authToken":"%s",}' % SECRET)
    assert "line 1, column" in run(relay, "check", str(other), status=CONFIG)
    assert "No such file" in run(relay, "check", str(tmp_path / "none"), status=CONFIG)
    other.write_text("{}")
    assert run(relay, "check", str(other))["file"] == str(other)


def test_a_wrong_file_can_be_mended_key_by_key(relay):
    relay.change_config({"usageTtlSeconds": 0})
    before = raw(relay)
    assert "usageTtlSeconds" in run(relay, "set", "heartbeatSeconds", "20", status=CONFIG)
    assert raw(relay) == before
    run(relay, "set", "usageTtlSeconds", "30")
    assert relay.read_json("config/relay.json")["usageTtlSeconds"] == 30
    relay.change_config({"usageTtlSeconds": 0})
    run(relay, "unset", "usageTtlSeconds")
    run(relay, "check")
    relay.change_config({"thresholds": 5})
    assert "no object" in run(relay, "set", "thresholds.min5hPct", "20", status=CONFIG)


def test_no_directory_and_no_room(relay, tmp_path):
    gone = [relay.binary, "--runtime-root", str(tmp_path / "gone"), "config"]
    for words in (["get", "listen"], ["list"], ["check"]):
        assert clilib.with_pipes([*gone, *words]).status == CONFIG
    os.makedirs(tmp_path / "gone")
    done = clilib.with_pipes([*gone, "set", "listen", "127.0.0.1:1"])
    assert done.status == CONFIG and "run init first" in done.errors
    done = clilib.with_pipes(command(relay, "set", "authToken", "-"), typed="x" * (2 << 20))
    assert done.status == FAILED and "too much" in done.errors


def test_running_relay_takes_a_change_at_once():
    with relaylib.Relay(None, slots=0) as relay:
        mark = relay.mark()
        done = clilib.with_pipes(command(relay, "set", "slotConcurrency", "3"))
        assert done.status == OK
        relay.wait_for("config.reload", lambda l: l["file"].endswith("relay.json"), since=mark)
        assert relay.get("/admin/config").json["config"]["slotConcurrency"] == 3
