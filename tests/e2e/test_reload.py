"""Changes of relay.json while the relay runs: taken over, refused, never at a stream's expense."""
import json
import os
import signal
import time

import pytest

from inotify import CLOSE_NOWRITE, Watch
from relaylib import merge, responses_events, responses_text
from simlib import Background

SLOW = "count to 60 every 20ms"


def config_text(relay, changes):
    return json.dumps(merge(relay.read_json("config/relay.json"), changes))


def write_in_place(relay, text):
    """As an editor that truncates the file and writes it again."""
    with open(relay.path("config/relay.json"), "w", encoding="utf-8") as file:
        file.write(text)


def write_and_rename(relay, text):
    """As an editor that makes a new file and puts it in the old one's place."""
    path = relay.path("config/relay.json")
    with open(path + "~", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + "~", path)


def wait_reload(relay, mark, ok=True):
    return relay.wait_for(
        "config.reload", lambda l: l["file"] == "config/relay.json" and l["ok"] is ok, since=mark)


def reloads(relay, since=0):
    return [l for l in relay.log("config.reload", since) if l["file"] == "config/relay.json"]


# --- Good ones

@pytest.mark.parametrize("write", [write_in_place, write_and_rename])
@pytest.mark.alone
def test_a_change_is_taken_over_within_a_second(relay, write):
    mark, before = relay.mark(), time.monotonic()
    write(relay, config_text(relay, {"selectionPolicy": "least-recently-used"}))
    line = wait_reload(relay, mark)
    assert time.monotonic() - before < 1
    assert (line["changed"], line["needs_restart"]) == (["selectionPolicy"], [])
    health = relay.health()
    assert health["selectionPolicy"] == "least-recently-used"
    assert health["configError"] is None
    assert relay.get("/admin/config").json["config"]["selectionPolicy"] == "least-recently-used"


def test_a_new_token_counts_at_once_and_the_old_one_no_more(relay):
    mark = relay.mark()
    relay.change_config({"authToken": "fresh-token", "authTokenAliases": ["other-token"]})
    wait_reload(relay, mark)
    assert relay.responses().status == 401
    for token in ("fresh-token", "other-token"):
        assert relay.responses(headers={"Authorization": "Bearer " + token}).status == 200


def test_tokens_are_not_in_the_log_of_a_reload(relay):
    mark = relay.mark()
    relay.tokens += [b"fresh-token-1", b"fresh-token-2", b"fresh-token-3"]
    relay.change_config({"authToken": "fresh-token-1", "authTokenAliases": ["fresh-token-2"],
                         "adminToken": "fresh-token-3"})
    line = wait_reload(relay, mark)
    assert line["changed"] == ["authToken", "authTokenAliases", "adminToken"]
    relay.check_secrets()


def test_the_log_level_changes(sim, relay):
    mark = relay.mark()
    relay.change_config({"logLevel": "error"})
    # The line of the reload itself is the last one of the old level.
    wait_reload(relay, mark)
    quiet = relay.responses()
    mark = relay.mark()
    relay.change_config({"logLevel": "info"})
    relay.signal(signal.SIGHUP)
    relay.wait_for("config.reload", lambda l: "slots" in l["file"], since=mark)
    loud = relay.responses()
    relay.finish_of(loud)
    wanted = quiet.headers["x-relay-request-id"]
    assert not [l for l in relay.log() if l.get("request_id") == wanted]


def test_a_stream_runs_on_with_what_it_began_with(sim, relay):
    stream = Background(lambda: relay.responses(SLOW, stream=True))
    sim.wait("events>=5", path="/codex/responses")
    mark = relay.mark()
    relay.change_config({"authToken": "fresh", "requestTimeoutSeconds": 1, "slotConcurrency": 1,
                         "upstream": {"baseUrl": "http://127.0.0.1:1"}})
    line = wait_reload(relay, mark)
    assert sim.turns()[-1].end == "active", "the stream runs on"
    assert sorted(line["changed"]) == ["authToken", "requestTimeoutSeconds", "slotConcurrency",
                                       "upstream.baseUrl"]
    reply = stream.result()
    assert reply.status == 200
    assert responses_events(reply)[-1]["type"] == "response.completed"
    assert len(responses_text(reply).split()) == 60


def test_the_backend_of_all_slots_changes(sim, start_relay):
    relay = start_relay(config={"upstream": {"baseUrl": "http://127.0.0.1:1"}})
    assert relay.responses().status == 502
    mark = relay.mark()
    relay.change_config({"upstream": {"baseUrl": sim.base_url}})
    wait_reload(relay, mark)
    relay.wait_for("config.reload", lambda l: "slots" in l["file"], since=mark)
    assert relay.responses().status == 200


def test_keys_that_need_a_restart_are_told(relay):
    mark = relay.mark()
    relay.change_config({"listen": "127.0.0.1:1", "reusePort": True, "logLevel": "debug",
                         "upstream": {"httpVersion": "2"}})
    line = wait_reload(relay, mark)
    assert sorted(line["needs_restart"]) == ["listen", "reusePort", "upstream.httpVersion"]
    assert "logLevel" in line["changed"]
    assert relay.health()["listen"] == relay.address
    shown = relay.get("/admin/config").json
    assert sorted(shown["needsRestart"]) == ["listen", "reusePort", "upstream.httpVersion"]
    mark = relay.mark()
    relay.change_config({"listen": "127.0.0.1:0", "reusePort": False,
                         "upstream": {"httpVersion": "1.1"}})
    wait_reload(relay, mark)
    assert relay.get("/admin/config").json["needsRestart"] == []


def test_state_that_the_relay_writes_itself_is_no_change(sim, relay):
    mark = relay.mark()
    with Watch(relay.path("config")) as changes, \
            Watch(relay.path("config"), mask=CLOSE_NOWRITE) as reads:
        relay.responses()
        changes.wait_replaced(relay.path("config/slots.json"))
        reads.wait_read(relay.path("config/relay.json"))
    assert relay.health()["ok"]
    assert reloads(relay, mark) == []


# --- Bad ones

BAD = {
    "wrong-type": '{"authToken": 5}',
    "cut": '{"listen": ',
    "empty": "",
    "list": "[]",
    "range": '{"thresholds": {"min5hPct": 101}}',
    "same-tokens": '{"authToken": "a", "adminToken": "a"}',
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.alone
def test_an_invalid_file_is_refused_and_the_old_one_stays(relay, bad):
    good = config_text(relay, {})
    mark, before = relay.mark(), time.monotonic()
    write_in_place(relay, BAD[bad])
    line = wait_reload(relay, mark, ok=False)
    assert time.monotonic() - before < 1
    assert line["reason"].startswith("relay.json: ")
    assert relay.health()["configError"] == line["reason"]
    assert relay.get("/admin/config").json["configError"] == line["reason"]
    assert relay.responses().status == 200
    # As before: nothing changes but that the error is gone.
    write_in_place(relay, good)
    assert wait_reload(relay, mark)["changed"] == []
    assert relay.health()["configError"] is None


def test_an_invalid_file_is_complained_about_once(relay):
    mark = relay.mark()
    write_in_place(relay, BAD["range"])
    wait_reload(relay, mark, ok=False)
    with Watch(relay.path("config"), mask=CLOSE_NOWRITE) as reads:
        write_in_place(relay, BAD["range"])
        reads.wait_read(relay.path("config/relay.json"))
    assert relay.health()["configError"]
    assert len(reloads(relay, mark)) == 1
    # Another mistake is another complaint.
    mark = relay.mark()
    write_in_place(relay, BAD["wrong-type"])
    assert "authToken" in wait_reload(relay, mark, ok=False)["reason"]


def test_a_file_that_is_seen_half_written_is_no_error(relay):
    text = config_text(relay, {"selectionPolicy": "least-recently-used"})
    mark = relay.mark()
    path = relay.path("config/relay.json")
    with Watch(relay.path("config"), mask=CLOSE_NOWRITE) as reads, \
            open(path, "w", encoding="utf-8") as file:
        file.write(text[:len(text) // 2])
        file.flush()
        reads.wait_read(path)
        file.write(text[len(text) // 2:])
    wait_reload(relay, mark)
    assert [l["ok"] for l in reloads(relay, mark)] == [True]
    assert relay.health()["selectionPolicy"] == "least-recently-used"


def test_a_file_that_is_gone_changes_nothing(relay):
    text = config_text(relay, {"selectionPolicy": "least-recently-used"})
    path = relay.path("config/relay.json")
    mark = relay.mark()
    os.unlink(path)
    assert "gone" in wait_reload(relay, mark, ok=False)["reason"]
    assert relay.root not in relay.health()["configError"]
    assert relay.responses().status == 200
    mark = relay.mark()
    write_and_rename(relay, text)
    assert wait_reload(relay, mark)["changed"] == ["selectionPolicy"]
    assert relay.health()["configError"] is None


def test_a_file_that_cannot_be_read_changes_nothing(relay):
    path = relay.path("config/relay.json")
    mark = relay.mark()
    os.unlink(path)
    os.mkdir(path)
    wait_reload(relay, mark, ok=False)
    assert relay.responses().status == 200
    os.rmdir(path)


def test_sighup_tells_about_a_file_that_did_not_change(relay):
    mark = relay.mark()
    relay.signal(signal.SIGHUP)
    assert wait_reload(relay, mark)["changed"] == []
    relay.wait_for("config.reload", lambda l: "slots" in l["file"], since=mark)


def test_sighup_while_it_stops_is_harmless(sim, relay):
    sim.script(1, {"stall_after_events": 6, "directive": "count to 9"})
    stream = relay.stream()
    stream.wait_head()
    relay.signal()
    relay.wait_for("server.stop")
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGHUP, signal.SIGTERM, signal.SIGHUP):
        relay.signal(number)
    relay.check_end(relay.wait_end())
    stream.close()


def test_a_hundred_edits_in_a_row_end_with_the_last_one(sim, relay):
    stream = Background(lambda: relay.responses(SLOW, stream=True))
    sim.wait("events>=2", path="/codex/responses")
    for number in range(100):
        write = write_and_rename if number % 2 else write_in_place
        write(relay, config_text(relay, {"usageTtlSeconds": 1000 + number}))
    mark = relay.mark()
    relay.signal(signal.SIGHUP)
    relay.wait_for("config.reload", lambda l: "slots" in l["file"], since=mark)
    shown = relay.get("/admin/config").json["config"]
    assert shown["usageTtlSeconds"] == 1099
    assert all(l["ok"] for l in reloads(relay))
    assert len(responses_text(stream.result()).split()) == 60


def test_slot_without_an_address_asks_nobody_whatever_comes_into_its_auth_file(sim, start_relay):
    relay = start_relay(slots=1)
    agent = "state/slots/slot-1/agent"
    relay.write_json(f"{agent}/models.json", {"providers": {"openai-codex": {"baseUrl": "no address"}}})
    relay.write_json("config/slots.json", relay.read_json("config/slots.json"))
    relay.wait_until(lambda: relay.shown(1)["reason"] == "no_credential")
    doc = relay.read_json(f"{agent}/auth-profiles.json")
    doc["profiles"]["openai-codex:default"]["access"] = "another-token"
    with Watch(relay.path(agent), mask=CLOSE_NOWRITE) as reads:
        relay.write_json(f"{agent}/auth-profiles.json", doc)
        reads.wait_read(relay.path(f"{agent}/auth-profiles.json"))
    for _ in range(2):
        reply = relay.post("/admin/refresh-usage", {})
        assert reply.status == 502 and "slot-1: the slot has no credential" in reply.text
    told = relay.shown(1)
    assert told["reason"] == "no_credential" and "baseUrl" in told["runtime"]["lastError"]


def test_auth_file_of_a_slot_that_was_removed_and_made_again_at_once_is_watched(sim, start_relay):
    relay = start_relay(slots=1)
    relay.signal(signal.SIGSTOP)
    try:
        relay.cli("slot-remove", "--slot", "1")
        relay.add_slot(1)
    finally:
        relay.signal(signal.SIGCONT)
    name = "state/slots/slot-1/agent/auth-profiles.json"
    relay.wait_for("config.reload")
    assert relay.responses().status == 200
    doc = relay.read_json(name)
    doc["profiles"]["openai-codex:default"]["access"] = "another-token"
    mark = relay.mark()
    relay.write_json(name, doc)
    line = relay.wait_for("slot.credential", lambda l: l["level"] == "info", since=mark)
    assert line["slot_id"] == "slot-1"
