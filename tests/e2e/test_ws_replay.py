"""Every recorded socket of the real Codex CLI, opened again: what reaches upstream, byte for byte."""
import json

import pytest

import capturelib
import wslib
from relaylib import QUIET, Relay
from simlib import Sim

ACCOUNT = "11111111-2222-3333-4444-555555555555"

# What becomes of every header of a handshake in the requests of its turns.
PASSED = {"originator", "user-agent", "version", "session-id", "thread-id", "x-client-request-id",
          "x-codex-beta-features", "x-codex-routing-hint"}
PER_TURN = {"x-codex-window-id", "x-codex-turn-metadata"}  # client_metadata knows better
REPLACED = {"authorization", "chatgpt-account-id", "host"}
DROPPED = {"connection", "upgrade", "openai-beta", "x-codex-turn-state"}
LITE = "x-openai-internal-codex-responses-lite"


def sockets(name):
    """(handshake, its messages) of each recorded socket that was accepted."""
    traffic = capturelib.load(name)["traffic"]
    for entry in traffic:
        if entry["kind"] == "ws_handshake" and entry["answer"]["status"] == 101:
            yield entry, [e["body"] for e in traffic
                          if e["kind"] == "ws_in" and e["ws"] == entry["n"]
                          and e["opcode"] == "text"]


RECORDED = [name for name in capturelib.names() if any(m for _, m in sockets(name))]


@pytest.fixture(scope="module", name="pair", params=["http", "auto"])
def fixture_pair(request):
    with Sim("--accounts", "2", "--plan", "pro") as sim:
        with Relay(sim, slots=2, config={
                **QUIET, "upstream": {"transport": request.param},
                "codexClients": {"trustAccounts": [ACCOUNT]}}) as relay:
            yield sim, relay, {"http": "POST", "auto": "WS"}[request.param]


def encoded(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def opened(relay, handshake):
    mine = {"sec-websocket-key", "sec-websocket-version", "host", "connection", "upgrade"}
    headers = {k: v for k, v in handshake["headers"] if k.lower() not in mine}
    headers["authorization"] = capturelib.bearer_for(handshake)
    return wslib.WebSocket(relay.address, handshake["path"], headers)


STATE = "x-codex-turn-state"


def script(following):
    """What makes the simulated model say what the CLI answered then."""
    item = following["input"][0] if following["input"] else {}
    state = following["client_metadata"].get(STATE)
    told = {}
    if item.get("type") == "function_call_output":
        told["directive"] = 'call exec_command {"cmd":"true"}'
    elif item.get("type") == "custom_tool_call_output":
        told["directive"] = "call exec <<<text(1);>>>"
    if state:  # over HTTP and on a socket
        told["headers"] = {STATE: state}
        told["before_events"] = [{"type": "response.metadata", "headers": {STATE: state}}]
    return told


def adapted(message, before):
    """The recorded message, referring to the answer that came this time."""
    if message.get("previous_response_id"):
        message["previous_response_id"] = wslib.id_of(before)
    calls = [i for i in wslib.items_of(before) if "call_id" in i] if before else []
    for item in message["input"]:
        if item["type"].endswith("_output"):
            item["call_id"] = calls[-1]["call_id"]
    return message


def replay(sim, ws, messages):
    """Sends them all; the events of each turn."""
    answers = []
    for number, message in enumerate(messages):
        told = script(messages[number + 1]) if number + 1 < len(messages) else {}
        if told and message.get("generate") is not False:
            sim.script("*", told)
        adapted(message, answers[-1] if answers else None)
        ws.send_text(encoded(message))
        answers.append(ws.read_turn())
        assert answers[-1][-1]["type"] == "response.completed", answers[-1][-1]
    return answers


@pytest.mark.parametrize("name", RECORDED)
def test_turns_reach_upstream_whole(pair, name):
    sim, relay, method = pair
    for handshake, messages in sockets(name):
        sim.clear_requests()
        with opened(relay, handshake) as ws:
            answers = replay(sim, ws, messages)
        asked = [m for m in messages if m.get("generate") is not False]
        turns = sim.turns()
        assert len(turns) == len(asked) and {t.status for t in turns} <= {200}
        for number, (message, turn) in enumerate(zip(asked, turns)):
            before = asked[number - 1] if number else None
            assert turn.method == method
            if method == "WS":
                check_frame(message, turn, before, messages, answers)
                check_handshake(handshake, asked[0], turn)
            else:
                check_body(message, turn, messages, answers)
                check_headers(handshake, message, turn)


def conversation(message, messages, answers):
    """All that the message's answer is an answer to."""
    whole = []
    for number in range(messages.index(message) + 1):
        if not messages[number].get("previous_response_id"):
            whole = []
        whole += messages[number]["input"]
        if messages[number] is not message:
            whole += wslib.items_of(answers[number])
    return whole


def check_body(message, turn, messages, answers):
    body = json.loads(turn.body)
    assert set(body) == set(message) - {"type", "previous_response_id", "generate"}
    for key in set(body) - {"input"}:
        assert f'"{key}":{encoded(message[key])}' in turn.body, key
    assert body["input"] == conversation(message, messages, answers)
    assert encoded(message["input"])[1:-1] + "]" in turn.body  # the client's own bytes, at the end


def check_frame(message, turn, before, messages, answers):
    """before: what was asked on the same socket to upstream; warm-ups were not."""
    body = json.loads(turn.body)
    said = {"stream", "previous_response_id", "generate"}
    assert set(body) - said == set(message) - said and body["type"] == "response.create"
    for key in set(body) - said - {"type", "input"}:
        assert f'"{key}":{encoded(message[key])}' in turn.body, key
    assert not said & set(body) - {"previous_response_id"}
    goes_on = before and message.get("previous_response_id") == \
        wslib.id_of(answers[messages.index(before)])
    if goes_on:  # new items only, as the client sent them
        assert body["previous_response_id"] == message["previous_response_id"]
        assert f'"input":{encoded(message["input"])}' in turn.body
    else:
        assert "previous_response_id" not in body
        assert body["input"] == conversation(message, messages, answers)
        assert encoded(message["input"])[1:-1] + "]" in turn.body


def check_headers(handshake, message, turn):
    upstream = {key.lower(): value for key, value in turn.headers}
    metadata = message["client_metadata"]
    for header, value in handshake["headers"]:
        header = header.lower()
        if header in PASSED:
            assert upstream[header] == value, header
        elif header in PER_TURN:
            assert upstream[header] == metadata[header], header
        elif header in DROPPED or header.startswith("sec-websocket-"):
            assert header not in upstream or header in metadata, header
        else:
            assert header in REPLACED, f"{header}: say what becomes of it"
    lite = metadata.get("ws_request_header_x_openai_internal_codex_responses_lite")
    assert upstream.get(LITE) == lite
    assert upstream.get(STATE) == metadata.get(STATE)
    assert upstream["accept"] == "text/event-stream" and upstream["content-type"] == "application/json"


def check_handshake(handshake, first, turn):
    """first: the message whose turn opened the socket."""
    upstream = {key.lower(): value for key, value in turn.headers}
    client = {key.lower(): value for key, value in handshake["headers"]}
    for header in PASSED & set(client):
        assert upstream.pop(header) == client[header], header
    for header in PER_TURN & set(client):
        assert upstream.pop(header) == first["client_metadata"][header], header
    assert upstream.pop("openai-beta") == client["openai-beta"]
    assert upstream.pop("chatgpt-account-id") != ACCOUNT
    assert set(upstream) == {"host", "connection", "upgrade", "sec-websocket-key",
                             "sec-websocket-version", "authorization", "x-request-id"}


def test_the_recordings_have_what_matters():
    messages = [m for name in RECORDED for _, found in sockets(name) for m in found]
    assert any(m.get("generate") is False for m in messages)
    assert any(m.get("previous_response_id") for m in messages)
    assert any(STATE in m["client_metadata"] for m in messages)
    kinds = {i["type"] for m in messages for i in m["input"]}
    assert {"function_call_output", "custom_tool_call_output", "additional_tools"} <= kinds
