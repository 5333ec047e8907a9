"""codex-sim's rule-driven model: directives, and the events that carry the answers."""
import json

import pytest

from simlib import Sim, custom_output, function_output, function_tool, user


@pytest.fixture(scope="module")
def sim():
    with Sim("--accounts", "1") as running:
        yield running


@pytest.fixture(name="client")
def fixture_client(sim):
    sim.reset()
    return sim.client(1)


WEATHER = function_tool("get_weather", {
    "city": {"type": "string"},
    "unit": {"type": "string", "enum": ["c", "f"]},
    "days": {"type": "integer", "minimum": 3},
    "where": {"type": "object", "properties": {"lat": {"type": "number"}}, "required": ["lat"]},
    "tags": {"type": "array", "items": {"type": "string"}},
    "note": {"type": "string"},
}, ["city", "unit", "days", "where", "tags"])
CLOCK = function_tool("clock")
PATCH = {"type": "custom", "name": "apply_patch", "format": {"type": "text"}}


def test_text_answer_has_the_full_event_sequence(client):
    reply = client.turn("hello world")
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.types == [
        "response.created", "response.in_progress", "response.output_item.added",
        "response.content_part.added", "response.output_text.delta",
        "response.output_text.delta", "response.output_text.done",
        "response.content_part.done", "response.output_item.done", "response.completed"]
    assert [e["sequence_number"] for e in reply.events] == list(range(10))
    added = reply.events[2]["item"]
    assert added["id"].startswith("msg_") and added["content"] == []
    for event in reply.events[3:8]:
        assert event["item_id"] == added["id"]
        assert (event["output_index"], event["content_index"]) == (0, 0)
    assert reply.output_text == "hello world"
    assert reply.events[6]["text"] == "hello world"
    assert reply.items[0]["content"][0]["text"] == "hello world"
    assert reply.items[0]["id"] == added["id"]


def test_response_object(client):
    reply = client.turn("hi", tools=[CLOCK], instructions="be brief", model="gpt-5.4")
    created, completed = reply.events[0]["response"], reply.terminal
    assert created["id"].startswith("resp_") and created["id"] == completed["id"]
    assert (created["status"], completed["status"]) == ("in_progress", "completed")
    assert created["usage"] is None and created["output"] == []
    for response in (created, completed):
        assert response["object"] == "response"
        assert response["model"] == "gpt-5.4"
        assert response["instructions"] == "be brief"
        assert response["tools"] == [CLOCK]
        assert response["store"] is False and response["error"] is None


def test_terminal_output_is_empty_unless_asked_for(sim, client):
    assert client.turn("hi there").terminal["output"] == []
    sim.settings(output_in_terminal=True)
    reply = client.turn("hi there")
    assert reply.terminal["output"] == reply.items


def test_usage_is_estimated(client):
    usage = client.turn("say exactly: " + "x" * 400).terminal["usage"]
    assert usage["output_tokens"] == 100
    assert 100 < usage["input_tokens"] < 160
    assert usage["total_tokens"] == usage["input_tokens"] + 100
    assert usage["input_tokens_details"] == {"cached_tokens": 0}
    assert usage["output_tokens_details"] == {"reasoning_tokens": 0}


def test_cache_needs_same_key_and_same_prefix(client):
    def cached(text, **members):
        usage = client.turn(text, **members).terminal["usage"]
        return usage["input_tokens_details"]["cached_tokens"]

    long = "word " * 400
    assert cached(long + "one", prompt_cache_key="a") == 0
    assert cached(long + "two", prompt_cache_key="a") > 450
    assert cached(long + "two", prompt_cache_key="b") == 0
    assert cached(long + "two") == 0
    assert cached(long + "two", prompt_cache_key="a", instructions="changed") < 10


def test_echo_keeps_every_character(client):
    text = '  "quoted" \\ back\tslash ünïcödé 漢字 \U0001f600 \u2028 end  '
    reply = client.turn(text)
    assert reply.output_text == text
    assert reply.types.count("response.output_text.delta") > 1
    assert reply.items[0]["content"][0]["text"] == text


def test_one_word_comes_in_two_deltas(client):
    assert client.turn("漢字漢字漢字").types.count("response.output_text.delta") == 2
    assert client.turn("漢字漢字漢字").output_text == "漢字漢字漢字"


def test_echo_of_the_last_part_of_the_last_user_message(client):
    reply = client.post(client.body(input=[user("a"), user("b", "c")]))
    assert reply.output_text == "c"
    assert client.post(client.body(input=[])).output_text == "Hello from the simulator."


def test_count(client):
    reply = client.turn("count to 12")
    assert reply.output_text == "1 2 3 4 5 6 7 8 9 10 11 12"
    assert reply.types.count("response.output_text.delta") == 12


def test_count_at_a_pace(sim, client):
    waiting = client.background("count to 3 every 30ms")
    reply = waiting.result()
    assert reply.output_text == "1 2 3"
    assert sim.turns()[0].end_after_ms >= 10 * 28  # eleven events


def test_say_exactly(client):
    assert client.turn("Say exactly:  count to 3").output_text == "count to 3"


def test_call_fills_the_schema(client):
    reply = client.turn("call get_weather", tools=[CLOCK, WEATHER])
    assert [t for t in reply.types if not t.endswith(".delta")] == [
        "response.created", "response.in_progress", "response.output_item.added",
        "response.function_call_arguments.done", "response.output_item.done",
        "response.completed"]
    call = reply.items[0]
    assert call["type"] == "function_call" and call["name"] == "get_weather"
    assert call["id"].startswith("fc_") and call["call_id"].startswith("call_")
    arguments = json.loads(call["arguments"])
    assert set(arguments) == {"city", "unit", "days", "where", "tags"}
    assert isinstance(arguments["city"], str) and arguments["unit"] == "c"
    assert arguments["days"] >= 3 and arguments["tags"] == ["sample tags"]
    assert isinstance(arguments["where"]["lat"], (int, float))
    deltas = [e["delta"] for e in reply.events
              if e["type"] == "response.function_call_arguments.delta"]
    assert len(deltas) > 1 and "".join(deltas) == call["arguments"]
    added = next(e for e in reply.events if e["type"] == "response.output_item.added")
    assert added["item"]["arguments"] == "" and added["item"]["status"] == "in_progress"


def test_call_with_exact_arguments(client):
    reply = client.turn('call get_weather {"city": "Łódź {}", "n": [1, {"a": "}"}]}',
                        tools=[WEATHER])
    assert reply.items[0]["arguments"] == '{"city": "Łódź {}", "n": [1, {"a": "}"}]}'


def test_parallel_calls(client):
    reply = client.turn('call clock {"a":1} and get_weather {"b":2} and call clock',
                        tools=[CLOCK, WEATHER])
    assert [(i["name"], i["arguments"]) for i in reply.items] == [
        ("clock", '{"a":1}'), ("get_weather", '{"b":2}'), ("clock", "{}")]
    assert len({i["call_id"] for i in reply.items}) == 3
    indexes = [e["output_index"] for e in reply.events
               if e["type"] == "response.output_item.done"]
    assert indexes == [0, 1, 2]


def test_calls_one_after_the_other(client):
    first = user("call clock then call get_weather")
    one = client.post(client.body(input=[first], tools=[CLOCK, WEATHER])).items[0]
    assert one["name"] == "clock"
    history = [first, one, function_output(one, "noon")]
    two = client.post(client.body(input=history, tools=[CLOCK, WEATHER])).items[0]
    assert two["name"] == "get_weather"
    history += [two, function_output(two, "rain")]
    last = client.post(client.body(input=history, tools=[CLOCK, WEATHER]))
    assert last.output_text == "tool said: rain"


def test_custom_tool(client):
    patch = "*** Begin Patch\n*** Add File: a.txt\n+one\n*** End Patch\n"
    reply = client.turn("call apply_patch <<<\n" + patch + ">>>", tools=[PATCH])
    call = reply.items[0]
    assert call["type"] == "custom_tool_call" and call["id"].startswith("ctc_")
    assert call["input"] == patch
    assert "response.custom_tool_call_input.delta" in reply.types
    assert "response.custom_tool_call_input.done" in reply.types
    done = client.post(client.body(
        input=[user("go"), call, custom_output(call, "Done")], tools=[PATCH]))
    assert done.output_text == "tool said: Done"


def test_undeclared_tool(client):
    assert client.turn("call nothing").output_text == "No tool named nothing was declared."


def test_use_the_tool(client):
    assert client.turn("please use the tool now", tools=[CLOCK]).items[0]["name"] == "clock"
    assert client.turn("please use the tool now").output_text == "please use the tool now"


@pytest.mark.parametrize("choice,name", [
    ("required", "clock"),
    ({"type": "function", "name": "get_weather"}, "get_weather"),
    ({"type": "allowed_tools", "mode": "required",
      "tools": [{"type": "function", "name": "get_weather"}]}, "get_weather"),
    ("auto", None),
    ("none", None),
])
def test_tool_choice(client, choice, name):
    reply = client.turn("hi", tools=[CLOCK, WEATHER], tool_choice=choice)
    assert [i.get("name") for i in reply.items] == [name]


def test_tool_choice_none_forbids_calls(client):
    reply = client.turn("call clock", tools=[CLOCK], tool_choice="none")
    assert [i["type"] for i in reply.items] == ["message"]


def test_tools_of_namespaces_and_additional_tools(client):
    tools = {"type": "additional_tools", "id": "at_1", "role": "developer", "tools": [
        {"type": "namespace", "name": "functions", "tools": [
            {"type": "custom", "name": "exec"}]}]}
    reply = client.post(client.body(input=[tools, user("call exec <<<text(1)>>>")]))
    call = reply.items[0]
    assert (call["name"], call["namespace"], call["input"]) == ("exec", "functions", "text(1)")


def test_answers_tool_outputs(client):
    calls = client.turn("call clock and call clock", tools=[CLOCK]).items
    outputs = [function_output(calls[0], "one"),
               function_output(calls[1], [{"type": "input_text", "text": "two"}])]
    reply = client.post(client.body(input=[user("x"), *calls, *outputs], tools=[CLOCK]))
    assert reply.output_text == "tool said: one | two"


def test_json_schema(client):
    schema = {"type": "object", "required": ["answer", "kind", "list"], "properties": {
        "answer": {"type": "string"}, "kind": {"$ref": "#/$defs/kind"},
        "list": {"type": "array", "minItems": 2, "items": {"anyOf": [{"type": "integer"}]}},
        "maybe": {"type": ["null", "string"]}},
        "$defs": {"kind": {"const": "k"}}}
    reply = client.turn("hi", text={"format": {"type": "json_schema", "name": "n",
                                               "schema": schema, "strict": True}})
    assert json.loads(reply.output_text) == {
        "answer": "sample answer", "kind": "k", "list": [1, 1]}


def test_json_object(client):
    reply = client.turn("give me json", text={"format": {"type": "json_object"}})
    assert json.loads(reply.output_text) == {"ok": True}


def test_think(client):
    reply = client.turn("think, then call clock", tools=[CLOCK])
    reasoning, call = reply.items
    assert reasoning["type"] == "reasoning" and reasoning["id"].startswith("rs_")
    assert reasoning["encrypted_content"].startswith("gAAAAAB")
    assert call["name"] == "clock"
    assert [t for t in reply.types if "reasoning" in t and "delta" not in t] == [
        "response.reasoning_summary_part.added", "response.reasoning_summary_text.done",
        "response.reasoning_summary_part.done"]
    deltas = "".join(e["delta"] for e in reply.events
                     if e["type"] == "response.reasoning_summary_text.delta")
    assert reasoning["summary"] == [{"type": "summary_text", "text": deltas}]
    stale = next(e for e in reply.events if e["type"] == "response.output_item.added")
    assert stale["item"]["encrypted_content"] != reasoning["encrypted_content"]
    assert reply.terminal["usage"]["output_tokens_details"]["reasoning_tokens"] > 0


def test_think_and_echo(client):
    assert client.turn("think about cats").output_text == "about cats"


def test_images_and_files(client):
    image = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
    file = {"type": "input_file", "filename": "a.txt", "file_data": "data:text/plain;base64,AA=="}
    reply = client.post(client.body(input=[user(image, "what is this")]))
    assert reply.output_text == "1 image: what is this"
    reply = client.post(client.body(input=[user(image, image, file)]))
    assert reply.output_text == "2 images, 1 file"


def test_refusal(client):
    reply = client.turn("refuse")
    assert reply.items[0]["content"] == [
        {"type": "refusal", "refusal": "I cannot help with that."}]
    deltas = [e["delta"] for e in reply.events if e["type"] == "response.refusal.delta"]
    assert "".join(deltas) == "I cannot help with that."
    assert "response.refusal.done" in reply.types


def test_incomplete(client):
    reply = client.turn("incomplete")
    assert reply.types[-1] == "response.incomplete"
    assert reply.terminal["status"] == "incomplete"
    assert reply.terminal["incomplete_details"] == {"reason": "max_output_tokens"}
    assert reply.terminal["usage"]["output_tokens"] > 0


def test_big(client):
    reply = client.turn("big 600k")
    assert len(reply.output_text) == 600 * 1024
    assert len(reply.items) == 3
    assert reply.types[-1] == "response.completed"


def test_messages(client):
    reply = client.turn("messages 2")
    assert [i["phase"] for i in reply.items] == ["commentary", "final_answer"]
    assert reply.output_text == "message 1 of 2. message 2 of 2. "


def test_cite(client):
    reply = client.turn("cite https://example.com/a")
    annotation = next(e for e in reply.events
                      if e["type"] == "response.output_text.annotation.added")
    assert annotation["annotation"]["url"] == "https://example.com/a"
    assert reply.items[0]["content"][0]["annotations"] == [annotation["annotation"]]


def test_search(client):
    reply = client.turn("search the web for cats")
    assert [i["type"] for i in reply.items] == ["web_search_call", "message"]
    assert reply.items[0]["action"] == {"type": "search", "query": "cats"}
    assert [t for t in reply.types if "web_search" in t] == [
        "response.web_search_call.in_progress", "response.web_search_call.searching",
        "response.web_search_call.completed"]


def test_fail(client):
    reply = client.turn("fail server_is_overloaded")
    assert reply.types == ["response.created", "response.in_progress", "response.failed"]
    assert reply.terminal["error"]["code"] == "server_is_overloaded"


def test_after(sim, client):
    assert client.turn("after 60ms: count to 2").output_text == "1 2"
    assert sim.turns()[0].end_after_ms >= 55


def test_compaction_trigger(client):
    reply = client.post(client.body(input=[user("x"), {"type": "compaction_trigger"}]))
    assert [i["type"] for i in reply.items] == ["compaction"]
    assert reply.items[0]["id"].startswith("cmp_")
    again = client.post(client.body(input=[reply.items[0], user("go on")]))
    assert again.output_text == "go on"


def test_compact_endpoint(client):
    body = client.body(store=..., stream=..., include=...)
    reply = client.post(body, path="/backend-api/codex/responses/compact")
    assert reply.status == 200
    assert reply.json["output"][0]["type"] == "compaction"
    assert reply.headers["x-codex-plan-type"] == "plus"
    for member, value in (("stream", True), ("store", False), ("include", []),
                          ("tool_choice", "auto"), ("stream_options", {})):
        reply = client.post({**body, member: value}, path="/backend-api/codex/responses/compact")
        assert reply.status == 400
        assert reply.json == {"detail": f"Unsupported parameter: {member}"}


def test_same_seed_same_ids():
    def first_id(seed):
        with Sim("--seed", seed) as other:
            return other.accounts[0]["account_id"], other.client().turn("x").terminal["id"]

    assert first_id("7") == first_id("7")
    assert first_id("7") != first_id("8")
