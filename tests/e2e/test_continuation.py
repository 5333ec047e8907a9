"""State that the Responses API promises and upstream does not keep: previous_response_id, item references."""
import json
import os
import pathlib

import pytest

from relaylib import (NATIVE, QUIET, Relay, in_parallel, native_body, release_binary,
                      responses_events)
from simlib import Sim, assistant, function_output, function_tool, user

OTHER = {"Authorization": "Bearer other-token"}
TWO_TOKENS = {"authTokenAliases": ["other-token"]}


def ask(relay, text, stream=False, headers=None, **members):
    """The response object of an answer that went well."""
    reply = relay.responses(text, stream=stream, headers=headers, **members)
    assert reply.status == 200, reply.text
    return responses_events(reply)[-1]["response"] if stream else reply.json


def go_on(relay, before, text, **members):
    return ask(relay, text, previous_response_id=before["id"], **members)


def inputs(sim):
    return [turn.json["input"] for turn in sim.turns()]


def reference(item):
    return {"type": "item_reference", "id": item["id"]}


def kept(relay):
    return relay.get("/admin/stats").json["continuation"]


def texts(item):
    return [part["text"] for part in item["content"]]


# --- previous_response_id

@pytest.mark.parametrize("streams", [(False, False), (True, True), (False, True), (True, False)],
                         ids=["whole", "streamed", "then-streamed", "streamed-then-whole"])
def test_upstream_gets_the_whole_conversation(sim, relay, streams):
    first = ask(relay, "say exactly: one", stream=streams[0])
    second = go_on(relay, first, "say exactly: two", stream=streams[1])
    third = go_on(relay, second, [user("say exactly: three")])
    sent = inputs(sim)
    assert [len(items) for items in sent] == [1, 3, 5]
    for before, after in zip(sent, sent[1:]):
        assert after[:len(before)] == before
    assert sent[1][1] == first["output"][0] and sent[2][3] == second["output"][0]
    assert [texts(item) for item in sent[2]] == [
        ["say exactly: one"], ["one"], ["say exactly: two"], ["two"], ["say exactly: three"]]
    assert third["output"][0]["content"][0]["text"] == "three"


def test_answers_say_what_they_go_on_from_and_that_they_are_kept(relay):
    first = ask(relay, "hello")
    assert first["store"] is True and first["previous_response_id"] is None
    for stream in (False, True):
        reply = relay.responses("more", stream=stream, previous_response_id=first["id"])
        objects = [e["response"] for e in responses_events(reply) if "response" in e] \
            if stream else [reply.json]
        for one in objects:
            assert one["previous_response_id"] == first["id"] and one["store"] is True


def test_instructions_are_not_carried_over(sim, relay):
    first = ask(relay, "hello", instructions="be kind")
    assert not go_on(relay, first, "more")["instructions"]
    assert go_on(relay, first, "more", instructions="be brief")["instructions"] == "be brief"
    assert [turn.json["instructions"] for turn in sim.turns()] == ["be kind", "", "be brief"]


def test_a_conversation_can_branch(sim, relay):
    first = ask(relay, "say exactly: root")
    for branch in ("left", "right"):
        go_on(relay, first, branch)
    assert [[texts(i)[0] for i in items] for items in inputs(sim)[1:]] == [
        ["say exactly: root", "root", "left"], ["say exactly: root", "root", "right"]]


def test_a_conversation_stays_on_its_slot_with_one_cache_key(sim, relay):
    last = ask(relay, "hello", instructions="the same")
    for turn in range(4):
        # Other instructions: what the conversation begins with no longer names it.
        last = go_on(relay, last, f"turn {turn}", instructions=f"number {turn}")
    turns = sim.turns()
    assert len({turn.account for turn in turns}) == 1
    assert len({turn.json["prompt_cache_key"] for turn in turns}) == 1
    assert {turn.header("session_id") for turn in turns} == {turns[0].json["prompt_cache_key"]}


def test_the_clients_own_name_of_the_conversation_goes_before(sim, relay):
    first = ask(relay, "hello", prompt_cache_key="mine")
    go_on(relay, first, "more")
    go_on(relay, first, "more", prompt_cache_key="other")
    go_on(relay, first, "more", headers={"x-openclaw-session-key": "claw"})
    assert [turn.header("session_id") for turn in sim.turns()] == ["mine", "mine", "other", "claw"]


def test_the_prompt_cache_is_used_and_tools_keep_their_bytes(sim, relay):
    tools = b'[ {"type":"function", "name":"f",  "parameters":{"type":"object","properties":{}}} ]'
    body = b'{"model":"gpt-5.5","instructions":"i","tools":%s,"input":%s}'
    first = relay.post("/v1/responses", body % (tools, json.dumps("x" * 4000).encode())).json
    more = b'"more","previous_response_id":"%s"' % first["id"].encode()
    second = relay.post("/v1/responses", body % (tools, more)).json
    assert second["usage"]["input_tokens_details"]["cached_tokens"] > 1000
    assert all(tools in turn.body.encode() for turn in sim.turns())
    sent = [turn.body[turn.body.index('"input":[') + 9:] for turn in sim.turns()]
    assert sent[1].startswith(sent[0][:sent[0].index("],\"tools\"")])


def test_tool_outputs_answer_the_call_of_the_answer_before(sim, relay):
    tools = [function_tool("f")]
    first = ask(relay, 'call f {"a":1}', tools=tools)
    call = next(item for item in first["output"] if item["type"] == "function_call")
    second = go_on(relay, first, [function_output(call, "42")], tools=tools)
    assert texts(second["output"][-1]) == ["tool said: 42"]
    assert [item["type"] for item in inputs(sim)[1]] == [
        "message", "function_call", "function_call_output"]


def test_an_answer_may_be_gone_on_from_without_new_input(relay):
    first = ask(relay, "call f", tools=[function_tool("f")])
    reply = relay.post("/v1/responses", {"model": "gpt-5.5", "previous_response_id": first["id"]})
    assert reply.status == 400 and "No tool output found" in reply.json["error"]["message"]
    reply = relay.post("/v1/responses", {"model": "gpt-5.5"})
    assert reply.status == 400 and reply.json["error"]["param"] == "input"


def test_a_conversation_survives_the_change_of_its_slot(sim, relay):
    """Reasoning belongs to the account that made it: the other one gets the rest, and is not asked twice."""
    first = ask(relay, "think, then say exactly: deep")
    assert first["output"][0]["type"] == "reasoning"
    sim.set_account(1, primary={"used_percent": 100, "reset_in_seconds": 1000})
    reply = relay.responses("think, then say exactly: deeper", previous_response_id=first["id"])
    slot = reply.headers["x-relay-slot-id"]
    assert reply.status == 200 and slot != "slot-1"
    assert [item["type"] for item in inputs(sim)[-1]] == ["message"] * 3
    sim.clear_requests()
    third = relay.responses("say exactly: deepest", previous_response_id=reply.json["id"])
    assert third.headers["x-relay-slot-id"] == slot
    assert len(sim.turns()) == 1
    assert [item["type"] for item in inputs(sim)[-1]] == [
        "message", "message", "message", "reasoning", "message", "message"]
    assert inputs(sim)[-1][3] == reply.json["output"][0]
    listed = relay.get(f"/v1/responses/{reply.json['id']}/input_items").json["data"]
    assert [item["type"] for item in listed].count("reasoning") == 1


def test_an_incomplete_answer_can_be_gone_on_from(sim, relay):
    first = ask(relay, "incomplete")
    assert first["status"] == "incomplete"
    assert go_on(relay, first, "go on")["status"] == "completed"
    assert len(inputs(sim)[1]) == 3


def test_many_conversations_at_once_do_not_mix(sim, relay):
    def conversation(number):
        last = ask(relay, f"say exactly: {number}")
        for turn in range(5):
            last = go_on(relay, last, f"say exactly: {number}.{turn}")
        return last["id"]

    ids = in_parallel([lambda n=n: conversation(n) for n in range(6)])
    assert len(set(ids)) == 6
    longest = [items for items in inputs(sim) if len(items) == 11]
    assert len(longest) == 6
    for items in longest:
        assert len({texts(item)[0].removeprefix("say exactly: ")[0] for item in items}) == 1


# --- item references

def test_items_are_referred_to_as_the_ai_sdk_does(sim, relay):
    first = ask(relay, [user("think, then say exactly: hi")])
    ask(relay, [user("think, then say exactly: hi"), *map(reference, first["output"]),
                user("and on")])
    sent = inputs(sim)[1]
    assert sent[1:3] == first["output"]
    assert sent[1]["encrypted_content"] == first["output"][0]["encrypted_content"]
    assert [turn.header("session_id") for turn in sim.turns()][0] == sim.turns()[1].header("session_id")


def test_references_hold_as_long_as_the_conversation_goes_on(start_relay, sim):
    """Each answer keeps the items that it was built on."""
    relay = start_relay(config={"responses": {"continuation": {"maxEntries": 1}}})
    items = [user("say exactly: 0")]
    for turn in range(1, 4):
        answer = ask(relay, items)
        items += [*map(reference, answer["output"]), user(f"say exactly: {turn}")]
    assert ask(relay, items)["output"][0]["content"][0]["text"] == "3"
    assert [texts(item)[0] for item in inputs(sim)[-1] if item["role"] == "assistant"] == ["0", "1", "2"]


def test_shown_ids_of_input_items_can_be_referred_to(sim, relay):
    first = ask(relay, "remember me")
    shown = relay.get(f"/v1/responses/{first['id']}/input_items").json["data"]
    ask(relay, [{"id": shown[0]["id"]}, user("x")])
    assert texts(inputs(sim)[1][0]) == ["remember me"]
    assert "id" not in inputs(sim)[1][0]


def test_a_responses_body_at_chat_may_refer_too(sim, relay):
    first = ask(relay, "say exactly: one")
    reply = relay.post("/v1/chat/completions", {
        "model": "gpt-5.5", "input": "say exactly: two", "previous_response_id": first["id"]})
    assert reply.status == 200, reply.text
    assert reply.json["choices"][0]["message"]["content"] == "two"
    assert len(inputs(sim)[1]) == 3
    assert kept(relay)["entries"] == 1


# --- what is unknown

def error_of(reply, status=400):
    assert reply.status == status, reply.text
    return reply.json["error"]


def assert_unknown_response(reply, name):
    error = error_of(reply)
    assert error["code"] == "previous_response_not_found"
    assert error["param"] == "previous_response_id"
    assert error["type"] == "invalid_request_error"
    assert name in error["message"]


@pytest.mark.parametrize("stream", [False, True])
def test_an_unknown_response_is_refused_before_anything_is_sent(sim, relay, stream):
    reply = relay.responses("x", stream=stream, previous_response_id="resp_unheard_of")
    assert_unknown_response(reply, "resp_unheard_of")
    assert not sim.turns()
    assert relay.finish_of(reply)["status"] == 400


def test_an_unknown_item_is_refused_by_its_place(sim, relay):
    reply = relay.responses([user("x"), {"type": "item_reference", "id": "msg_unheard_of"}])
    error = error_of(reply)
    assert error["param"] == "input[1].id" and "msg_unheard_of" in error["message"]
    assert not sim.turns()


@pytest.mark.parametrize("value", [7, [], {}, True])
def test_a_previous_id_of_another_type_is_refused(relay, value):
    assert error_of(relay.responses("x", previous_response_id=value))["param"] == "previous_response_id"


def test_null_is_no_previous_id(relay):
    assert ask(relay, "x", previous_response_id=None)["previous_response_id"] is None


def test_another_token_knows_nothing_of_it(start_relay, sim):
    relay = start_relay(config=TWO_TOKENS)
    first = ask(relay, "secret")
    assert_unknown_response(
        relay.responses("x", headers=OTHER, previous_response_id=first["id"]), first["id"])
    reply = relay.responses([reference(first["output"][0])], headers=OTHER)
    assert error_of(reply)["param"] == "input[0].id"
    assert len(sim.turns()) == 1
    assert go_on(relay, first, "mine")["status"] == "completed"


def test_an_answer_expires_when_nobody_has_used_it(start_relay):
    relay = start_relay(config={"responses": {"continuation": {"ttlSeconds": 1}}})
    first = ask(relay, "hello")
    body = {"input": [reference(first["output"][0])]}
    # Looking at an item is no use of the answer.
    while relay.post("/v1/responses/input_tokens", body).status == 200:
        pass
    assert_unknown_response(relay.responses("x", previous_response_id=first["id"]), first["id"])
    assert relay.get("/v1/responses/" + first["id"]).status == 404
    assert kept(relay) == {"entries": 0, "bytes": 0}


def test_the_oldest_answer_makes_room(start_relay):
    relay = start_relay(config={"responses": {"continuation": {"maxEntries": 2}}})
    answers = [ask(relay, f"say exactly: {n}") for n in range(3)]
    assert kept(relay)["entries"] == 2
    assert_unknown_response(
        relay.responses("x", previous_response_id=answers[0]["id"]), answers[0]["id"])
    assert go_on(relay, answers[2], "x")["status"] == "completed"


# --- what is not kept

@pytest.mark.parametrize("stream", [False, True])
def test_store_false_keeps_nothing_and_says_so(relay, stream):
    first = ask(relay, "hello", stream=stream, store=False)
    assert first["store"] is False
    assert kept(relay) == {"entries": 0, "bytes": 0}
    assert_unknown_response(relay.responses("x", previous_response_id=first["id"]), first["id"])


def test_store_false_may_go_on_from_what_is_kept(sim, relay):
    first = ask(relay, "hello")
    second = go_on(relay, first, "more", store=False)
    assert second["store"] is False and len(inputs(sim)[1]) == 3
    assert kept(relay)["entries"] == 1


def test_chat_is_not_kept(relay):
    relay.chat("hello")
    relay.post("/v1/chat/completions", {"model": "gpt-5.5", "store": True,
                                        "messages": [{"role": "user", "content": "x"}]})
    assert kept(relay)["entries"] == 0
    assert relay.get("/v1/chat/completions/chatcmpl-1").status == 404


def test_native_clients_are_left_alone(sim, relay):
    body = json.dumps(native_body("hello")).encode()
    assert relay.post("/v1/responses", body, NATIVE).status == 200
    assert sim.turns()[0].body.encode() == body
    assert kept(relay)["entries"] == 0
    reply = relay.native("hello", previous_response_id="resp_1")
    assert reply.json == {"detail": "Unsupported parameter: previous_response_id"}


def test_failures_are_not_kept(sim, relay):
    sim.script("*", {"fail_after_events": 5, "failure": {"code": "cyber_policy", "message": "no"}})
    reply = relay.responses("count to 5", stream=True)
    events = responses_events(reply)
    assert events[-1]["type"] == "response.failed"
    assert relay.get("/v1/responses/" + events[0]["response"]["id"]).status == 404
    assert kept(relay)["entries"] == 0


def test_a_client_that_goes_away_leaves_nothing(sim, relay):
    stream = relay.stream("count to 100 every 20ms")
    stream.read_to("response.output_text.delta")
    stream.close()
    sim.wait("gone>=1")
    relay.wait_for("request.finish", lambda line: line["status"] == 499)
    assert kept(relay)["entries"] == 0


OFF = {"responses": {"continuation": {"enabled": False}}}


def test_nothing_is_kept_when_it_is_off(sim, start_relay):
    relay = start_relay(config=OFF)
    for stream in (False, True):
        first = ask(relay, "hello", stream=stream)
        assert first["store"] is False
        assert_unknown_response(relay.responses("x", previous_response_id=first["id"]), first["id"])
        reply = relay.responses([reference(first["output"][0])])
        assert error_of(reply)["param"] == "input[0].id"
    assert len(sim.turns()) == 2


def test_switching_it_off_forgets_everything(relay):
    first = ask(relay, "hello")
    assert kept(relay)["entries"] == 1
    relay.change_config(OFF)
    relay.wait_for("config.reload", lambda line: line["ok"] and line["file"] == "config/relay.json")
    assert kept(relay) == {"entries": 0, "bytes": 0}
    assert relay.get("/v1/responses/" + first["id"]).status == 404


def test_nothing_is_on_disk(relay):
    text = "a text that nobody else writes"
    ask(relay, text)
    relay.stop()
    for folder, _, names in os.walk(relay.root):
        for name in names:
            assert text.encode() not in pathlib.Path(folder, name).read_bytes(), name


# --- offline models

def test_offline_answers_are_kept_too(sim, relay):
    first = ask(relay, "hello", model="relay-echo")
    second = ask(relay, [user("again")], model="relay-echo", previous_response_id=first["id"])
    assert second["output"][0]["content"][0]["text"] == "again"
    third = go_on(relay, second, "say exactly: real")
    assert [texts(item)[0] for item in inputs(sim)[0]] == [
        "hello", "hello", "again", "again", "say exactly: real"]
    assert third["status"] == "completed"


# --- memory

def test_large_answers_stay_within_their_bytes():
    limit = 4 << 20
    with Sim("--accounts", "1") as sim, Relay(
            sim, slots=1, binary=release_binary(),
            config={**QUIET, "responses": {"continuation": {"maxBytes": limit}}}) as relay:
        for n in range(20):
            ask(relay, f"big 200k {n}", stream=bool(n % 2))
        before = relay.rss_kib()
        for n in range(100):
            ask(relay, f"big 200k {n}", stream=bool(n % 2))
            stats = kept(relay)
            assert stats["bytes"] <= limit and 5 <= stats["entries"] <= 25
        assert relay.rss_kib() - before < 8 << 10


def test_an_answer_that_is_too_large_is_given_but_not_kept(start_relay):
    relay = start_relay(config={"responses": {"continuation": {"maxBytes": 1 << 20}}})
    small = ask(relay, "hello")
    for stream in (False, True):
        big = ask(relay, "big 1m", stream=stream)
        assert sum(len(texts(item)[0]) for item in big["output"]) == 1 << 20
        assert_unknown_response(relay.responses("x", previous_response_id=big["id"]), big["id"])
    assert go_on(relay, small, "more")["status"] == "completed"
    # A request that cannot be kept is not called kept.
    assert ask(relay, "x" * (300 << 10))["store"] is False


def test_histories_that_are_sent_again_and_again_are_kept_once(relay):
    """Most clients send everything with every turn and do not say store:false."""
    items, size = [], 10000
    for turn in range(20):
        items.append(user(f"{turn}" + "x" * size))
        items += [{k: v for k, v in item.items() if k != "phase"} for item in ask(relay, items)["output"]]
    stats = kept(relay)
    assert stats["entries"] == 20
    # Each text is there as question and as answer, the answer in two forms.
    assert stats["bytes"] < 20 * (3 * size + 10000)
    assert items[-1]["role"] == assistant("x")["role"]


# --- configuration

def test_its_keys_stand_in_a_group_of_a_group(start_relay):
    relay = start_relay(slots=0, start=False)
    name = "responses.continuation."
    relay.cli("config", "set", name + "ttlSeconds", "60")
    relay.cli("config", "set", name + "enabled", "false")
    document = relay.read_json("config/relay.json")
    assert document["responses"] == {"continuation": {"ttlSeconds": 60, "enabled": False}}
    assert relay.cli("config", "get", name + "ttlSeconds")["value"] == 60
    for key in ("ttlSeconds", "enabled"):
        relay.cli("config", "unset", name + key)
    assert "responses" not in relay.read_json("config/relay.json")
    relay.change_config({"responses": {"continuation": {"unheard": 1}, "other": {}}})
    assert relay.cli("config", "check")["unknownKeys"] == [name + "unheard", "responses.other"]
