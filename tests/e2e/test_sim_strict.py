"""codex-sim refuses what the real backend refuses, with its texts."""
import pytest

from simlib import Sim, assistant, function_output, function_tool, user


@pytest.fixture(scope="module")
def sim():
    with Sim("--accounts", "2") as running:
        yield running


@pytest.fixture(scope="module")
def client(sim):
    return sim.client(1)


def detail(text):
    return {"detail": text}


def error(message, param=None, code=None):
    return {"error": {"message": message, "type": "invalid_request_error", "param": param,
                      "code": code}}


CALL = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
CUSTOM = {"type": "custom_tool_call", "call_id": "call_2", "name": "g", "input": "x"}
LONG = "x" * 70
INCLUDES = ("'code_interpreter_call.outputs', 'computer_call_output.output.image_url', "
            "'file_search_call.results', 'message.input_image.image_url', "
            "'message.output_text.logprobs', 'reasoning.encrypted_content', and "
            "'web_search_call.action.sources'")
EFFORTS = "'none', 'low', 'medium', 'high', 'xhigh', and 'max'"
TOO_LONG = ("Invalid '%s': string too long. Expected a string with maximum length 64, but got a "
            "string with length 70 instead.")
NOT_KEPT = ("Item with id '%s' not found. Items are not persisted when `store` is set to false. "
            "Try again with `store` set to true, or remove this item from your input.")
NAME_PATTERN = ("Invalid 'tools[0].name': string does not match pattern. Expected a string that "
                "matches the pattern '^[a-zA-Z0-9_-]+$'.")

# name, changed members (... leaves one out), expected status and body.
REFUSED = [
    ("no model", {"model": ...}, 400,
     error("Missing required parameter: 'model'.", "model", "missing_required_parameter")),
    ("empty model", {"model": ""}, 400,
     error("Missing required parameter: 'model'.", "model", "missing_required_parameter")),
    ("model is a number", {"model": 5}, 400,
     error("Invalid type for 'model': expected a string, but got a number instead.", "model",
           "invalid_type")),
    ("unknown model", {"model": "gpt-1"}, 400,
     detail("The 'gpt-1' model is not supported when using Codex with a ChatGPT account.")),
    ("store true", {"store": True}, 400, detail("Store must be set to false")),
    ("store absent", {"store": ...}, 400, detail("Store must be set to false")),
    ("stream false", {"stream": False}, 400, detail("Stream must be set to true")),
    ("stream absent", {"stream": ...}, 400, detail("Stream must be set to true")),
    ("input is a string", {"input": "hi"}, 400, detail("Input must be a list")),
    ("input absent", {"input": ...}, 400, detail("Input must be a list")),
    ("instructions null", {"instructions": None}, 400, detail("Instructions are not valid")),
    ("instructions a list", {"instructions": []}, 400, detail("Instructions are not valid")),
    ("include not a list", {"include": "x"}, 400,
     error("Invalid type for 'include': expected an array of strings, but got a string instead.",
           "include", "invalid_type")),
    ("include value", {"include": ["reasoning.encrypted_content", "foo"]}, 400,
     error(f"Invalid value: 'foo'. Supported values are: {INCLUDES}.", "include[1]",
           "invalid_value")),
    ("effort", {"reasoning": {"effort": "ultra"}}, 400,
     error("Unsupported value: 'ultra' is not supported with the 'gpt-5.5' model. Supported "
           f"values are: {EFFORTS}.", "reasoning.effort", "unsupported_value")),
    ("summary", {"reasoning": {"summary": "long"}}, 400,
     error("Invalid value: 'long'. Supported values are: 'concise', 'detailed', and 'auto'.",
           "reasoning.summary", "invalid_value")),
    ("tier auto", {"service_tier": "auto"}, 400, detail("Unsupported service_tier: auto")),
    ("tier fast", {"service_tier": "fast"}, 400, detail("Unsupported service_tier: fast")),
    ("stream option", {"stream_options": {"include_usage": True}}, 400,
     detail("Unsupported parameter: stream_options.include_usage")),
    ("long cache key", {"prompt_cache_key": LONG}, 400,
     error(TOO_LONG % "prompt_cache_key", "prompt_cache_key", "string_above_max_length")),
    ("verbosity", {"text": {"verbosity": "huge"}}, 400,
     error("Invalid value: 'huge'. Supported values are: 'low', 'medium', and 'high'.",
           "text.verbosity", "invalid_value")),
    ("json_object without the word", {"text": {"format": {"type": "json_object"}}}, 400,
     error("Response input messages must contain the word 'json' in some form to use "
           "'text.format' of type 'json_object'.", "input")),
    ("schema without name", {"text": {"format": {"type": "json_schema", "schema": {}}}}, 400,
     error("Missing required parameter: 'text.format.name'.", "text.format.name",
           "missing_required_parameter")),
    ("parallel_tool_calls", {"parallel_tool_calls": 1}, 400,
     error("Invalid type for 'parallel_tool_calls': expected a boolean, but got a number "
           "instead.", "parallel_tool_calls", "invalid_type")),
    # Items.
    ("system role", {"input": [{"role": "system", "content": "x"}]}, 400,
     detail("System messages are not allowed")),
    ("tool role", {"input": [{"role": "tool", "content": "x"}]}, 400,
     error("Invalid value: 'tool'. Supported values are: 'assistant', 'developer', and 'user'.",
           "input[0].role", "invalid_value")),
    ("item is a string", {"input": ["x"]}, 400,
     error("Invalid type for 'input[0]': expected an object, but got a string instead.",
           "input[0]", "invalid_type")),
    ("item type", {"input": [user("x"), {"type": "foo"}]}, 400,
     error("Invalid value: 'foo'. Supported values are the item types of the Responses API.",
           "input[1]", "invalid_value")),
    ("assistant with input_text", {"input": [
        {"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}]}, 400,
     error("Invalid value: 'input_text'. Supported values are: 'output_text' and 'refusal'.",
           "input[0].content[0]", "invalid_value")),
    ("user with output_text", {"input": [user({"type": "output_text", "text": "x"})]}, 400,
     error("Invalid value: 'output_text'. Supported values are: 'input_text', 'input_image', "
           "and 'input_file'.", "input[0].content[0]", "invalid_value")),
    ("chat part", {"input": [user({"type": "text", "text": "x"})]}, 400,
     error("Invalid value: 'text'. Supported values are: 'input_text', 'input_image', and "
           "'input_file'.", "input[0].content[0]", "invalid_value")),
    ("part without text", {"input": [user({"type": "input_text"})]}, 400,
     error("Missing required parameter: 'input[0].content[0].text'.", "input[0].content[0]",
           "missing_required_parameter")),
    ("no content", {"input": [{"role": "user"}]}, 400,
     error("Missing required parameter: 'input[0].content'.", "input[0].content",
           "missing_required_parameter")),
    ("image without url", {"input": [user({"type": "input_image"})]}, 400,
     error("Missing required parameter: 'input[0].content[0].image_url'.",
           "input[0].content[0]", "missing_required_parameter")),
    ("id prefix", {"input": [{**user("x"), "id": "item_1"}]}, 400,
     error("Invalid 'input[0].id': 'item_1'. Expected an ID that begins with 'msg'.",
           "input[0].id", "invalid_value")),
    ("id of an output", {"input": [CALL, {**function_output(CALL, "x"), "id": "fc_1"}]}, 400,
     error("Invalid 'input[1].id': 'fc_1'. Expected an ID that begins with 'fco'.",
           "input[1].id", "invalid_value")),
    ("long id", {"input": [{**user("x"), "id": "msg_" + "x" * 66}]}, 400,
     error(TOO_LONG % "input[0].id", "input[0].id", "string_above_max_length")),
    ("long call_id", {"input": [{**CALL, "call_id": LONG}]}, 400,
     error(TOO_LONG % "input[0].call_id", "input[0].call_id", "string_above_max_length")),
    ("long name of a call", {"input": [{**CALL, "name": LONG}]}, 400,
     error(TOO_LONG % "input[0].name", "input[0].name", "string_above_max_length")),
    ("name of a call", {"input": [{**CALL, "name": "a.b"}]}, 400,
     error(NAME_PATTERN.replace("tools[0].name", "input[0].name"), "input[0].name",
           "invalid_value")),
    ("call without arguments", {"input": [{"type": "function_call", "call_id": "c",
                                           "name": "f"}]}, 400,
     error("Missing required parameter: 'input[0].arguments'.", "input[0].arguments",
           "missing_required_parameter")),
    ("arguments are an object", {"input": [{**CALL, "arguments": {}}]}, 400,
     error("Invalid type for 'input[0].arguments': expected a string, but got an object "
           "instead.", "input[0].arguments", "invalid_type")),
    ("call without output", {"input": [CALL, user("x")]}, 400,
     error("No tool output found for function call call_1.", "input")),
    ("custom call without output", {"input": [CUSTOM]}, 400,
     error("No tool output found for custom tool call call_2.", "input")),
    ("output without call", {"input": [function_output(CALL, "x")]}, 400,
     error("No tool call found for function call output with call_id call_1.", "input")),
    ("output before call", {"input": [function_output(CALL, "x"), CALL]}, 400,
     error("No tool call found for function call output with call_id call_1.", "input")),
    ("output of the other kind", {"input": [CUSTOM, function_output(CUSTOM, "x")]}, 400,
     error("No tool call found for function call output with call_id call_2.", "input")),
    ("output missing", {"input": [CALL, {"type": "function_call_output",
                                         "call_id": "call_1"}]}, 400,
     error("Missing required parameter: 'input[1].output'.", "input[1].output",
           "missing_required_parameter")),
    ("item_reference", {"input": [{"type": "item_reference", "id": "msg_1"}]}, 404,
     error(NOT_KEPT % "msg_1", "input")),
    ("reasoning without blob", {"input": [{"type": "reasoning", "id": "rs_1",
                                           "summary": []}]}, 404,
     error(NOT_KEPT % "rs_1", "input")),
    ("foreign blob", {"input": [{"type": "reasoning", "id": "rs_1", "summary": [],
                                 "encrypted_content": "gAAAAABforeign"}]}, 400,
     error("The encrypted content gAAA...eign could not be verified. Reason: Encrypted content "
           "could not be decrypted or parsed.", None, "invalid_encrypted_content")),
    # Tools.
    ("tools not a list", {"tools": {}}, 400,
     error("Invalid type for 'tools': expected an array, but got an object instead.", "tools",
           "invalid_type")),
    ("tool in chat form", {"tools": [{"type": "function", "function": {"name": "f"}}]}, 400,
     error("Missing required parameter: 'tools[0].name'.", "tools[0].name",
           "missing_required_parameter")),
    ("long tool name", {"tools": [function_tool(LONG)]}, 400,
     error(TOO_LONG % "tools[0].name", "tools[0].name", "string_above_max_length")),
    ("tool name characters", {"tools": [function_tool("a.b")]}, 400,
     error(NAME_PATTERN, "tools[0].name", "invalid_value")),
    ("duplicate tools", {"tools": [function_tool("f"), function_tool("f")]}, 400,
     error("Duplicate tool name: 'f'. Tool names must be unique.", "tools", "invalid_value")),
    ("web_search_preview", {"tools": [{"type": "web_search_preview"}]}, 400,
     detail("Unsupported tool type: web_search_preview")),
    ("tool_choice word", {"tool_choice": "any"}, 400,
     error("Invalid value: 'any'. Supported values are: 'none', 'auto', and 'required'.",
           "tool_choice", "invalid_value")),
    ("tool_choice unknown", {"tools": [function_tool("f")],
                             "tool_choice": {"type": "function", "name": "g"}}, 400,
     error("Tool choice 'function' not found in 'tools' parameter.", "tool_choice")),
    ("allowed tool unknown", {"tools": [function_tool("f")], "tool_choice": {
        "type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "g"}]}}, 400,
     error("Tool choice 'function' not found in 'tools' parameter.", "tool_choice")),
    ("allowed tools without mode", {"tool_choice": {"type": "allowed_tools", "mode": "none",
                                                    "tools": []}}, 400,
     error("Invalid value: 'none'. Supported values are: 'auto' and 'required'.",
           "tool_choice.mode", "invalid_value")),
    ("allowed tools not a list", {"tool_choice": {"type": "allowed_tools", "mode": "auto",
                                                  "tools": {}}}, 400,
     error("Invalid type for 'tool_choice.tools': expected an array, but got an object instead.",
           "tool_choice.tools", "invalid_type")),
]

UNSUPPORTED = [
    "max_output_tokens", "max_completion_tokens", "max_tokens", "temperature", "top_p",
    "truncation", "user", "metadata", "safety_identifier", "prompt_cache_retention",
    "prompt_cache_options", "context_management", "background", "n", "stop", "seed", "logprobs",
    "top_logprobs", "previous_response_id", "generate", "messages",
]


@pytest.mark.parametrize("members,status,expected", [r[1:] for r in REFUSED],
                         ids=[r[0] for r in REFUSED])
def test_refuses(client, members, status, expected):
    reply = client.post(client.body(**members))
    assert (reply.status, reply.json) == (status, expected)


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_refuses_parameter(client, name):
    reply = client.turn(**{name: 1})
    assert (reply.status, reply.json) == (400, detail(f"Unsupported parameter: {name}"))


ACCEPTED = [
    ("no instructions", {"instructions": ...}),
    ("no include", {"include": ...}),
    ("item without type", {"input": [{"role": "user", "content": "x"}]}),
    ("assistant text", {"input": [user("x"), assistant("y"), user("z")]}),
    ("assistant string", {"input": [{"role": "assistant", "content": "x"}, user("z")]}),
    ("answered call", {"input": [CALL, function_output(CALL, "x")]}),
    ("output in parts", {"input": [CALL, function_output(
        CALL, [{"type": "input_text", "text": "x"}])]}),
    ("empty tools", {"tools": [], "parallel_tool_calls": False}),
    ("unknown tool type", {"tools": [{"type": "tool_search", "execution": "client"}]}),
    ("codex items", {"input": [
        {"type": "additional_tools", "id": "at_1", "role": "developer", "tools": []},
        {"type": "message", "id": "msg_1", "role": "developer",
         "content": [{"type": "input_text", "text": "d"}]},
        user("x"), {"type": "configuration_update", "reasoning": {"effort": "low"}}]}),
    ("client_metadata", {"client_metadata": {"a": "b"}}),
    ("reasoning", {"reasoning": {"effort": "xhigh", "summary": "auto", "context": "all_turns"}}),
    ("priority", {"service_tier": "priority"}),
    ("summary delivery", {"stream_options": {"reasoning_summary_delivery": "live"}}),
]


@pytest.mark.parametrize("members", [a[1] for a in ACCEPTED], ids=[a[0] for a in ACCEPTED])
def test_accepts(client, members):
    reply = client.post(client.body(**members))
    assert reply.status == 200, reply.text
    assert reply.types[-1] == "response.completed"


HEADS = [
    ("content type", {"content-type": "text/plain"}, 415, detail("Unsupported content type")),
    ("accept", {"accept": "application/json"}, 406,
     detail("Accept header must include text/event-stream")),
    ("originator", {"originator": " "}, 400, detail("Missing originator header")),
    ("no originator", {"originator": None}, 400, detail("Missing originator header")),
]


@pytest.mark.parametrize("headers,status,expected", [h[1:] for h in HEADS],
                         ids=[h[0] for h in HEADS])
def test_refuses_head(client, headers, status, expected):
    reply = client.turn(headers=headers)
    assert (reply.status, reply.json) == (status, expected)


@pytest.mark.parametrize("headers,message", [
    ({"authorization": None},
     "Missing bearer authentication in header. Please try signing in again."),
    ({"authorization": "Bearer nobody"},
     "Your authentication token is invalid. Please try signing in again."),
    ({"chatgpt-account-id": "other"},
     "The chatgpt-account-id header does not match the authentication token."),
    ({"chatgpt-account-id": None},
     "The chatgpt-account-id header does not match the authentication token."),
], ids=["no bearer", "unknown bearer", "other account id", "no account id"])
def test_refuses_stranger(client, headers, message):
    reply = client.turn(headers=headers)
    expected = error(message, None, "token_invalid")
    expected["status"] = 401
    assert (reply.status, reply.json) == (401, expected)


def test_refuses_invalid_json(client):
    reply = client.post(b'{"model":')
    assert reply.status == 400
    assert reply.json["detail"].startswith("Invalid JSON: ")


def test_refuses_body_over_16_mib(sim, client):
    faults = sim.stats()["faults"]
    body = client.body("x" * (16 << 20))
    assert client.post(body).status == 413
    assert sim.stats()["faults"] == faults + 1


def test_counts_refusals(sim, client):
    refused = sim.stats()["refused"]
    client.turn(temperature=1)
    client.turn()
    assert sim.stats()["refused"] == refused + 1


def test_blob_belongs_to_its_account(sim, client):
    reasoning = next(i for i in client.turn("think").items if i["type"] == "reasoning")
    body = client.body(input=[user("x"), reasoning, user("y")])
    assert client.post(body).status == 200
    reply = sim.client(2).post(body)
    assert reply.status == 400
    assert reply.json["error"]["code"] == "invalid_encrypted_content"
    assert "organization_id did not match" in reply.json["error"]["message"]


def test_every_refusal_carries_the_limit_headers(client):
    reply = client.turn(temperature=1)
    assert reply.headers["x-codex-primary-window-minutes"] == "300"
    assert reply.headers["x-codex-plan-type"] == "plus"
    assert reply.headers["x-request-id"]


def test_effort_minimal_hangs(sim, client):
    sim.clear_requests()
    hanging = client.background(reasoning={"effort": "minimal"})
    sim.wait("active==1")
    # It would go on for ever: nothing is sent but the head.
    assert sim.turns()[0].status == 200
    assert sim.turns()[0].events == 0
    assert hanging  # the thread is a daemon and ends with the simulator
