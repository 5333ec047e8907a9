"""The HTTP server: framing, limits, codings, tokens, routes. No slot is needed for most of it."""
import gzip
import json
import zlib

import pytest

from relaylib import (TOKEN, Relay, chat_text, encode_request, in_parallel, release_binary,
                      responses_text)
from simlib import Background, Sim

KIB, MIB = 1 << 10, 1 << 20
ECHO = {"model": "relay-echo", "input": "squeezed squeezed squeezed"}


@pytest.fixture(scope="module")
def relay():
    with Sim("--accounts", "1") as sim:
        with Relay(sim, slots=1, config={"authTokenAliases": ["second-token"]}) as running:
            yield running


class Bystander:
    """Another client, whose stream runs meanwhile and must not notice anything."""

    def __init__(self, relay):
        self.relay = relay
        self.stream = None

    def __enter__(self):
        self.stream = self.relay.stream("count to 40 every 25ms")
        assert self.stream.wait_head() == 200
        return self

    def __exit__(self, kind, *exc):
        events = self.stream.read_to("response.completed")
        self.stream.close()
        if kind is None:
            text = "".join(e.get("delta", "") for e in events)
            assert text == " ".join(str(n) for n in range(1, 41))
            assert self.relay.responses("say exactly: still here").status == 200


def exchange(relay, data):
    """Sends bytes on a connection of their own: the first answer, and whether the end followed."""
    with relay.wire() as wire:
        wire.send(data)
        reply = wire.read_reply()
        relay.saw(reply)
        return reply


def assert_refused(relay, reply, status):
    assert reply.status == status
    error = reply.json["error"]
    assert error["type"] == "invalid_request_error" and error["message"]
    assert reply.headers["x-relay-version"] and reply.headers["x-relay-request-id"]
    assert reply.headers["content-type"] == "application/json"


# --- Malformed requests and limits

GET = "GET /healthz HTTP/1.1\r\nHost: x\r\n"
POST = f"POST /v1/responses HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"

MALFORMED = {
    "no request": ("hello, is anybody there?\r\n\r\n", 400),
    "no version": ("GET /healthz\r\n\r\n", 400),
    "binary": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "no host": ("GET /healthz HTTP/1.1\r\n\r\n", 400),
    "two hosts": (GET + "Host: y\r\n\r\n", 400),
    "space before colon": (GET + "A : b\r\n\r\n", 400),
    "header without colon": (GET + "nonsense\r\n\r\n", 400),
    "folded header": (GET + "A: b\r\n c\r\n\r\n", 400),
    "bare LF": ("GET /healthz HTTP/1.1\nHost: x\n\n", 400),
    "NUL in a header": (GET + "A: b\0c\r\n\r\n", 400),
    "two lengths": (POST + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
    "negative length": (POST + "Content-Length: -2\r\n\r\n{}", 400),
    "length and chunked": (
        POST + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "bad chunk size": (POST + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
    "bad chunk end": (POST + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}X\r\n0\r\n\r\n", 400),
    "other transfer coding": (POST + "Transfer-Encoding: gzip\r\n\r\n", 501),
    "unknown expectation": (POST + "Expect: miracles\r\nContent-Length: 2\r\n\r\n{}", 417),
    "HTTP/2 preface": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "CONNECT": ("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 501),
    "long target": (f"GET /{'a' * 9000} HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "target without end": ("GET /" + "a" * 200000, 414),
    "one large header": (GET + f"A: {'b' * 70000}\r\n\r\n", 431),
    "header without end": (GET + "A: " + "b" * 200000, 431),
    "many headers": (GET + "".join(f"A{n}: b\r\n" for n in range(129)) + "\r\n", 431),
    "large headers": (GET + "".join(f"A{n}: {'b' * 1000}\r\n" for n in range(70)) + "\r\n", 431),
    "unknown coding": (POST + "Content-Encoding: lzma\r\nContent-Length: 2\r\n\r\n{}", 415),
    "three codings": (
        POST + "Content-Encoding: gzip, gzip, gzip\r\nContent-Length: 2\r\n\r\n{}", 415),
    "no gzip": (POST + "Content-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip", 400),
    "large length": (POST + f"Content-Length: {70 * MIB}\r\n\r\n", 413),
    "absurd length": (POST + "Content-Length: 99999999999999999999999\r\n\r\n", 413),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_request_gets_its_status_and_the_connection_ends(relay, name):
    data, status = MALFORMED[name]
    with relay.wire() as wire:
        wire.send(data)
        reply = wire.read_reply()
        assert_refused(relay, reply, status)
        assert reply.headers["connection"] == "close"
        assert wire.is_closed()
    assert relay.wait_for("request.refused", lambda l: l["status"] == status)


def test_just_within_the_limits_is_served(relay):
    target = "/healthz?" + "a" * 8000
    assert relay.get(target).status == 200
    headers = {f"A{n}": "b" * 450 for n in range(120)}
    assert relay.get("/healthz", headers).status == 200


def test_storm_of_malformed_requests_disturbs_nobody(relay):
    with Bystander(relay):
        names = [name for name in MALFORMED for _ in range(3)]
        replies = in_parallel([lambda n=n: exchange(relay, MALFORMED[n][0]) for n in names])
        assert [r.status for r in replies] == [MALFORMED[n][1] for n in names]


BAD_JSON = {
    "empty": b"",
    "white space": b" \r\n\t ",
    "cut": b'{"model":"relay-echo","input":"x"',
    "trailing comma": b'{"model":"relay-echo","input":"x",}',
    "two values": b'{"model":"relay-echo","input":"x"}{}',
    "single quotes": b"{'model':'relay-echo'}",
    "bad escape": b'{"model":"relay-echo","input":"\\x"}',
    "control character": b'{"model":"relay-echo","input":"a\nb"}',
    "bad UTF-8": b'{"model":"relay-echo","input":"\xff\xfe"}',
    "lone surrogate bytes": b'{"model":"relay-echo","input":"\xed\xa0\x80"}',
    "NaN": b'{"model":"relay-echo","input":"x","top_p":NaN}',
    "BOM": b'\xef\xbb\xbf{"model":"relay-echo","input":"x"}',
    "no object": b'["relay-echo"]',
    "brackets": b'{"model":"relay-echo","input":' + b"[" * 100000,
    "closed brackets": b'{"model":"relay-echo","input":' + b"[" * 100000 + b"]" * 100000 + b"}",
    "braces": b'{"a":' * 100000 + b"1" + b"}" * 100000,
}


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/chat/completions"])
def test_malformed_json_is_400(relay, path):
    for name, body in BAD_JSON.items():
        reply = relay.post(path, body)
        assert_refused(relay, reply, 400)
        assert reply.json["error"]["code"] == "invalid_json", name
        assert relay.finish_of(reply)["status"] == 400


def test_connection_survives_malformed_json(relay):
    with relay.wire() as wire:
        wire.send_request("POST", "/v1/responses", b"{")
        assert wire.read_reply().status == 400
        wire.send_request("POST", "/v1/responses", ECHO)
        assert responses_text(wire.read_reply()) == ECHO["input"]


WRONG_MEMBERS = [
    ("/v1/responses", {"input": "x"}, "model"),
    ("/v1/responses", {"model": "", "input": "x"}, "model"),
    ("/v1/responses", {"model": 5, "input": "x"}, "model"),
    ("/v1/responses", {"model": "gpt-5.5"}, "input"),
    ("/v1/responses", {"model": "gpt-5.5", "input": 5}, "input"),
    ("/v1/responses", {"model": "gpt-5.5", "input": "x", "stream": "yes"}, "stream"),
    ("/v1/chat/completions", {"model": "gpt-5.5"}, "messages"),
    ("/v1/chat/completions", {"model": "gpt-5.5", "messages": "x"}, "messages"),
    ("/v1/chat/completions", {"model": "gpt-5.5", "messages": []}, "messages"),
]


@pytest.mark.parametrize("path, body, param", WRONG_MEMBERS)
def test_wrong_member_is_named(relay, path, body, param):
    reply = relay.post(path, body)
    assert_refused(relay, reply, 400)
    assert reply.json["error"]["param"] == param


# --- Large bodies

def chunked(pieces):
    for piece in pieces:
        yield b"%x\r\n" % len(piece) + piece + b"\r\n"
    yield b"0\r\n\r\n"


def send_all(relay, head, pieces):
    """Sends on while the relay takes it; the answer."""
    with relay.wire() as wire:
        try:
            wire.send(head)
            for piece in pieces:
                wire.send(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return wire.read_reply()


def large_pieces(total):
    yield b'{"model":"relay-echo","input":"'
    for _ in range(total // MIB):
        yield b"a" * MIB
    yield b'"}'


def test_70_mb_body_is_413_and_disturbs_nobody(relay):
    with Bystander(relay):
        sized = send_all(relay, POST + f"Content-Length: {70 * MIB}\r\n\r\n", [b"a" * MIB] * 70)
        assert_refused(relay, sized, 413)
        assert sized.json["error"]["code"] == "payload_too_large"
        unsized = send_all(
            relay, POST + "Transfer-Encoding: chunked\r\n\r\n", chunked(large_pieces(70 * MIB)))
        assert_refused(relay, unsized, 413)


def test_body_below_the_limit_is_served(relay):
    reply = send_all(
        relay, POST + "Transfer-Encoding: chunked\r\n\r\n", chunked(large_pieces(24 * MIB)))
    assert reply.status == 200
    assert len(responses_text(reply)) == 24 * MIB


def test_configured_limit_counts(start_relay):
    relay = start_relay(slots=0, config={"maxBodyBytes": 2048})
    body = {"model": "relay-echo", "input": "a" * 3000}
    assert relay.post("/v1/responses", body).status == 413
    packed = gzip.compress(json.dumps(body).encode())
    assert relay.post("/v1/responses", packed, {"Content-Encoding": "gzip"}).status == 413
    assert relay.post("/v1/responses", {"model": "relay-echo", "input": "a"}).status == 200


def deflate(data, wbits):
    packer = zlib.compressobj(wbits=wbits)
    return packer.compress(data) + packer.flush()


# json.dumps(ECHO) without spaces, by zlib's brotli and by zstd -19.
BROTLI = bytes.fromhex(
    "1b3a00a88cd462cd19ee04b5b954e5ba35087eb3a82c6c4b1d963ed88013f0c2c806c7b3c490f98105a38aeb8323"
    "ec0eb68ff494160c")
ZSTD = bytes.fromhex(
    "28b52ffd243b8d0100a4027b226d6f64656c223a2272656c61792d6563686f222c22696e707574223a2273717565"
    "657a656420227d0100e05cca748b6c99")
PLAIN = json.dumps(ECHO).encode()
CODINGS = {
    "identity": PLAIN,
    "gzip": gzip.compress(PLAIN),
    "x-gzip": gzip.compress(PLAIN),
    "GZIP": gzip.compress(PLAIN),
    "deflate": deflate(PLAIN, 15),
    "br": BROTLI,
    "zstd": ZSTD,
    "deflate, gzip": gzip.compress(deflate(PLAIN, 15)),
}


@pytest.mark.parametrize("coding", list(CODINGS))
def test_compressed_body(relay, coding):
    reply = relay.post("/v1/responses", CODINGS[coding], {"Content-Encoding": coding})
    assert (reply.status, responses_text(reply)) == (200, ECHO["input"])


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_compressed_body_cut_or_byte_by_byte(relay, coding):
    body = CODINGS[coding]
    cut = relay.post("/v1/responses", body[:-3], {"Content-Encoding": coding})
    assert_refused(relay, cut, 400)
    pieces = [bytes([b]) for b in body]
    head = POST + f"Content-Encoding: {coding}\r\nTransfer-Encoding: chunked\r\n\r\n"
    reply = send_all(relay, head, chunked(pieces))
    assert (reply.status, responses_text(reply)) == (200, ECHO["input"])


def zstd_zeros(total):
    """A frame of run-length blocks of 128 KiB."""
    blocks = total // (128 * KIB)
    sizes = [(128 * KIB << 3 | 1 << 1 | (n == blocks - 1)) for n in range(blocks)]
    return b"\x28\xb5\x2f\xfd\x00\x38" + b"".join(s.to_bytes(3, "little") + b"\0" for s in sizes)


BOMBS = {
    "gzip": lambda: gzip.compress(bytes(200 * MIB), 1),
    "gzip, gzip": lambda: gzip.compress(gzip.compress(bytes(200 * MIB), 1), 9),
    "deflate": lambda: zlib.compress(bytes(200 * MIB), 1),
    "zstd": lambda: zstd_zeros(200 * MIB),
    "br": lambda: bytes.fromhex(
        "cfffff7f002400e2b14072effff9ffff0f8004401c1680eefd3fffffff01900088c302d0bdffe7ffff3f0012"
        "00715800baf7fffcffff074002200e0b40f7fe9fffffff004800c46101e8deffe7ffff0f000980382c00ddfb"
        "1f"),
}


def test_decompression_bomb_is_413_and_disturbs_nobody(relay):
    with Bystander(relay):
        for coding, make in BOMBS.items():
            reply = relay.post("/v1/responses", make(), {"Content-Encoding": coding})
            assert reply.status == 413, coding
            assert reply.json["error"]["code"] == "payload_too_large"


@pytest.mark.skipif(not release_binary(), reason="no binary without sanitizers was built")
def test_memory_returns_to_its_base(start_relay):
    relay = start_relay(slots=1, binary=release_binary())

    def storm():
        for coding in ("gzip", "zstd"):
            relay.post("/v1/responses", BOMBS[coding](), {"Content-Encoding": coding})
        send_all(relay, POST + "Transfer-Encoding: chunked\r\n\r\n",
                 chunked(large_pieces(70 * MIB)))
        relay.post("/v1/responses", BAD_JSON["closed brackets"])
        relay.post("/v1/responses", {"model": "relay-echo", "input": "a" * (20 * MIB)})
        in_parallel([lambda: exchange(relay, data) for data, _ in MALFORMED.values()])

    relay.responses("hello")
    base = relay.rss_kib()
    storm()
    first = relay.rss_kib()
    storm()
    storm()
    assert first < base + 24 * KIB, "no more than the allocator's reserve stays"
    assert relay.rss_kib() < first + 4 * KIB, "and it does not grow"


# --- Connections

def test_expect_continue(relay):
    body = json.dumps(ECHO).encode()
    with relay.wire() as wire:
        wire.send(POST + f"Expect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n")
        assert wire.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.send(body)
        assert responses_text(wire.read_reply()) == ECHO["input"]
        wire.send_request("GET", "/healthz")
        assert wire.read_reply().status == 200


@pytest.mark.parametrize("head, status", [
    ("POST /v1/responses HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n", 401),
    (POST + f"Content-Length: {70 * MIB}\r\n", 413),
    (POST.replace("/v1/responses", "/nowhere") + "Content-Length: 9\r\n", 404),
])
def test_expect_continue_is_refused_without_the_body(relay, head, status):
    reply = exchange(relay, head + "Expect: 100-continue\r\n\r\n")
    assert reply.status == status


def test_head(relay):
    whole = relay.get("/healthz")
    with relay.wire() as wire:
        for path, status in (("/healthz", 200), ("/readyz", 200), ("/v1/models", 200),
                             ("/nowhere", 404)):
            wire.send_request("HEAD", path)
            reply = wire.read_reply(is_head=True)
            assert reply.status == status
            assert int(reply.headers["content-length"]) > 0
        assert abs(int(reply.headers["content-length"]) - len(whole.body)) < 2000
        wire.send_request("GET", "/healthz")
        assert wire.read_reply().json["ok"] is True


def test_pipelined_requests_are_answered_in_order(relay):
    texts = [f"say exactly: number {n}" for n in range(5)]
    bodies = [{"model": "gpt-5.5", "input": t, "stream": n % 2 == 1}
              for n, t in enumerate(texts)]
    data = b"".join(encode_request("POST", "/v1/responses", body) for body in bodies)
    with relay.wire() as wire:
        wire.send(data)
        assert [responses_text(wire.read_reply()) for _ in texts] == [
            f"number {n}" for n in range(5)]


def test_request_byte_by_byte(relay):
    with relay.wire() as wire:
        for byte in encode_request("POST", "/v1/responses", ECHO):
            wire.send(bytes([byte]))
        assert responses_text(wire.read_reply()) == ECHO["input"]


def test_keep_alive_and_close(relay):
    with relay.wire() as wire:
        for _ in range(3):
            wire.send_request("GET", "/healthz")
            assert wire.read_reply().headers.get("connection") != "close"
        wire.send_request("GET", "/healthz", headers={"Connection": "close"})
        assert wire.read_reply().headers["connection"] == "close"
        assert wire.is_closed()


def test_http_1_0(relay):
    with relay.wire() as wire:
        wire.send("GET /healthz HTTP/1.0\r\n\r\n")
        assert wire.read_reply().json["ok"] is True
        assert wire.is_closed()
    with relay.wire() as wire:
        body = json.dumps({**ECHO, "stream": True})
        wire.send(f"POST /v1/responses HTTP/1.0\r\nAuthorization: Bearer {TOKEN}\r\n"
                  f"Content-Length: {len(body)}\r\n\r\n{body}")
        status, headers = wire.read_head()
        assert (status, "transfer-encoding" in headers) == (200, False)
        assert wire.read_all().rstrip().endswith(b"data: [DONE]")


def test_h2c_upgrade_is_ignored(relay):
    headers = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c",
               "HTTP2-Settings": "AAMAAABkAAQCAAAAAAIAAAAA"}
    with relay.wire() as wire:
        wire.send_request("POST", "/v1/responses", ECHO, headers)
        assert responses_text(wire.read_reply()) == ECHO["input"]
        wire.send_request("GET", "/healthz", None, headers)
        assert wire.read_reply().json["ok"] is True


def test_connections_that_say_nothing_cost_nothing(relay):
    wires = [relay.wire() for _ in range(200)]
    for wire in wires[::2]:
        wire.send("GET /hea")
    assert relay.responses("hello").status == 200
    for number, wire in enumerate(wires):
        wire.reset() if number % 3 else wire.close()
    assert relay.health()["ok"] is True


def test_connection_limit(start_relay):
    relay = start_relay(slots=0, config={"maxConnections": 4})
    wires = [relay.wire() for _ in range(4)]
    for wire in wires:
        assert wire.send_request("GET", "/healthz").read_reply().status == 200
    fifth = relay.wire().send_request("GET", "/healthz")
    wires.pop().close()
    assert fifth.read_reply().status == 200, "served as soon as another one is gone"
    for wire in wires + [fifth]:
        wire.close()


# --- Routes and tokens

PATHS = ["/v1/responses", "/v1/chat/completions", "/v1/models"]


def test_trailing_slash_and_query(relay):
    for path in ("/healthz/", "/readyz/", "/v1/models/", "/healthz?x=1", "/v1/models/?x"):
        assert relay.get(path).status == 200, path
    assert relay.post("/v1/responses/", ECHO).status == 200
    assert relay.post("/v1/responses?beta=1", ECHO).status == 200


@pytest.mark.parametrize("path", ["/", "/v1", "/v2/responses", "/v1/responsesx", "/healthz/x", "*"])
def test_unknown_path(relay, path):
    reply = exchange(relay, encode_request("GET", path))
    assert_refused(relay, reply, 404 if path != "*" else reply.status)
    if path != "*":
        assert reply.json["error"]["code"] == "not_found"
    else:
        assert reply.status in (400, 404)


@pytest.mark.parametrize("method, path, allow", [
    ("GET", "/v1/responses", {"POST"}),
    ("PUT", "/v1/chat/completions", {"POST"}),
    ("DELETE", "/v1/models", {"GET", "HEAD"}),
    ("POST", "/healthz", {"GET", "HEAD"}),
    ("OPTIONS", "/readyz", {"GET", "HEAD"}),
])
def test_wrong_method(relay, method, path, allow):
    reply = relay.request(method, path)
    assert_refused(relay, reply, 405)
    assert set(reply.headers["allow"].split(", ")) == allow


@pytest.mark.parametrize("headers", [
    {"Authorization": None},
    {"Authorization": "Bearer wrong"},
    {"Authorization": "Bearer " + TOKEN + "x"},
    {"Authorization": "Bearer " + TOKEN[:-1]},
    {"Authorization": "Bearer "},
    {"Authorization": "Basic " + TOKEN},
    {"Authorization": None, "x-api-key": "wrong"},
    {"Authorization": None, "api-key": ""},
])
def test_bad_token(relay, headers):
    for method, path in (("POST", PATHS[0]), ("POST", PATHS[1]), ("GET", PATHS[2])):
        body = ECHO if method == "POST" else None
        reply = relay.request(method, path, body, headers)
        assert reply.status == 401
        assert reply.json["error"]["type"] == "authentication_error"
        assert reply.json["error"]["code"] == "invalid_api_key"
        assert reply.headers["x-relay-version"] and reply.headers["x-relay-request-id"]
    assert relay.request("GET", "/healthz", headers=headers).status == 200


@pytest.mark.parametrize("headers", [
    {"Authorization": "Bearer " + TOKEN},
    {"Authorization": "bearer   " + TOKEN},
    {"Authorization": None, "x-api-key": TOKEN},
    {"Authorization": None, "api-key": TOKEN},
    {"Authorization": "Bearer second-token"},
    {"Authorization": None, "x-api-key": "second-token"},
    {"Authorization": "Bearer relay-internal-token"},
])
def test_good_token(relay, headers):
    assert relay.post("/v1/responses", ECHO, headers).status == 200
    assert relay.get("/v1/models", headers).status == 200


def test_own_token_closes_the_default_ones(start_relay):
    relay = start_relay(slots=0, config={"authToken": "mine"})
    for token, status in (("mine", 200), (TOKEN, 401), ("relay-internal-token", 401)):
        assert relay.get("/v1/models", {"Authorization": "Bearer " + token}).status == status


def test_unauthorised_body_is_not_kept(relay):
    with relay.wire() as wire:
        wire.send("POST /v1/responses HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
        assert wire.read_reply().status == 401, "before the body"
        wire.send(b"a" * 100000)
        wire.send_request("GET", "/healthz")
        assert wire.read_reply().status == 200


# --- Pages and offline models

def test_healthz(relay):
    health = relay.health()
    assert health["ok"] is True and health["version"] and health["time"].endswith("Z")
    assert health["listen"] == relay.address
    assert (health["slots"], health["busy"]) == (1, [])
    assert health["slotsDetail"] == {"total": 1, "enabled": 1, "eligible": 1}
    assert health["selectionPolicy"] == "best-week-then-5h"
    assert health["backends"] == {
        "auth": "native", "usage": "codex-api", "runner": "codex-direct"}


def test_readyz_without_slots_is_503(start_relay):
    relay = start_relay(slots=0)
    assert relay.get("/readyz").status == 503
    assert relay.get("/healthz").status == 200
    reply = relay.responses("hello")
    assert reply.status == 429 and reply.json["error"]["type"] == "rate_limit_error"


def test_models(relay):
    models = relay.get("/v1/models").json
    assert models["object"] == "list"
    ids = [m["id"] for m in models["data"]]
    assert {"relay-selftest", "mock-pong", "relay-echo"} < set(ids) and len(ids) > 3
    for model in models["data"]:
        assert model["object"] == "model" and model["created"] > 0 and model["owned_by"]


OFFLINE = {"relay-selftest": "RELAY_SELFTEST_OK", "relay-mock": "RELAY_SELFTEST_OK",
           "mock-pong": "pong", "relay-echo": "gr\u00fc\u00df \"dich\" \\ \U0001f600"}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("model", OFFLINE)
def test_offline_models_need_no_slot(start_relay, model, stream):
    relay = start_relay(slots=0)
    text = OFFLINE["relay-echo"]
    reply = relay.responses(text, model=model, stream=stream)
    assert (reply.status, responses_text(reply)) == (200, OFFLINE[model])
    assert "x-relay-slot-id" not in reply.headers
    reply = relay.chat(text, model=model, stream=stream)
    assert (reply.status, chat_text(reply)) == (200, OFFLINE[model])


def test_echo_without_text(relay):
    assert responses_text(relay.responses([], model="relay-echo")) == "RELAY_ECHO_EMPTY"


def test_many_clients_at_once(relay):
    texts = [f"say exactly: client {n}" for n in range(60)]
    replies = in_parallel([lambda t=t: relay.responses(t) for t in texts])
    assert [responses_text(r) for r in replies] == [t[13:] for t in texts]
    ids = {r.headers["x-relay-request-id"] for r in replies}
    assert len(ids) == len(replies)


def test_answer_ids_are_those_of_the_log(relay):
    background = [Background(lambda: relay.responses("hello")) for _ in range(4)]
    for reply in [b.result() for b in background] + [relay.get("/nowhere"), relay.chat("hi")]:
        assert relay.finish_of(reply)["status"] == reply.status
