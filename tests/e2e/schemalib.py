"""Checks answers of the client APIs against the API descriptions in tests/specs.

`check_answer` and `check_events` take what one API answers; `check_reply` finds out which one it
was and is called for every answer that a test's relay gives. Where the two descriptions contradict
each other or what upstream sends, the difference is named here, once, and told in docs/wire.md.
"""
import json
import pathlib

import jsonschema

import simlib

SPECS = pathlib.Path(__file__).resolve().parent.parent / "specs"
EVENTS_MAX = 400  # of one answer are looked at: the first ones and the last
BODY_MAX = 1 << 20

TERMINALS = ("response.completed", "response.incomplete", "response.failed")
API_OF_PATH = {"/v1/chat/completions": "chat", "/v1/completions": "completions",
               "/v1/responses": "responses"}


def nullable(value):
    """`nullable: true`, which JSON Schema does not know, as a type of its own."""
    if isinstance(value, list):
        return [nullable(v) for v in value]
    if not isinstance(value, dict):
        return value
    inner = {key: nullable(v) for key, v in value.items()}
    if value.get("nullable") is not True:
        return inner
    del inner["nullable"]
    return {"anyOf": [inner, {"type": "null"}]}


def prefixed(value, prefix):
    """With references to the schemas' names behind a prefix."""
    if isinstance(value, list):
        return [prefixed(v, prefix) for v in value]
    if not isinstance(value, dict):
        return value
    return {key: v.replace("schemas/", "schemas/" + prefix) if key == "$ref" else prefixed(v, prefix)
            for key, v in value.items()}


def load_schemas():
    """All schemas under one roof: `openai.X` and `open.X`."""
    found = {}
    for prefix, name in (("openai.", "openai-api"), ("open.", "open-responses")):
        text = (SPECS / f"{name}.json").read_text()
        schemas = nullable(json.loads(text)["components"]["schemas"])
        found.update((prefix + key, prefixed(value, prefix)) for key, value in schemas.items())
    # Newer than what upstream sends.
    found["openai.ResponseUsage"]["properties"]["input_tokens_details"]["required"].remove(
        "cache_write_tokens")
    # A closed list that lacks codes on which clients act, context_length_exceeded among them.
    found["openai.ResponseErrorCode"] = {"type": "string"}
    # Open Responses describes the common ground of providers. What it leaves out has to be as the
    # other description says.
    for narrow, wide in (("ItemField", "OutputItem"), ("Tool", "Tool"), ("Annotation", "Annotation"),
                         ("ToolChoiceParam", "ToolChoiceParam"),
                         ("JsonSchemaResponseFormat", "TextResponseFormatJsonSchema")):
        found["open." + narrow] = {"anyOf": [
            found["open." + narrow], {"$ref": f"#/components/schemas/openai.{wide}"}]}
    return found


SCHEMAS = load_schemas()
VALIDATORS = {}


def events_of_description(prefix, suffix):
    """Event type -> name of its schema."""
    return {value["properties"]["type"]["enum"][0]: name for name, value in SCHEMAS.items()
            if name.startswith(prefix) and name.endswith(suffix)
            and "enum" in value.get("properties", {}).get("type", {})}


OPEN_EVENTS = events_of_description("open.", "StreamingEvent")
OPENAI_EVENTS = events_of_description("openai.", "Event")


def validate(value, name):
    if name not in VALIDATORS:
        assert name in SCHEMAS, name
        VALIDATORS[name] = jsonschema.Draft202012Validator(
            {"$ref": f"#/components/schemas/{name}", "components": {"schemas": SCHEMAS}})
    error = jsonschema.exceptions.best_match(VALIDATORS[name].iter_errors(value))
    assert error is None, f"{name}: {error.message} at {list(error.absolute_path)}"


# One answer each.

def is_error(value):
    return isinstance(value, dict) and "error" in value and "object" not in value


def check_error(value):
    validate(value, "openai.ErrorResponse")


def check_response(value):
    validate(value, "open.ResponseResource")
    validate(without_null_usage(value), "openai.Response")


def without_null_usage(response):
    """One description wants null where there is no usage yet, the other nothing."""
    return {k: v for k, v in response.items() if k != "usage" or v is not None}


def check_answer(api, value):
    if is_error(value):
        check_error(value)
    elif api == "chat":
        validate(value, "openai.CreateChatCompletionResponse")
    elif api == "completions":
        validate(value, "openai.CreateCompletionResponse")
    else:
        check_response(value)


# Streams: a list of (event name or None, data).

def check_chunk(api, chunk):
    if api == "chat":
        validate(without_custom_calls(chunk), "openai.CreateChatCompletionStreamResponse")
        return
    assert "finish_reason" in chunk["choices"][0] if chunk["choices"] else True
    validate(with_finish_reason(chunk), "openai.CreateCompletionResponse")


def without_custom_calls(chunk):
    """The description knows custom calls in whole answers only, not in chunks."""
    chunk = json.loads(json.dumps(chunk))
    for choice in chunk["choices"]:
        for call in choice["delta"].get("tool_calls", []):
            if "custom" in call:
                assert call.pop("type", "custom") == "custom"
                call["function"] = {"arguments": call.pop("custom")["input"]}
    return chunk


def with_finish_reason(chunk):
    """The description of completions knows whole answers only: null is for chunks."""
    choices = [{**c, "finish_reason": c["finish_reason"] or "stop"} for c in chunk["choices"]]
    return {k: v for k, v in {**chunk, "choices": choices}.items() if k != "usage" or v is not None}


def check_chunks(api, events):
    data = [text for _, text in events]
    chunks = [json.loads(text) for text in data if text != "[DONE]"]
    failed = bool(chunks) and is_error(chunks[-1])
    if failed:
        check_error(chunks.pop())
    for chunk in some(chunks):
        check_chunk(api, chunk)
    assert not any(name for name, _ in events)
    assert "[DONE]" not in data[:-1]
    assert len({(c["id"], c["created"], c["model"]) for c in chunks}) <= 1
    choices = [c["choices"][0] for c in chunks if c["choices"]]
    if api == "chat":
        roles = ["role" in choice["delta"] for choice in choices]
        assert roles == ([True] + [False] * (len(roles) - 1) if roles else [])
    reasons = [choice["finish_reason"] for choice in choices]
    assert not any(reasons[:-1])
    return failed, bool(reasons) and reasons[-1] is not None, data[-1:] == ["[DONE]"]


def check_event(value):
    """In one of the descriptions, and as both say if both know it."""
    kind = value["type"]
    assert kind in OPEN_EVENTS or kind in OPENAI_EVENTS, f"nobody knows the event {kind}"
    if kind in OPEN_EVENTS:
        validate(value, OPEN_EVENTS[kind])
    if kind in OPENAI_EVENTS:
        validate(as_upstream_sends(value), OPENAI_EVENTS[kind])


def as_upstream_sends(value):
    """Members that the description requires and upstream leaves out."""
    if value["type"] == "response.function_call_arguments.done":
        return {"name": "", **value}
    if "response" in value:
        return {**value, "response": without_null_usage(value["response"])}
    return value


def check_response_events(events):
    values = [json.loads(text) for _, text in events if text != "[DONE]"]
    types = [value["type"] for value in values]
    for value in some(values):
        check_event(value)
    assert [name for name, text in events if text != "[DONE]"] == types
    assert [value["sequence_number"] for value in values] == list(range(len(values)))
    assert types[:1] == ["response.created"]
    assert not set(types[:-1]) & set(TERMINALS)
    ended = types[-1] in TERMINALS
    if ended:
        check_response(values[-1]["response"])
    failed = types[-1] == "response.failed"
    return failed, ended and not failed, events[-1][1] == "[DONE]"


def some(values):
    """Enough of a long answer: its deltas are all alike."""
    if len(values) <= EVENTS_MAX:
        return values
    return values[:EVENTS_MAX // 2] + values[-EVENTS_MAX // 2:]


def check_events(api, events, cut=False):
    """A stream has to say how it ended: with an error, or with its end and [DONE]; unless cut."""
    check = check_response_events if api == "responses" else lambda e: check_chunks(api, e)
    failed, ended, done = check(events)
    assert done == (ended and not cut) or cut, "[DONE] and the end go together"
    assert failed != ended or cut, "neither an error nor an end"
    assert not (failed and done)


# Answers of a running relay.

def is_native(headers):
    names = {key.lower(): value for key, value in headers.items() if value}
    return names.get("originator", "").startswith("codex") or \
        names.get("user-agent", "").startswith("codex")


def api_of(path, headers):
    """None for other paths, and for native Codex clients: they get upstream's own bytes, which no
    description covers."""
    return None if is_native(headers) else API_OF_PATH.get(path.split("?")[0].rstrip("/"))


def check_one_event(api, value):
    """Of a stream that is read event by event."""
    if api and len(str(value)) < BODY_MAX:
        if is_error(value):
            check_error(value)
        elif api == "responses":
            check_event(value)
        else:
            check_chunk(api, value)


def check_reply(path, headers, reply):
    api = api_of(path, headers)
    if api is None or reply.status is None or len(reply.body) > BODY_MAX:
        return
    if reply.headers.get("content-type", "").startswith("text/event-stream"):
        events = [(name or None, data) for name, data in simlib.parse_sse(reply.body)]
        if events:
            check_events(api, events, reply.cut)
    elif reply.body and not reply.cut:
        check_answer(api, reply.json)
