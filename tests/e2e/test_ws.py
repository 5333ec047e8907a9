"""Turns of clients over WebSockets: conversation, slots, errors, limits, the end."""
import json
import resource
import time

import pytest

import relaylib
import wslib
from relaylib import NATIVE, QUIET, Relay, native_body
from simlib import Sim, user
from tlslib import TlsRelay

PATH = "/v1/responses"
CODEX = "/backend-api/codex/responses"
AUTH = {"authorization": "Bearer " + relaylib.TOKEN}
SESSION = "01a20918-d863-7593-90aa-6a82f6095ad3"
TOOL = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}


# What reaches upstream: a request of its own for each turn, or a frame of a socket there.
bridge = pytest.mark.parametrize("transport", ["http"])
either = pytest.mark.parametrize("transport", ["http", "auto"])


def config_of(transport):
    return {**QUIET, "upstream": {"transport": transport}}


@pytest.fixture(scope="module")
def running():
    with Sim("--accounts", "3") as sim, \
            Relay(sim, slots=3, config=config_of("http")) as http, \
            Relay(sim, slots=3, config=config_of("auto")) as auto:
        yield sim, {"http": http, "auto": auto}


@pytest.fixture
def transport():
    return "auto"


@pytest.fixture
def sim(running):
    running[0].reset()
    return running[0]


@pytest.fixture
def relay(running, sim, transport):
    return running[1][transport]


@pytest.fixture
def fresh(transport):
    """For tests that wear slots out."""
    with Sim("--accounts", "3") as sim, Relay(sim, slots=3, config=config_of(transport)) as relay:
        yield sim, relay


def codex(relay, path=PATH, session=SESSION, **headers):
    """A socket as the Codex CLI opens it."""
    return wslib.WebSocket(relay.address, path, {
        **AUTH, **NATIVE, **wslib.BETA, "session-id": session, "thread-id": session,
        "x-codex-window-id": session + ":0", "sec-websocket-extensions":
        "permessage-deflate; client_max_window_bits", **headers})


def sdk(relay, **headers):
    return wslib.WebSocket(relay.address, PATH, {**AUTH, **headers})


def ask(ws, text="hello", /, **members):
    """A turn as Codex sends it: its events."""
    ws.create(**native_body(text, **members))
    return ws.read_turn()


def go_on(ws, before, items, /, **members):
    ws.create(**native_body(input=items, previous_response_id=wslib.id_of(before), **members))
    return ws.read_turn()


def output(call, text="42"):
    return {"type": "function_call_output", "call_id": call["call_id"], "output": text}


def body_of(turn):
    return json.loads(turn.record["body"])


def inputs(sim, *answers):
    """The whole input of each turn, whatever its socket knew of it already."""
    known, found = [], []
    for number, turn in enumerate(sim.turns()):
        body = body_of(turn)
        found.append((known if "previous_response_id" in body else []) + body["input"])
        if number < len(answers):
            known = found[-1] + wslib.items_of(answers[number])
    return found


def told(turn, name):
    """What a turn says in a header, or in a frame for it."""
    if turn.method == "POST":
        return turn.header(name)
    return body_of(turn)["client_metadata"].get(name)


# --- turns

@either
@pytest.mark.parametrize("path", [PATH, CODEX])
def test_a_turn(relay, sim, path, transport):
    with codex(relay, path) as ws:
        events = ask(ws, "count to 3")
        assert wslib.text_of(events) == "1 2 3"
        types = [e["type"] for e in events]
        assert types[-1] == "response.completed"
        limits = next(e for e in events if e["type"] == "codex.rate_limits")
        assert limits["rate_limits"]["primary"]["window_minutes"] == 300
        assert ws.close().code == 1000
    turn, = sim.turns()
    assert turn.header("session-id") == SESSION
    if transport == "http":
        assert turn.method == "POST" and turn.header("content-type") == "application/json"
        assert turn.header("openai-beta") is None and turn.header("sec-websocket-key") is None
    else:
        assert turn.method == "WS" and turn.header("content-type") is None
        assert turn.header("openai-beta") == wslib.BETA["openai-beta"]
        assert turn.header("sec-websocket-extensions") is None


@either
def test_the_body_is_the_frame_without_what_is_the_sockets(relay, sim, transport):
    tools = '[{"type":"function", "name":"look",  "parameters":{"type":"object","properties":{}}}]'
    item = '{"type":"message", "role":"user",\t"content":[{"type":"input_text","text":"gr\\u00fc"}]}'
    with codex(relay) as ws:
        ws.send_text('{"type":"response.create","model":"gpt-5.5","tools":' + tools +
                     ',"input":[' + item + '],"store":false,"instructions":"",'
                     '"include":["reasoning.encrypted_content"]}')
        assert wslib.text_of(ws.read_turn()) == "grü"
    body = sim.turns()[0].record["body"]
    assert '"tools":' + tools in body and '"input":[' + item + "]" in body
    assert set(json.loads(body)) == {
        "model", "tools", "input", "store", "instructions", "include",
        *(["stream"] if transport == "http" else ["type", "client_metadata"])}


@bridge
def test_turns_go_on_from_the_one_before(relay, sim):
    with codex(relay) as ws:
        first = ask(ws, "call look", tools=[TOOL])
        call = wslib.items_of(first)[-1]
        second = go_on(ws, first, [output(call)], tools=[TOOL])
        assert "tool said: 42" in wslib.text_of(second)
        third = go_on(ws, second, [user("bye")], tools=[TOOL])
        assert wslib.text_of(third) == "bye"
    bodies = [body_of(t) for t in sim.turns()]
    sent = [user("call look"), *wslib.items_of(first), output(call)]
    assert bodies[1]["input"] == sent
    assert bodies[2]["input"] == sent + wslib.items_of(second) + [user("bye")]
    assert all("previous_response_id" not in b and "type" not in b for b in bodies)


@either
def test_the_prompt_cache_goes_on(relay, sim):
    long = "x" * 4000
    with codex(relay) as ws:
        first = ask(ws, long, prompt_cache_key=SESSION)
        second = go_on(ws, first, [user("more")], prompt_cache_key=SESSION)
    usage = second[-1]["response"]["usage"]
    assert usage["input_tokens_details"]["cached_tokens"] > 1000


@either
def test_a_warm_up_asks_no_slot(relay, sim):
    with codex(relay) as ws:
        warm = ask(ws, "one", generate=False)
        assert [e["type"] for e in warm] == ["response.created", "response.completed"]
        assert not sim.turns()
        assert wslib.text_of(go_on(ws, warm, [user("two")])) == "two"
    turn, = sim.turns()
    assert body_of(turn)["input"] == [user("one"), user("two")]
    assert "generate" not in body_of(turn)


@either
def test_an_empty_warm_up(relay, sim):
    with codex(relay) as ws:
        ws.create(**native_body(input=[], generate=False))
        warm = ws.read_turn()
        go_on(ws, warm, [user("two")])
    assert body_of(sim.turns()[0])["input"] == [user("two")]


@either
def test_metadata_stands_for_headers(relay, sim):
    with codex(relay, **{"x-codex-turn-metadata": "old", "x-codex-turn-state": "old"}) as ws:
        ask(ws, client_metadata={
            "x-codex-turn-metadata": '{"request_kind":"turn"}', "session_id": "other",
            "x-codex-window-id": SESSION + ":1", "authorization": "Bearer no",
            "ws_request_header_authorization": "Bearer no",
            "ws_request_header_x_openai_internal_codex_responses_lite": "true"})
    turn, = sim.turns()
    assert told(turn, "x-codex-turn-metadata") == '{"request_kind":"turn"}'
    assert told(turn, "x-codex-window-id") == SESSION + ":1"
    lite = "x-openai-internal-codex-responses-lite"
    assert told(turn, lite if turn.method == "POST" else
                "ws_request_header_" + lite.replace("-", "_")) == "true"
    assert turn.header("x-codex-turn-state") is None
    assert turn.header("session-id") == SESSION
    assert turn.account is not None and turn.status == 200


@either
def test_turn_state_comes_as_an_event_and_goes_back_as_metadata(relay, sim, transport):
    headers = {"x-codex-turn-state": "sticky-1", "x-models-etag": "e1"}
    if transport == "http":
        said = {"headers": {**headers, "x-codex-primary-used-percent": "12"}}
    else:
        said = {"before_events": [{"type": "response.metadata", "headers": headers}]}
    sim.script("*", {**said, "directive": "call look"})
    with codex(relay) as ws:
        first = ask(ws, tools=[TOOL])
        state = next(e for e in first if e["type"] == "response.metadata")
        assert state["headers"] == {"x-codex-turn-state": "sticky-1"}
        call = wslib.items_of(first)[-1]
        go_on(ws, first, [output(call)], tools=[TOOL],
              client_metadata={"x-codex-turn-state": "sticky-1"})
    first, second = sim.turns()
    assert told(second, "x-codex-turn-state") == "sticky-1"
    assert first.account == second.account


@either
def test_messages_during_a_turn_wait_for_it(relay, sim):
    with codex(relay) as ws:
        ws.create(**native_body("count to 3 every 20ms"))
        ws.create(**native_body("second"))
        ws.create(**native_body("third"))
        assert [wslib.text_of(ws.read_turn()) for _ in range(3)] == ["1 2 3", "second", "third"]


def test_fragments_and_pings_between_them(relay, sim):
    with codex(relay) as ws:
        text = json.dumps({"type": "response.create", **native_body("hello")}).encode()
        ws.send_frame(wslib.TEXT, text[:10], fin=False)
        ws.send_frame(wslib.PING, b"are you there")
        assert ws.read_frame() == (wslib.PONG, b"are you there", True)
        ws.send_frame(wslib.CONTINUATION, text[10:20], fin=False)
        ws.send_frame(wslib.CONTINUATION, text[20:])
        assert wslib.text_of(ws.read_turn()) == "hello"


def test_a_frame_in_the_packet_of_the_handshake(relay, sim):
    frame = wslib.masked(wslib.TEXT, json.dumps(
        {"type": "response.create", **native_body("early")}).encode())
    with wslib.WebSocket(relay.address, PATH, {**AUTH, **NATIVE}, first=frame) as ws:
        assert wslib.text_of(ws.read_turn()) == "early"


@either
def test_large_turns_both_ways(relay, sim):
    with codex(relay) as ws:
        events = ask(ws, "big 2m")
        assert len(wslib.text_of(events)) == 2 << 20
        text = "y" * (3 << 20)
        assert len(wslib.text_of(ask(ws, "say exactly: " + text))) == len(text)


@bridge
def test_items_are_remembered_however_upstream_writes_its_events(relay, sim):
    item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": "hi", "annotations": []}]}
    done = json.dumps({"type": "response.output_item.done", "output_index": 0, "item": item})
    end = json.dumps({"type": "response.completed", "response": {"id": "resp_1"}})
    sim.script("*", {"events": [f"data:   {done} \r\n\r\n",
                                "data: " + end.replace(", ", ",\ndata: ") + "\n\n"]})
    with codex(relay) as ws:
        first = ask(ws, "x")
        assert first[-1]["response"]["id"] == "resp_1"
        go_on(ws, first, [user("y")])
    assert body_of(sim.turns()[-1])["input"] == [user("x"), item, user("y")]


# --- the clients of the API

@either
def test_sdk_clients_get_whole_objects(relay, sim):
    with sdk(relay) as ws:
        ws.create(model="gpt-5.5", input="hello", temperature=1, store=False)
        events = ws.read_turn()
        assert wslib.text_of(events) == "hello"
        assert not [e for e in events if e["type"].startswith("codex.")]
        assert [e["sequence_number"] for e in events] == list(range(len(events)))
        done = events[-1]["response"]
        assert done["output"] and done["object"] == "response"
        ws.create(model="gpt-5.5", input="again", previous_response_id=done["id"], store=False)
        assert wslib.text_of(ws.read_turn()) == "again"
    first = body_of(sim.turns()[0])
    assert first["store"] is False and "temperature" not in first
    assert [i["role"] for i in inputs(sim, events)[1]] == ["user", "assistant", "user"]


def test_sdk_clients_get_the_end_of_an_answer_however_large_it_is():
    """The last event repeats what the request said and all that was answered. On a relay of its own: the
    kernel's buffers of a connection to upstream grow with what has passed through it."""
    with Sim() as sim, Relay(sim, slots=1, config=QUIET) as relay, sdk(relay) as ws:
        ws.create(model="gpt-5.5", input="big 8m", instructions="i" * (9 << 20), store=False)
        events = ws.read_turn()
        assert len(wslib.text_of(events)) == 8 << 20
        done = events[-1]["response"]
        assert len(done["instructions"]) == 9 << 20
        parts = [part["text"] for item in done["output"] for part in item["content"]]
        assert sum(map(len, parts)) == 8 << 20
        ws.create(model="gpt-5.5", input="hello", store=False)
        assert wslib.text_of(ws.read_turn()) == "hello"


@either
def test_sdk_clients_go_on_from_what_they_stored_elsewhere(relay, sim):
    with sdk(relay) as ws:
        ws.create(model="gpt-5.5", input="hello")
        first = ws.read_turn()
        stored = wslib.id_of(first)
    with sdk(relay) as ws:
        ws.create(model="gpt-5.5", input="again", previous_response_id=stored)
        again = ws.read_turn()
        assert wslib.text_of(again) == "again"
        ws.create(model="gpt-5.5", input="third", previous_response_id=wslib.id_of(again))
        assert wslib.text_of(ws.read_turn()) == "third"
    assert len(inputs(sim, first, again)[-1]) == 5


@either
def test_events_tell_their_lane(relay, sim):
    with sdk(relay) as ws:
        for lane in ("a", "b \u00fc\""):
            ws.create(model="gpt-5.5", input="hello", stream_id=lane)
        for lane in ("a", "b \u00fc\""):
            assert {e["stream_id"] for e in ws.read_turn()} == {lane}
        ws.create(model="gpt-5.5", stream_id="c")
        assert ws.read_json()["stream_id"] == "c"
        ws.create(model="gpt-5.5", input="hello")
        assert not [e for e in ws.read_turn() if "stream_id" in e]
    assert "stream_id" not in body_of(sim.turns()[0])


def test_sdk_warm_ups_are_whole_objects_too(relay, sim):
    with sdk(relay) as ws:
        ws.create(model="gpt-5.5", input="one", tools=[TOOL], generate=False)
        done = ws.read_turn()[-1]["response"]
        assert done["status"] == "completed" and done["tools"] and done["output"] == []
        assert done["model"] == "gpt-5.5"


# --- slots

@either
def test_a_turn_moves_to_another_slot_when_its_own_is_exhausted(fresh):
    sim, relay = fresh
    with codex(relay) as ws:
        first = ask(ws, "think, then call look", tools=[TOOL])
        used = sim.turns()[0].account
        sim.set_account(used, primary={"used_percent": 100, "reset_in_seconds": 600})
        call = wslib.items_of(first)[-1]
        second = go_on(ws, first, [output(call)], tools=[TOOL])
        assert "tool said: 42" in wslib.text_of(second)
        assert not [e for e in second if e["type"] == "error"]
    served = sim.turns()[-1]
    assert served.account != used and served.status == 200
    kinds = [i["type"] for i in body_of(served)["input"]]
    assert kinds == ["message", "function_call", "function_call_output"]  # the blob stayed behind


@either
def test_a_session_keeps_its_slot(relay, sim):
    for _ in range(2):
        with codex(relay) as ws:
            ask(ws)
            ask(ws)
    assert len({t.account for t in sim.turns()}) == 1


@either
def test_all_slots_exhausted_is_an_error_frame(fresh):
    sim, relay = fresh
    for number in (1, 2, 3):
        sim.set_account(number, primary={"used_percent": 100, "reset_in_seconds": 600})
    with codex(relay) as ws:
        error = ask(ws)[-1]
        assert (error["type"], error["status"]) == ("error", 429)
        assert error["error"]["type"] == "usage_limit_reached"
        assert error["error"]["resets_in_seconds"] > 0
        assert int(error["headers"]["retry-after"]) > 0
        ask(ws, "one", generate=False)  # the socket goes on


@either
def test_a_cut_before_output_is_tried_again(relay, sim):
    sim.script("*", {"cut_after_events": 2})
    with codex(relay) as ws:
        assert wslib.text_of(ask(ws, "hello")) == "hello"
    assert len(sim.turns()) == 2


@either
def test_a_cut_in_the_middle_fails_the_turn_not_the_socket(relay, sim):
    sim.script("*", {"cut_after_events": 8})
    with codex(relay) as ws:
        events = ask(ws, "count to 20")
        assert events[-1]["type"] == "response.failed"
        assert wslib.text_of(ask(ws, "hello")) == "hello"


@either
def test_a_failed_turn_can_be_tried_again(relay, sim):
    with codex(relay) as ws:
        first = ask(ws, "one")
        sim.script("*", {"status": 400, "body": {"error": {"code": "x", "message": "no"}}})
        ws.create(**native_body(input=[user("two")], previous_response_id=wslib.id_of(first)))
        assert ws.read_turn()[-1]["error"]["message"] == "no"
        assert wslib.text_of(go_on(ws, first, [user("two")])) == "two"


@either
def test_a_slow_reader_slows_upstream_down(relay, sim):
    with codex(relay) as ws:
        ws.create(**native_body("big 100m"))
        ws.read_json()
        sent, same = 0, 0
        while same < 20:  # until the simulator gets nothing more away
            now = sim.turns()[0].sent_bytes
            sent, same = now, same + 1 if now == sent else 0
        assert 0 < sent < 20 << 20
        assert sim.turns()[0].active
        ws.drop()
    sim.wait("active==0,gone==1")


def test_what_the_relay_says_about_itself(relay, sim):
    with codex(relay) as ws:
        relay.wait_for("socket.open", lambda line: line["native"] and line["path"] == PATH)
        ask(ws, "a turn like any other")
        relay.wait_for("request.finish", lambda line: line["status"] == 200)
        mark = relay.mark()
        ws.close(1000, "done")
    closed = relay.wait_for("socket.close", since=mark)
    assert (closed["code"], closed["reason"], closed["turns"]) == (1000, "done", 1)


# --- what is refused

@pytest.mark.parametrize("path", [PATH, CODEX])
def test_handshakes_need_a_token(relay, path):
    with pytest.raises(wslib.Refused) as error:
        wslib.WebSocket(relay.address, path, {**NATIVE, "authorization": "Bearer no"})
    assert error.value.reply.status == 401


def test_bad_handshakes(relay):
    for headers, status in (({"Sec-WebSocket-Version": "8"}, 426),
                            ({"Sec-WebSocket-Key": "x"}, 400),
                            ({"Connection": "close"}, 400), ({"Upgrade": None}, 405)):
        with pytest.raises(wslib.Refused) as error:
            wslib.WebSocket(relay.address, PATH, {**AUTH, **headers})
        assert error.value.reply.status == status
        assert error.value.reply.json["error"]["message"]


@pytest.mark.parametrize("previous", ["resp_none", "other"])
def test_unknown_answers_are_not_found(relay, sim, previous):
    with codex(relay) as ws, codex(relay) as other:
        if previous == "other":
            previous = wslib.id_of(ask(other))
        ws.create(**native_body(input=[user("x")], previous_response_id=previous))
        error = ws.read_json()
        assert (error["type"], error["status"]) == ("error", 400)
        assert error["error"]["code"] == "previous_response_not_found"
        assert error["error"]["param"] == "previous_response_id"
        assert wslib.text_of(ask(ws, "all of it")) == "all of it"


@pytest.mark.parametrize("text, code", [
    ("{", "invalid_json"), ("[]", None), ('{"type":"response.cancel"}', None), ("", "invalid_json"),
    ('{"type":"response.create","previous_response_id":1}', None),
    ('{"type":"response.create","stream_id":1}', None),
    ('{"type":"response.create","model":"gpt-5.5","input":5}', None),
    ('{"type":"response.create","input":"x"}', None)])
def test_messages_that_are_no_turn(relay, text, code):
    with sdk(relay) as ws:
        ws.send_text(text)
        error = ws.read_json()
        assert (error["type"], error["status"]) == ("error", 400)
        assert error["error"]["message"] == error["message"]
        assert error["param"] == error["error"]["param"]
        if code:
            assert error["error"]["code"] == error["code"] == code


@pytest.mark.parametrize("frames, code", [
    ([wslib.masked(wslib.BINARY, b"{}")], 1003),
    ([wslib.masked(wslib.TEXT, b"{}", mask=None)], 1002),
    ([wslib.masked(wslib.TEXT, b"{}", rsv=4)], 1002),
    ([wslib.masked(3, b"{}")], 1002),
    ([wslib.masked(wslib.CONTINUATION, b"{}")], 1002),
    ([wslib.masked(wslib.TEXT, b"\xff")], 1007),
    ([wslib.masked(wslib.CLOSE, b"\x03")], 1002),
    ([wslib.masked(wslib.TEXT, b" " * (20 << 20))], 1009),
    ([wslib.masked(wslib.TEXT, b" " * (4 << 20), fin=False)] +
     [wslib.masked(wslib.CONTINUATION, b" " * (4 << 20), fin=False)] * 4, 1009),
    ([wslib.masked(wslib.PING, b"x")] * 500, 1008),
    ([wslib.masked(wslib.TEXT, b"x", fin=False)] +
     [wslib.masked(wslib.CONTINUATION, b"", fin=False)] * 70000, 1008),
], ids=["binary", "unmasked", "reserved", "opcode", "continuation", "utf8", "close", "20MB",
        "fragments of 20MB", "pings", "fragments"])
def test_broken_sockets_get_their_close_code(relay, frames, code):
    with codex(relay) as ws:
        try:
            for frame in frames:
                ws.send_raw(frame)
        except OSError:
            pass  # it was closed while we were sending
        assert ws.wait_close().code == code
        assert ws.is_over()


def test_too_many_messages_at_once(relay, sim):
    with codex(relay) as ws:
        ws.create(**native_body("count to 100 every 1000ms"))
        ws.read_json()
        for _ in range(9):
            ws.create(**native_body("x"))
        assert ws.wait_close().code == 1008
    sim.wait("gone==1,active==0")


# --- the end

@either
@pytest.mark.parametrize("how", ["drop", "close"])
def test_a_client_that_goes_cancels_its_turn(relay, sim, how):
    with codex(relay) as ws:
        ws.create(**native_body("count to 100 every 300ms"))
        ws.read_json()
        sim.wait("active==1")
        if how == "drop":
            ws.drop()
        else:
            ws.send_frame(wslib.CLOSE, b"\x03\xe8")
        sim.wait("active==0,gone==1")


def test_idle_sockets_are_closed():
    with Sim() as sim, Relay(sim, slots=1, config={**QUIET, "websocketIdleSeconds": 1}) as relay:
        with codex(relay) as ws:
            assert wslib.text_of(ask(ws, "x")) == "x"
            assert ws.wait_close().code == 1001


def test_silent_clients_are_pinged():
    with Sim() as sim, Relay(sim, slots=1, config={
            **QUIET, "websocketPingSeconds": 1, "websocketIdleSeconds": 3}) as relay:
        with codex(relay) as ws:
            assert ws.wait_close().code == 1001  # answers pings until the idle time is over
            assert ws.pings >= 1


def test_clients_that_answer_no_pings_are_cut_off():
    with Sim() as sim, Relay(sim, slots=1, config={**QUIET, "websocketPingSeconds": 1}) as relay:
        with codex(relay) as ws:
            assert ws.read_frame() == (wslib.PING, b"", True)
            with pytest.raises(wslib.Ended) as end:
                while True:
                    assert ws.read_frame()[0] == wslib.PING
            assert end.value.closed.code is None
        line = relay.wait_for("socket.close")
        assert line["reason"] == "the peer answers no pings"


def test_a_client_that_reads_slowly_is_not_taken_for_a_dead_one():
    """It sees no ping before it has read what was sent earlier: nothing is asked of it meanwhile."""
    with Sim() as sim, Relay(sim, slots=1, config={**QUIET, "websocketPingSeconds": 1}) as relay:
        with codex(relay) as ws:
            ws.create(**native_body("big 100m"))
            ws.read_json()
            while sim.turns()[0].sent_bytes < 1 << 20:
                pass
            patience = time.monotonic() + 5
            while time.monotonic() < patience:
                assert sim.turns()[0].active
            ws.drop()
        sim.wait("active==0,gone==1")


def test_websockets_off_is_426():
    with Sim() as sim, Relay(sim, slots=1, config={**QUIET, "websockets": "off"}) as relay:
        for path in (PATH, CODEX):
            with pytest.raises(wslib.Refused) as error:
                codex(relay, path)
            assert error.value.reply.status == 426


def test_a_stopping_relay_says_good_bye():
    with Sim() as sim, Relay(sim, slots=1, config=QUIET) as relay:
        with codex(relay) as idle, codex(relay) as busy:
            ask(idle)
            busy.create(**native_body("count to 4 every 100ms"))
            busy.read_json()
            relay.signal()
            assert idle.wait_close().code == 1001
            assert wslib.text_of(busy.read_turn()) == "1 2 3 4"
            assert busy.wait_close().code == 1001


def test_a_token_that_is_taken_back_ends_with_the_next_turn():
    config = {**QUIET, "authTokenAliases": ["other-token"]}
    with Sim() as sim, Relay(sim, slots=1, config=config) as relay:
        with codex(relay, authorization="Bearer other-token") as ws:
            ask(ws)
            relay.change_config({"authTokenAliases": []})
            relay.wait_for("config.reload")
            error = ask(ws)[-1]
            assert (error["type"], error["status"]) == ("error", 401)


# --- TLS

def test_sockets_over_tls():
    with Sim() as sim, TlsRelay(sim, slots=1, config=QUIET) as relay:
        context, address = relay.context(), relay.tls_address.removeprefix("tls://")
        headers = {**AUTH, **NATIVE, "session-id": SESSION}
        with wslib.WebSocket(address, PATH, headers, context=context) as ws:
            first = ask(ws, "big 2m")
            assert len(wslib.text_of(first)) == 2 << 20
            assert wslib.text_of(go_on(ws, first, [user("count to 3")])) == "1 2 3"
            ws.send_raw(wslib.masked(wslib.TEXT, b" " * (17 << 20)))
            assert ws.wait_close().code == 1009
        with wslib.WebSocket(address, PATH, headers, context=context) as ws:
            ask(ws, "x")
            relay.signal()
            assert ws.wait_close().code == 1001
            assert ws.is_over()


# --- memory

def test_two_thousand_idle_sockets_cost_less_than_forty_megabytes():
    binary = relaylib.release_binary()
    if not binary:
        pytest.skip("no binary without sanitizers")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    try:
        with Sim() as sim, Relay(sim, slots=1, config=QUIET, binary=binary) as relay:
            before = relay.rss_kib()
            sockets = [codex(relay, **{"x-codex-turn-metadata": "x" * 900}) for _ in range(2000)]
            for ws in sockets:
                ask(ws, "hello", generate=False)
            cost = relay.rss_kib() - before
            for ws in sockets:
                ws.drop()
        assert cost < 40 * 1024, f"{cost} KiB"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
