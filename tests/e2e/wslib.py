"""A strict WebSocket client (RFC 6455) for tests, of the standard library alone.

    with WebSocket(relay.address, "/v1/responses", headers) as ws:
        ws.send_json({"type": "response.create", ...})
        events = ws.read_turn()               # events up to the one that ends the turn
        assert ws.wait_close().code == 1000   # reads on to the close frame

It checks what a server may do: no masks, no reserved bits, whole UTF-8 text, shortest lengths, the
accept key. Pings are answered while something is read. Raw frames, broken ones too, are sent with
send_frame() and send_raw(). Nothing sleeps: every read waits for bytes, and fails after a timeout.
"""
import base64
import collections
import hashlib
import json
import os
import socket
import struct

import simlib

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 1, 2, 8, 9, 10, 0
BETA = {"openai-beta": "responses_websockets=2026-02-06"}
ENDS = ("response.completed", "response.incomplete", "response.failed", "error")

# How it ended: code and reason of the close frame; code None when the connection just ended.
Closed = collections.namedtuple("Closed", "code reason")


class Refused(Exception):
    """The handshake was answered by something else than 101: `.reply` is a simlib.Reply."""

    def __init__(self, reply):
        super().__init__(f"refused: {reply.status} {reply.body[:300]}")
        self.reply = reply


class Ended(Exception):
    """The other side closed: `.closed`."""

    def __init__(self, closed):
        super().__init__(f"the socket was closed: {closed}")
        self.closed = closed


def masked(opcode, payload, fin=True, rsv=0, mask=b"\1\2\3\4"):
    """One frame as a client sends it; mask None: a broken one without."""
    head = bytes([fin << 7 | rsv << 4 | opcode])
    bit = 0 if mask is None else 0x80
    if len(payload) < 126:
        head += bytes([bit | len(payload)])
    elif len(payload) < 1 << 16:
        head += bytes([bit | 126]) + struct.pack(">H", len(payload))
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", len(payload))
    if mask is None:
        return head + payload
    pad = (mask * (len(payload) // 4 + 1))[:len(payload)]
    number = int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")
    return head + mask + number.to_bytes(len(payload), "big")


def handshake(path, headers, key=b"dGhlIHNhbXBsZSBub25jZQ=="):
    """The bytes of the request."""
    merged = {"Host": "relay", "Connection": "Upgrade", "Upgrade": "websocket",
              "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key.decode(), **headers}
    lines = [f"GET {path} HTTP/1.1"] + [f"{k}: {v}" for k, v in merged.items() if v is not None]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


class WebSocket:
    """An open socket. headers: of the handshake; one given as None is left out. context: of TLS."""

    def __init__(self, address, path, headers=None, timeout=simlib.DEFAULT_TIMEOUT, first=b"",
                 context=None):
        host, port = address.rsplit(":", 1)
        self.pings = 0
        self.closed = None
        self.sent_close = False
        self.unread = bytearray()
        self.socket = socket.create_connection((host, int(port)), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        try:
            self._shake_hands(path, headers or {}, first)
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.socket.close()

    def drop(self):
        """Ends the connection without a close frame, as the Codex CLI does at its exit."""
        self.socket.close()

    # The handshake.

    def _shake_hands(self, path, headers, first):
        key = base64.b64encode(os.urandom(16))
        self.socket.sendall(handshake(path, headers, key) + first)
        head = self._read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        if not head[0]:
            raise Ended(Closed(None, "no answer"))
        fields = [line.split(":", 1) for line in head[1:] if line]
        self.headers = {name.lower(): value.strip() for name, value in fields}
        status = int(head[0].split()[1])
        if status != 101:
            size = int(self.headers.get("content-length", 0))
            raise Refused(simlib.Reply(status, self.headers, self._read_up_to(size)))
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
        assert self.headers["sec-websocket-accept"] == accept, self.headers
        assert self.headers["upgrade"].lower() == "websocket", self.headers
        assert self.headers["connection"].lower() == "upgrade", self.headers
        assert "sec-websocket-extensions" not in self.headers, self.headers
        assert "sec-websocket-protocol" not in self.headers, self.headers

    def _more(self):
        try:
            piece = self.socket.recv(65536)
        except ConnectionResetError:
            return False
        self.unread += piece
        return bool(piece)

    def _take(self, count):
        taken = bytes(self.unread[:count])
        del self.unread[:count]
        return taken

    def _read_until(self, mark):
        while mark not in self.unread:
            if not self._more():
                return b""
        return self._take(self.unread.index(mark) + len(mark))

    def _read_up_to(self, count):
        while len(self.unread) < count and self._more():
            pass
        return self._take(count)

    def _read(self, count):
        data = self._read_up_to(count)
        if len(data) < count:
            self.closed = self.closed or Closed(None, "the connection ended")
            raise Ended(self.closed)
        return data

    # Sending.

    def send_raw(self, data):
        self.socket.sendall(data)
        return self

    def send_frame(self, opcode, payload=b"", **options):
        return self.send_raw(masked(opcode, payload, **options))

    def send_text(self, text):
        return self.send_frame(TEXT, text.encode() if isinstance(text, str) else text)

    def send_json(self, value):
        return self.send_text(json.dumps(value))

    def create(self, /, **members):
        """A turn."""
        return self.send_json({"type": "response.create", **members})

    def close(self, code=1000, reason=""):
        """The closing handshake: what the other side answered."""
        self.send_frame(CLOSE, struct.pack(">H", code) + reason.encode())
        self.sent_close = True
        return self.wait_close()

    # Reading.

    def read_frame(self):
        """(opcode, payload, fin) of the next frame; checks all that one frame shows."""
        first, second = self._read(2)
        assert not first & 0x70, "a reserved bit"
        assert not second & 0x80, "a masked frame of a server"
        size, opcode = second & 0x7f, first & 0xf
        if opcode >= 8:
            assert first & 0x80 and size < 126, "a control frame that is long or a fragment"
        if size == 126:
            size, = struct.unpack(">H", self._read(2))
            assert size > 125, "a length that is not the shortest"
        elif size == 127:
            size, = struct.unpack(">Q", self._read(8))
            assert size > 0xffff, "a length that is not the shortest"
        return opcode, self._read(size), bool(first & 0x80)

    def _on_close(self, payload):
        code = struct.unpack(">H", payload[:2])[0] if payload else 1005
        self.closed = Closed(code, payload[2:].decode())
        if not self.sent_close:
            try:
                self.send_frame(CLOSE, payload[:2])
            except OSError:
                pass  # it sent its FIN already and may be gone
            self.sent_close = True
        raise Ended(self.closed)

    def read_text(self):
        """The next message; answers pings. Ended when there is none."""
        parts = []
        while True:
            opcode, payload, fin = self.read_frame()
            if opcode == CLOSE:
                self._on_close(payload)
            elif opcode == PING:
                self.pings += 1
                self.send_frame(PONG, payload)
            elif opcode != PONG:
                assert opcode == (CONTINUATION if parts else TEXT), f"opcode {opcode}"
                parts.append(payload)
                if fin:
                    return b"".join(parts).decode()

    def read_json(self):
        return json.loads(self.read_text())

    def read_turn(self, *ends):
        """Events up to the first one of these types; by default the one that ends a turn."""
        events = []
        while not events or events[-1]["type"] not in (ends or ENDS):
            events.append(self.read_json())
        return events

    def wait_close(self):
        """Reads to the end: how it ended."""
        try:
            while True:
                self.read_text()
        except Ended as end:
            return end.closed

    def is_over(self):
        """Behind a close frame: waits for the end of the connection itself."""
        while self._more():
            self.unread.clear()
        return True


def text_of(events):
    return "".join(e["delta"] for e in events if e["type"] == "response.output_text.delta")


def items_of(events):
    return [e["item"] for e in events if e["type"] == "response.output_item.done"]


def id_of(events):
    """The id of the response that a turn ended with."""
    assert events[-1]["type"] == "response.completed", events[-1]
    return events[-1]["response"]["id"]
