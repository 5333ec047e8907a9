"""codex-sim's scripted answers: each fault, alone."""
import json
import socket

import pytest

from simlib import Sim, SimError, http_request, parse_sse


@pytest.fixture(scope="module")
def sim():
    with Sim("--accounts", "2") as running:
        yield running


@pytest.fixture(name="client")
def fixture_client(sim):
    sim.reset()
    return sim.client(1)


class Raw:
    """A turn over a plain socket, for what an HTTP library hides."""

    def __init__(self, client, text="count to 3"):
        host, port = client.sim.address.rsplit(":", 1)
        body = json.dumps(client.body(text)).encode()
        head = "POST /backend-api/codex/responses HTTP/1.1\r\nhost: x\r\n"
        head += "".join(f"{k}: {v}\r\n" for k, v in client.headers.items())
        head += f"content-length: {len(body)}\r\n\r\n"
        self.socket = socket.create_connection((host, int(port)), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(head.encode() + body)

    def read_until(self, text):
        data = b""
        while text not in data:
            piece = self.socket.recv(65536)
            assert piece, f"closed before {text}: {data[-200:]!r}"
            data += piece
        return data

    def read_to(self, text):
        """Like read_until(), for much data: keeps none of it."""
        tail = b""
        while text not in tail:
            piece = self.socket.recv(1 << 20)
            assert piece, f"closed before {text}: {tail[-200:]!r}"
            tail = tail[-len(text):] + piece

    def close(self):
        self.socket.close()


def test_status_and_body(sim, client):
    error = {"error": {"code": "server_is_overloaded", "message": "busy"}}
    sim.script("acct-1", {"status": 503, "body": error, "headers": {"retry-after": "3"}})
    reply = client.turn()
    assert (reply.status, reply.json) == (503, error)
    assert reply.headers["retry-after"] == "3"
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-codex-plan-type"] == "plus"
    assert client.turn().status == 200


def test_text_body_and_own_content_type(sim, client):
    sim.script(1, {"status": 403, "body": "<html>cloudflare</html>",
                   "headers": {"Content-Type": "text/html"}})
    reply = client.turn()
    assert (reply.status, reply.text) == (403, "<html>cloudflare</html>")
    assert reply.headers["content-type"] == "text/html"


def test_own_limit_headers_replace_the_accounts(sim, client):
    sim.script(1, {"headers": {"x-codex-primary-used-percent": "77.5"}})
    reply = client.turn()
    assert reply.headers["x-codex-primary-used-percent"] == "77.5"
    assert "x-codex-secondary-used-percent" not in reply.headers
    assert reply.output_text == "hello"


def test_scripts_are_used_in_order(sim, client):
    sim.script(1, {"status": 500}, {"status": 501, "repeat": 2}, {"status": 502, "repeat": -1})
    assert [client.turn().status for _ in range(5)] == [500, 501, 501, 502, 502]
    assert [s["status"] for s in sim.scripts(1)] == [502]
    sim.clear_scripts(1)
    assert client.turn().status == 200


def test_scripts_of_any_account(sim, client):
    sim.script("*", {"status": 500})
    sim.script(2, {"status": 501})
    assert sim.client(2).turn().status == 501
    assert client.turn().status == 500
    assert sim.client(2).turn().status == 200


def test_script_matches_body_or_path(sim, client):
    sim.script(1, {"status": 500, "match": "needle"}, {"status": 501, "match": "/wham/usage"})
    assert client.turn("hay").status == 200
    assert client.turn("hay needle").status == 500
    assert client.get("/backend-api/wham/usage").status == 501
    assert client.get("/backend-api/wham/usage").status == 200


def test_checks_come_before_scripts(sim, client):
    sim.script(1, {"status": 503})
    assert client.turn(temperature=1).status == 400
    sim.clear_scripts(1)
    sim.script(1, {"status": 503, "skip_checks": True})
    assert client.turn(temperature=1).status == 503


@pytest.mark.parametrize("script,why", [
    ({"statsu": 500}, "an unknown member"),
    ({"status": 99}, "status"),
    ({"status": "500"}, "status"),
    ({"repeat": 0}, "repeat"),
    ({"framing": "lfcr"}, "framing"),
    ({"headers": {"a b": "c"}}, "headers"),
    ({"headers": {"a": "c\r\nd"}}, "headers"),
    ({"fail_after_events": 3}, "fail_after_events without failure"),
    ({"events": []}, "events"),
    (5, "a script must be an object"),
])
def test_bad_scripts_are_refused(sim, client, script, why):
    with pytest.raises(SimError, match=why):
        sim.script(1, script)


def test_delay_before_the_head(sim, client):
    sim.script(1, {"delay_ms": 80})
    assert client.turn().output_text == "hello"
    assert sim.turns()[0].end_after_ms >= 75


def test_stall_before_the_head(sim, client):
    sim.script(1, {"stall": True})
    raw = Raw(client)
    sim.wait("active==1")
    assert sim.turns()[0].status == 0
    raw.close()
    sim.wait("gone==1,active==0")
    assert sim.turns()[0].client_gone


def test_stall_after_the_head(sim, client):
    sim.script(1, {"stall": "after_head"})
    raw = Raw(client)
    assert b" 200 " in raw.read_until(b"\r\n\r\n")
    assert sim.turns()[0].active
    raw.close()
    sim.wait("gone==1")


def test_stall_after_events(sim, client):
    sim.script(1, {"stall_after_events": 5})
    raw = Raw(client)
    sim.wait("events==5")
    assert sim.turns()[0].active
    raw.close()
    sim.wait("gone==1")
    assert sim.turns()[0].events == 5


def test_reset_before_the_head(sim, client):
    sim.script(1, {"reset": True})
    assert client.turn().reset
    assert sim.turns()[0].end == "reset"


def test_reset_is_a_reset(sim, client):
    sim.script(1, {"reset": True})
    raw = Raw(client)
    with pytest.raises(ConnectionResetError):
        raw.socket.recv(1)


def test_reset_after_events(sim, client):
    sim.script(1, {"reset_after_events": 6})
    raw = Raw(client, "count to 9")
    data = raw.read_until(b'"delta":"2 "')
    assert data.count(b"event: ") == 6
    with pytest.raises(ConnectionResetError):
        while raw.socket.recv(65536):
            pass
    sim.wait("active==0")
    assert sim.turns()[0].end == "reset"
    assert sim.turns()[0].events == 6


def test_cut_after_events(sim, client):
    sim.script(1, {"cut_after_events": 5})
    reply = client.turn("count to 9")
    assert reply.cut
    assert reply.types == ["response.created", "response.in_progress",
                           "response.output_item.added", "response.content_part.added",
                           "response.output_text.delta"]
    assert sim.turns()[0].end == "aborted"


def test_clean_cut(sim, client):
    sim.script(1, {"cut_after_events": 5, "cut_clean": True})
    reply = client.turn("count to 9")
    assert not reply.cut and len(reply.events) == 5


def test_cut_mid_event(sim, client):
    sim.script(1, {"cut_after_events": 5, "cut_mid_event": True})
    reply = client.turn("count to 9")
    assert reply.cut and len(reply.events) == 5
    assert not reply.body.endswith(b"\n\n")
    assert reply.body.rsplit(b"\n\n", 1)[1].startswith(b"event: response.output_text.delta")


def test_no_terminal(sim, client):
    sim.script(1, {"no_terminal": True})
    reply = client.turn("hi")
    assert not reply.cut
    assert reply.types[-1] == "response.output_item.done"


def test_bad_json(sim, client):
    sim.script(1, {"bad_json_at": 4})
    events = parse_sse(client.turn("count to 3").body)
    with pytest.raises(ValueError):
        json.loads(events[4][1])
    assert events[-1][0] == "response.completed"


@pytest.mark.parametrize("framing,ending", [
    ("lf", b"\n\n"), ("crlf", b"\r\n\r\n"), ("cr", b"\r\r")])
def test_framing(sim, client, framing, ending):
    sim.script(1, {"framing": framing})
    reply = client.turn("count to 3")
    assert reply.body.endswith(ending)
    assert reply.body.count(ending) == 11
    assert (b"\n" in reply.body) == (framing != "cr")
    assert (b"\r" in reply.body) == (framing != "lf")
    assert reply.output_text == "1 2 3"


def test_byte_by_byte(sim, client):
    sim.script(1, {"write": "bytes"})
    raw = Raw(client)
    data = raw.read_until(b"\r\n0\r\n\r\n")
    raw.close()
    body = data.split(b"\r\n\r\n", 1)[1]
    assert body.startswith(b"1\r\ne\r\n1\r\nv\r\n")  # chunks of one byte
    sim.script(1, {"write": "bytes"})
    assert client.turn("count to 3").output_text == "1 2 3"


FAILURE = {"code": "usage_limit_reached", "message": "no more", "resets_in_seconds": 60}


def test_failure_as_first_event(sim, client):
    sim.script(1, {"first_event_failure": FAILURE})
    reply = client.turn()
    assert reply.status == 200 and not reply.cut
    assert reply.types == ["response.created", "response.in_progress", "response.failed"]
    assert reply.terminal["error"] == FAILURE
    assert reply.terminal["status"] == "failed"


def test_failure_as_nested_error(sim, client):
    sim.script(1, {"first_event_failure": FAILURE, "failure_form": "error"})
    event = client.turn().events[-1]
    assert event == {"type": "error", "sequence_number": 2, "error": FAILURE}


def test_failure_as_flat_error(sim, client):
    sim.script(1, {"first_event_failure": FAILURE, "failure_form": "error_flat"})
    event = client.turn().events[-1]
    assert event == {"type": "error", "sequence_number": 2, **FAILURE}


def test_bare_failure(sim, client):
    sim.script(1, {"first_event_failure": FAILURE, "bare": True})
    assert client.turn().types == ["response.failed"]


def test_failure_after_output(sim, client):
    sim.script(1, {"fail_after_events": 5, "failure": {"code": "server_error", "message": "m"}})
    reply = client.turn("count to 9")
    assert len(reply.events) == 6 and reply.types[-1] == "response.failed"
    assert reply.output_text == "1 "


def test_huge_event(sim, client):
    sim.script(1, {"huge_event_bytes": 3000000})
    reply = client.turn()
    deltas = [e for e in reply.events if e["type"] == "response.output_text.delta"]
    assert len(deltas) == 1 and len(deltas[0]["delta"]) == 3000000
    assert reply.types[-1] == "response.completed"


def test_usage_values(sim, client):
    usage = {"input_tokens": 5, "output_tokens": 6, "total_tokens": 11}
    sim.script(1, {"usage": usage}, {"usage": None})
    assert client.turn().terminal["usage"] == usage
    assert client.turn().terminal["usage"] is None


def test_explicit_events(sim, client):
    done = {"type": "response.completed", "response": {"id": "resp_x"}}
    sim.script(1, {"events": [": comment\n\n", {"type": "a.b", "x": "ü"}, done]})
    reply = client.turn()
    assert reply.body.startswith(b": comment\n\nevent: a.b\ndata: {")
    assert reply.events == [{"type": "a.b", "x": "ü"}, done]


def test_pace(sim, client):
    sim.script(1, {"pace_ms": 20})
    assert client.turn("count to 3").output_text == "1 2 3"
    assert sim.turns()[0].end_after_ms >= 10 * 18


def test_private_events(sim, client):
    sim.script(1, {"private_events": True})
    reply = client.turn("hi you")
    limits = next(e for e in reply.events if e["type"] == "codex.rate_limits")
    assert limits["rate_limits"]["primary"]["window_minutes"] == 300
    assert "codex.response.metadata" in reply.types and "keepalive" in reply.types
    numbered = [e["sequence_number"] for e in reply.events if "sequence_number" in e]
    assert numbered == list(range(len(reply.events) - 3))


def test_output_in_terminal(sim, client):
    sim.script(1, {"output_in_terminal": True})
    reply = client.turn("hi")
    assert reply.terminal["output"] == reply.items
    assert client.turn("hi").terminal["output"] == []


def test_directive(sim, client):
    sim.script(1, {"directive": "count to 2"})
    assert client.turn("hello").output_text == "1 2"


def test_script_beats_full_window(sim, client):
    sim.set_account(1, primary={"used_percent": 100})
    sim.script(1, {"status": 500})
    assert [client.turn().status, client.turn().status] == [500, 429]


def test_client_gone_is_noticed_while_streaming(sim, client):
    raw = Raw(client, "count to 100000 every 5ms")
    raw.read_until(b"response.output_text.delta")
    assert not sim.turns()[0].client_gone
    raw.close()
    sim.wait("gone==1,active==0")
    entry = sim.turns()[0]
    assert entry.client_gone and entry.end == "gone" and 4 < entry.events < 10000


def test_slow_reader_is_waited_for(sim, client):
    raw = Raw(client, "big 40m")
    raw.read_until(b"response.output_text.delta")
    sim.wait("active==1")
    held = sim.turns()[0].sent_bytes
    assert held < 20 << 20  # what the sockets take, not the whole answer
    raw.read_to(b"event: response.completed")
    raw.close()
    sim.wait("active==0")


def test_any_path_can_be_scripted(sim, client):
    sim.script(1, {"path": "/codex/models", "status": 503, "body": {"detail": "later"}})
    reply = client.get("/backend-api/codex/models?client_version=0.169.0")
    assert (reply.status, reply.json) == (503, {"detail": "later"})


def test_unknown_paths(sim, client):
    assert client.get("/backend-api/nothing").json == {"detail": "Not Found"}
    reply = client.get("/backend-api/codex/responses")
    assert reply.status == 405 and reply.headers["allow"] == "POST"
    assert http_request(sim.address, "GET", "/_sim/nothing").status == 404
