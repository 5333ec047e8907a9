"""The answers of the golden cases are what the API descriptions promise."""
import json
import pathlib

import pytest

import schemalib

TESTS = pathlib.Path(__file__).resolve().parent.parent
CASES = {path.parent.name: json.loads(path.read_text())
         for path in sorted((TESTS / "golden").glob("*/case.json"))}

# Cases whose events break the API's own rules: nothing valid can be made of them.
HOSTILE = {name for name in CASES if name.endswith("_hostile")}
APIS = ("chat", "completions", "responses")


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


def cases(stream):
    return [name for name, case in CASES.items()
            if "expected" in case and not case["native"] and isinstance(case["expected"], list) == stream
            and (name not in HOSTILE or case["dialect"] == "completions")]


@pytest.mark.parametrize("name", cases(stream=False))
def test_whole_answer(name):
    schemalib.check_answer(CASES[name]["dialect"], CASES[name]["expected"])


@pytest.mark.parametrize("name", cases(stream=True))
def test_stream(name):
    case = CASES[name]
    events = list(events_of(case))
    schemalib.check_events(case["dialect"], events)
    failed = any("$error" in e for e in case["events"] if isinstance(e, dict))
    assert (events[-1][1] == "[DONE]") == (not failed)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "error" in case])
def test_refusal(name):
    error = CASES[name]["error"]
    assert error["status"] == 400 and error["message"].endswith((".", "…"))


def test_there_are_cases_of_every_kind():
    for api in APIS:
        for stream in (False, True):
            assert len([n for n in cases(stream) if CASES[n]["dialect"] == api]) > 10


# The checks themselves can fail.

def answer_of(name):
    return json.loads(json.dumps(CASES[name]["expected"]))


def stream_of(name):
    return list(events_of(CASES[name]))


@pytest.mark.parametrize("name", ["chat_fold_text", "completions_fold_text", "responses_fold_text"])
@pytest.mark.parametrize("member", ["id", "object", "model"])
def test_a_missing_member_is_found(name, member):
    answer = answer_of(name)
    del answer[member]
    with pytest.raises(AssertionError):
        schemalib.check_answer(CASES[name]["dialect"], answer)


@pytest.mark.parametrize("name", ["chat_stream_text", "completions_stream_text", "responses_stream_text"])
def test_a_broken_stream_is_found(name):
    api, events = CASES[name]["dialect"], stream_of(name)
    broken = [events[:-1], events[:-2], events[:-3], events + events[-2:-1]]
    if api != "completions":  # whose chunks are all alike
        broken.append(events[:1] * 2 + events[1:])
    for one in broken:
        with pytest.raises(AssertionError):
            schemalib.check_events(api, one)


def test_an_unknown_item_is_found():
    answer = answer_of("responses_fold_tools")
    answer["output"][0]["type"] = "something_else"
    with pytest.raises(AssertionError):
        schemalib.check_answer("responses", answer)


def test_an_error_without_its_members_is_found():
    with pytest.raises(AssertionError):
        schemalib.check_answer("chat", {"error": {"message": "m"}})
