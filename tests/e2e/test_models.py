"""Which models there are: the slots' catalogues, aliases, extra and hidden ones."""
import datetime
import os

import pytest

from relaylib import chat_text, responses_events, responses_text

MODELS = "/codex/models"
CACHE = "state/slots/slot-{}/agent/codex-models.json"
DEBUG = {"logLevel": "debug"}
OFFLINE = ["relay-selftest", "mock-pong", "relay-echo"]
ONLY_PRO = "gpt-6-astra"
DEAD = {"path": MODELS, "repeat": -1, "status": 503, "body": {"detail": "later"}}


def wait_fetched(relay, *slots, ok=True, since=0):
    for slot in slots:
        relay.wait_for("models.fetch", lambda l: l["slot_id"] == f"slot-{slot}" and l["ok"] == ok,
                       since=since)


def start_known(start_relay, slots=2, **config):
    """A relay that knows all its slots' catalogues."""
    relay = start_relay(slots=slots, config={**DEBUG, **config})
    wait_fetched(relay, *range(1, slots + 1))
    return relay


def listed(relay):
    return {model["id"]: model for model in relay.get("/v1/models").json["data"]}


def real(relay):
    return [name for name in listed(relay) if name not in OFFLINE]


# --- The list

def test_list_is_the_union_of_the_catalogues(sim, start_relay):
    sim.set_account(1, plan="free")
    sim.set_account(2, plan="pro")
    relay = start_known(start_relay)
    answer = relay.get("/v1/models").json
    assert answer["object"] == "list"
    names = [model["id"] for model in answer["data"]]
    assert names[-3:] == OFFLINE
    assert names[:-3] == sorted(names[:-3]) and len(set(names)) == len(names)
    assert ONLY_PRO in names and "gpt-5.5" in names
    assert "codex-auto-review" not in names, "upstream hides it"
    model = listed(relay)["gpt-5.5"]
    assert model["object"] == "model" and model["owned_by"] == "openai"
    assert model["context_window"] == 272000 and model["display_name"] == "GPT-5.5"
    assert isinstance(model["created"], int)
    assert listed(relay)["relay-echo"]["owned_by"] == "codex-slot-relay"
    assert relay.get("/v1/models").json == answer, "the order is stable"


def test_disabled_slots_count_for_nothing(sim, start_relay):
    sim.set_account(2, plan="pro")
    relay = start_known(start_relay)
    assert ONLY_PRO in real(relay)
    relay.cli("slot-disable", "--slot", "2")
    relay.wait_until(lambda: not relay.shown(2)["enabled"])
    assert ONLY_PRO not in real(relay)
    assert relay.responses("hello", model=ONLY_PRO).status == 404


def test_without_a_catalogue_the_default_model_is_listed(sim, start_relay):
    sim.script("*", DEAD)
    relay = start_relay(slots=1, config={**DEBUG, "modelDefault": "gpt-5.5"})
    wait_fetched(relay, 1, ok=False)
    assert list(listed(relay)) == ["gpt-5.5", *OFFLINE]


def test_one_model(sim, start_relay):
    relay = start_known(start_relay, models={"aliases": {"fast": "gpt-5.4-mini"},
                                             "extra": ["vendor/x"], "hidden": ["gpt-5.4"]})
    assert relay.get("/v1/models/gpt-5.5").json == listed(relay)["gpt-5.5"]
    for name in ("fast", "vendor%2Fx", "gpt-5.4", "codex-auto-review", "relay-mock", "relay-echo"):
        reply = relay.get("/v1/models/" + name)
        assert (reply.status, reply.json["id"]) == (200, name.replace("%2F", "/"))
    reply = relay.get("/v1/models/nope")
    assert reply.status == 404
    assert reply.json["error"]["code"] == "model_not_found"
    assert reply.json["error"]["type"] == "invalid_request_error"
    assert relay.request("POST", "/v1/models/gpt-5.5", {}).status == 405
    assert relay.get("/v1/models/gpt-5.5", {"Authorization": None}).status == 401


# --- Which slot

def test_slot_without_the_model_is_not_picked(sim, start_relay):
    sim.set_account(2, plan="pro", secondary={"used_percent": 60, "reset_in_seconds": 3600})
    relay = start_known(start_relay)
    relay.wait_for("usage.check", lambda l: l["slot_id"] == "slot-2")
    assert relay.responses("hello").headers["x-relay-slot-id"] == "slot-1"
    reply = relay.responses("hi", model=ONLY_PRO)
    assert (reply.status, reply.headers["x-relay-slot-id"]) == (200, "slot-2")
    selection, = relay.lines_of(reply, "slot.selection")
    assert selection["others"] == {"slot-1": "model_unsupported"}
    assert [turn.account for turn in sim.turns()] == ["acct-1", "acct-2"]


def test_exhausted_slot_that_has_the_model_names_the_time(sim, start_relay):
    sim.set_account(1, primary={"used_percent": 100, "reset_in_seconds": 60})
    sim.set_account(2, plan="pro")
    sim.set_account(2, primary={"used_percent": 100, "reset_in_seconds": 7200})
    relay = start_known(start_relay)
    relay.wait_for("usage.check", lambda l: l["slot_id"] == "slot-2")
    reply = relay.responses("hi", model=ONLY_PRO)
    assert reply.status == 429
    assert int(reply.headers["retry-after"]) > 7000, "the other slot does not have it"


def test_catalogue_that_cannot_be_had_blocks_nothing(sim, start_relay):
    sim.script(1, DEAD)
    relay = start_relay(slots=1, config=DEBUG)
    wait_fetched(relay, 1, ok=False)
    assert relay.responses("hello").status == 200
    reply = relay.responses("hello", model="nope")
    assert reply.status == 400, "upstream's own answer"
    assert "not supported when using Codex" in reply.json["error"]["message"]
    assert len(sim.turns()) == 2


@pytest.mark.parametrize("body", [
    "<html>", [], {}, {"models": {}}, {"models": []}, {"models": [1, {"slug": "a b"}]}])
def test_garbage_is_no_catalogue(sim, start_relay, body):
    sim.script(1, {"path": MODELS, "repeat": -1, "status": 200, "body": body})
    relay = start_relay(slots=1, config=DEBUG)
    relay.wait_for("models.fetch")
    assert relay.responses("hello").status == 200


def test_not_found_only_when_all_are_known(sim, start_relay):
    sim.script(2, {**DEAD, "repeat": 1})
    relay = start_relay(slots=2, config=DEBUG)
    wait_fetched(relay, 1)
    wait_fetched(relay, 2, ok=False)
    assert relay.responses("hello", model="nope").status == 400
    assert [turn.account for turn in sim.turns()] == ["acct-2"], "only this one might have it"


@pytest.mark.parametrize("ask", ["chat", "responses"])
def test_not_found_is_told_as_openai_does(sim, start_relay, ask):
    relay = start_known(start_relay)
    reply = getattr(relay, ask)("hello", model="nope", stream=True)
    assert reply.status == 404
    error = reply.json["error"]
    assert (error["type"], error["code"], error["param"]) == (
        "invalid_request_error", "model_not_found", "model")
    assert "'nope'" in error["message"]
    assert sim.turns() == []
    assert relay.finish_of(reply)["status"] == 404


def test_codex_clients_hear_upstreams_own_answer(sim, start_relay):
    relay = start_known(start_relay)
    detail = "The 'nope' model is not supported when using Codex with a ChatGPT account."
    for _ in range(2):  # the second time it is known from the first
        reply = relay.native("hello", model="nope")
        assert (reply.status, reply.json) == (400, {"detail": detail})
    assert len(sim.turns()) == 2, "one slot, and one other, are asked once"


# --- Aliases, extra, hidden

def test_alias_goes_upstream_as_the_real_model(sim, start_relay):
    relay = start_known(start_relay, models={"aliases": {"fast": "gpt-5.4-mini"}})
    chat = relay.chat("hello", model="fast")
    assert (chat.json["model"], chat_text(chat)) == ("gpt-5.4-mini", "hello")
    whole = relay.responses("hello", model="fast")
    assert (whole.json["model"], responses_text(whole)) == ("gpt-5.4-mini", "hello")
    stream = relay.responses("hello", model="fast", stream=True)
    assert responses_events(stream)[0]["response"]["model"] == "gpt-5.4-mini"
    assert relay.native("hello", model="fast").status == 200
    assert [turn.json["model"] for turn in sim.turns()] == ["gpt-5.4-mini"] * 4
    model = listed(relay)["fast"]
    assert model["alias_of"] == "gpt-5.4-mini" and model["context_window"] == 272000
    assert list(listed(relay))[-1] == "fast"


def test_alias_changes_nothing_else_of_a_codex_body(sim, start_relay):
    relay = start_known(start_relay, slots=1, models={"aliases": {"fast": "gpt-5.4-mini"}})
    relay.native("hello", model="gpt-5.4-mini")
    relay.native("hello", model="fast")
    real_name, alias = (turn.record["body"] for turn in sim.turns())
    assert alias == real_name


def test_alias_is_looked_up_before_a_slot_is_picked(sim, start_relay):
    sim.set_account(2, plan="pro")
    relay = start_known(start_relay, models={"aliases": {"best": ONLY_PRO, "echo": "relay-echo"}})
    assert relay.chat("hello", model="best").headers["x-relay-slot-id"] == "slot-2"
    assert chat_text(relay.chat("say this", model="echo")) == "say this"


def test_model_that_the_operator_names_goes_upstream(sim, start_relay):
    relay = start_known(start_relay, models={"aliases": {"a": "unlisted"}, "extra": ["unlisted-2"]})
    assert "unlisted-2" in real(relay)
    for name in ("a", "unlisted-2"):
        assert relay.responses("hello", model=name).status == 400
    assert {turn.json["model"] for turn in sim.turns()} == {"unlisted", "unlisted-2"}


def test_hidden_models_can_still_be_asked_for(sim, start_relay):
    relay = start_known(start_relay, models={
        "aliases": {"fast": "gpt-5.4-mini"}, "extra": ["x"],
        "hidden": ["gpt-5.5", "fast", "x", "mock-pong"]})
    assert not {"gpt-5.5", "fast", "x", "mock-pong"} & set(listed(relay))
    assert relay.responses("hello", model="gpt-5.5").status == 200
    assert relay.responses("hello", model="fast").status == 200
    assert chat_text(relay.chat("ping", model="mock-pong")) == "pong"


def test_names_change_without_a_restart(sim, start_relay):
    relay = start_known(start_relay, slots=1)
    mark = relay.mark()
    relay.change_config({"models": {"aliases": {"fast": "gpt-5.4-mini"}}})
    relay.wait_for("config.reload", lambda l: l["file"] == "config/relay.json", since=mark)
    assert relay.responses("hello", model="fast").json["model"] == "gpt-5.4-mini"


# --- On disk

def test_catalogues_survive_a_restart(sim, start_relay):
    relay = start_known(start_relay)
    before = relay.get("/v1/models").json["data"]
    relay.stop()
    assert os.stat(relay.path(CACHE.format(1))).st_mode & 0o777 == 0o600
    sim.clear_requests()
    sim.script("*", DEAD)
    relay.start()
    assert [m["id"] for m in relay.get("/v1/models").json["data"]] == [m["id"] for m in before]
    assert relay.responses("hello", model="nope").status == 404, "known at once"
    assert sim.requests(path=MODELS) == [], "and fresh"


def age(relay, slot, minutes, **members):
    """As if the file had been written so long ago."""
    path = CACHE.format(slot)
    cache = relay.read_json(path)
    then = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=minutes)
    cache["fetchedAt"] = then.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    cache.update(members)
    relay.write_json(path, cache)


def test_old_list_is_confirmed_by_its_etag(sim, start_relay):
    relay = start_known(start_relay, slots=1)
    relay.stop()
    age(relay, 1, 90)
    sim.clear_requests()
    mark = relay.mark()
    relay.start()
    wait_fetched(relay, 1, since=mark)
    question, = sim.requests(path=MODELS)
    assert question.status == 304 and question.header("if-none-match")
    assert question.query == "client_version=0.169.0"
    assert "gpt-5.5" in real(relay)
    assert not relay.log("models.changed", since=mark)


def test_list_that_is_too_old_is_not_believed(sim, start_relay):
    relay = start_known(start_relay, slots=1)
    relay.stop()
    age(relay, 1, 25 * 60)
    sim.script("*", DEAD)
    mark = relay.mark()
    relay.start()
    wait_fetched(relay, 1, ok=False, since=mark)
    assert relay.responses("hello", model="nope").status == 400, "upstream was asked"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"models":7}', '{"models":[{"slug":"gone"}]}'])
def test_broken_or_foreign_file_is_fetched_anew(sim, start_relay, text):
    relay = start_known(start_relay, slots=1)
    relay.stop()
    with open(relay.path(CACHE.format(1)), "w", encoding="utf-8") as file:
        file.write(text)
    mark = relay.mark()
    relay.start()
    wait_fetched(relay, 1, since=mark)
    assert "gpt-5.5" in real(relay) and "gone" not in real(relay)
    assert sim.requests(path=MODELS)[-1].header("if-none-match") is None


def test_another_account_in_the_slot_has_another_catalogue(sim, start_relay):
    sim.set_account(2, plan="pro")
    relay = start_known(start_relay, slots=1)
    assert ONLY_PRO not in real(relay)
    mark = relay.mark()
    relay.add_slot(1, account=2)
    wait_fetched(relay, 1, since=mark)
    assert ONLY_PRO in real(relay)


# --- Sooner than usual

def test_etag_in_an_answer_announces_another_list(sim, start_relay):
    relay = start_known(start_relay, slots=1)
    relay.stop()
    age(relay, 1, 10)
    sim.settings(models_etag=True)
    relay.start()
    mark = relay.mark()
    sim.clear_requests()
    assert relay.responses("hello").status == 200
    assert sim.requests(path=MODELS) == [], "it is the etag that is known"
    sim.script(1, {"path": "/wham/usage", "repeat": -1, "status": 503, "body": "{}"})
    sim.set_account(1, plan="pro")
    relay.native("hello")
    wait_fetched(relay, 1, since=mark)
    assert ONLY_PRO in real(relay)


def test_etag_in_an_event_counts_as_one_in_the_head(sim, start_relay):
    relay = start_known(start_relay, slots=1)
    relay.stop()
    age(relay, 1, 10)
    relay.start()
    mark = relay.mark()
    sim.clear_requests()
    sim.script(1, {"private_events": True})
    assert relay.native("hello").status == 200
    assert sim.requests(path=MODELS) == [], "it is the etag that is known"
    sim.script(1, {"events": [
        {"type": "response.created", "response": {"id": "resp_1"}},
        {"type": "codex.response.metadata", "headers": {"x-models-etag": "other"}},
        {"type": "response.completed", "response": {"id": "resp_1", "output": []}}]})
    assert relay.native("hello").status == 200
    wait_fetched(relay, 1, since=mark)


def test_another_plan_has_another_list(sim, start_relay):
    relay = start_known(start_relay, slots=1)
    relay.stop()
    age(relay, 1, 10, plan="free")
    mark = relay.mark()
    relay.start()
    wait_fetched(relay, 1, since=mark)


def test_client_version_decides_what_is_shown(sim, start_relay):
    relay = start_known(start_relay, slots=1, upstream={"clientVersion": "0.145.0"})
    assert "gpt-5.6-sol" in real(relay) and "gpt-6.1-sol" not in real(relay)
    mark = relay.mark()
    relay.change_config({"upstream": {"clientVersion": "0.200.0"}})
    wait_fetched(relay, 1, since=mark)
    assert "gpt-6.1-sol" in real(relay)
    assert sim.requests(path=MODELS)[-1].query == "client_version=0.200.0"


def test_question_for_another_version_is_broken_off(sim, start_relay):
    sim.script(1, {"path": MODELS, "stall": True})
    relay = start_relay(slots=1, config={**DEBUG, "upstream": {"clientVersion": "0.145.0"}})
    sim.wait("active>=1", path=MODELS)
    relay.change_config({"upstream": {"clientVersion": "0.169.0"}})
    wait_fetched(relay, 1)
    assert "gpt-6.1-sol" in real(relay)
    sim.wait("active==0", path=MODELS)


def test_zero_ttl_asks_for_no_list(sim, start_relay):
    relay = start_relay(slots=1, config={**DEBUG, "models": {"ttlSeconds": 0}})
    relay.wait_for("usage.check")
    assert relay.responses("hello").status == 200
    assert sim.requests(path=MODELS) == []
