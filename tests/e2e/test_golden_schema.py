"""The answers of the golden cases are what the API descriptions promise."""
import json
import pathlib

import jsonschema
import pytest

TESTS = pathlib.Path(__file__).resolve().parent.parent
SPECS = {name: json.loads((TESTS / "specs" / f"{name}.json").read_text())
         for name in ("openai-api", "open-responses")}
CASES = {path.parent.name: json.loads(path.read_text())
         for path in sorted((TESTS / "golden").glob("*/case.json"))}

# Cases whose events break the API's own rules: nothing valid can be made of them.
HOSTILE = {name for name in CASES if name.endswith("_hostile")}



def nullable(value):
    if isinstance(value, list):
        return [nullable(v) for v in value]
    if not isinstance(value, dict):
        return value
    inner = {key: nullable(v) for key, v in value.items()}
    if value.get("nullable") is not True:
        return inner
    del inner["nullable"]
    return {"anyOf": [inner, {"type": "null"}]}


for spec in SPECS.values():
    spec["components"]["schemas"] = nullable(spec["components"]["schemas"])
# Newer than what upstream sends.
SPECS["openai-api"]["components"]["schemas"]["ResponseUsage"]["properties"][
    "input_tokens_details"]["required"].remove("cache_write_tokens")


def schema(spec_name, name):
    components = SPECS[spec_name]["components"]
    assert name in components["schemas"], name
    return {"$ref": f"#/components/schemas/{name}", "components": components}


VALIDATORS = {}


def validate(value, spec_name, name):
    key = (spec_name, name)
    if key not in VALIDATORS:
        VALIDATORS[key] = jsonschema.Draft202012Validator(schema(spec_name, name))
    errors = sorted(VALIDATORS[key].iter_errors(value), key=lambda e: len(e.absolute_path))
    assert not errors, f"{name}: {errors[0].message} at {list(errors[0].absolute_path)}"


def events_of(case):
    """(event name, data) of each event of a streamed expectation; comments left out."""
    for block in case["expected"]:
        lines = block.split("\n")
        if lines[0].startswith(":"):
            continue
        data = [line[6:] for line in lines if line.startswith("data: ")]
        names = [line[7:] for line in lines if line.startswith("event: ")]
        assert len(data) == 1 and len(names) <= 1, block
        yield names[0] if names else None, data[0]


def cases(dialect, stream):
    def fits(name, case):
        return (name not in HOSTILE and case["dialect"] == dialect and not case["native"]
                and "expected" in case and isinstance(case["expected"], list) == stream)
    return [name for name, case in CASES.items() if fits(name, case)]


def is_error(value):
    return "error" in value and "id" not in value


def check_error(value):
    error = value["error"]
    assert isinstance(error["message"], str) and isinstance(error["type"], str)


@pytest.mark.parametrize("name", cases("chat", stream=False))
def test_folded_chat(name):
    answer = CASES[name]["expected"]
    if is_error(answer):
        check_error(answer)
        return
    validate(answer, "openai-api", "CreateChatCompletionResponse")


@pytest.mark.parametrize("name", cases("chat", stream=True))
def test_streamed_chat(name):
    events = [data for _, data in events_of(CASES[name])]
    chunks = [json.loads(data) for data in events if data != "[DONE]"]
    for chunk in chunks:
        if is_error(chunk):
            check_error(chunk)
            assert chunk is chunks[-1]
            continue
        validate(without_custom_calls(chunk), "openai-api", "CreateChatCompletionStreamResponse")
    failed = is_error(chunks[-1])
    assert (events[-1] == "[DONE]") != failed
    assert events.count("[DONE]") == (0 if failed else 1)
    check_chunks([chunk for chunk in chunks if not is_error(chunk)], failed)


def without_custom_calls(chunk):
    """The description knows custom calls in whole answers only, not in chunks."""
    chunk = json.loads(json.dumps(chunk))
    for choice in chunk["choices"]:
        for call in choice["delta"].get("tool_calls", []):
            if "custom" in call:
                assert call.pop("type", "custom") == "custom"
                call["function"] = {"arguments": call.pop("custom")["input"]}
    return chunk


def check_chunks(chunks, failed):
    """One id; the role first and once; one finish_reason, in the last chunk with a choice."""
    assert len({(c["id"], c["created"], c["model"]) for c in chunks}) <= 1
    choices = [c["choices"][0] for c in chunks if c["choices"]]
    roles = ["role" in choice["delta"] for choice in choices]
    reasons = [choice["finish_reason"] for choice in choices]
    assert roles == [True] + [False] * (len(roles) - 1)
    assert reasons[:-1] == [None] * (len(reasons) - 1)
    assert (reasons[-1] is None) == failed


@pytest.mark.parametrize("name", cases("responses", stream=False))
def test_folded_response(name):
    answer = CASES[name]["expected"]
    if "object" not in answer:
        return  # an error body, ours or upstream's
    validate(answer, "open-responses", "ResponseResource")
    if answer["usage"] is not None:  # null in the one description, absent in the other
        validate(answer, "openai-api", "Response")


def streaming_schemas():
    """Event type -> schema name, from the description."""
    found = {}
    for name, value in SPECS["open-responses"]["components"]["schemas"].items():
        if name.endswith("StreamingEvent"):
            found[value["properties"]["type"]["enum"][0]] = name
    return found


STREAMING = streaming_schemas()


@pytest.mark.parametrize("name", cases("responses", stream=True))
def test_streamed_response(name):
    events = list(events_of(CASES[name]))
    values = [json.loads(data) for _, data in events if data != "[DONE]"]
    types = [value["type"] for value in values]
    for value in values:
        if value["type"] in STREAMING:
            validate(value, "open-responses", STREAMING[value["type"]])
    assert [event for event, _ in events if event] == types
    assert [value["sequence_number"] for value in values] == list(range(len(values)))
    assert types[0] == "response.created"
    assert types[-1] in ("response.completed", "response.incomplete", "response.failed")
    assert (events[-1][1] == "[DONE]") == (types[-1] != "response.failed")
    validate(values[-1]["response"], "open-responses", "ResponseResource")


def test_there_are_cases_of_every_kind():
    for dialect in ("chat", "responses"):
        assert len(cases(dialect, stream=True)) > 10
        assert len(cases(dialect, stream=False)) > 10
