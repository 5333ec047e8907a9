"""Clients of the relay's TLS listeners and Unix sockets."""
import http.client
import socket
import ssl

import simlib
from relaylib import TIMEOUT, TOKEN, Relay, Stream, Wire

LISTEN = ["127.0.0.1:0", "tls://127.0.0.1:0", "unix:run/relay.sock"]


def trusting(path, **members):
    """A client's context that trusts one authority, with further attributes set."""
    context = ssl.create_default_context(cafile=path)
    for name, value in members.items():
        setattr(context, name, value)
    return context


class TlsMixin:
    """A Wire inside TLS; strict about ends: one without close_notify raises ssl.SSLEOFError."""

    def wrap(self, context, name="localhost"):
        self.socket = context.wrap_socket(
            self.socket, server_hostname=name, suppress_ragged_eofs=False)

    def say_end(self):
        """Sends close_notify and waits for the other side's."""
        self.socket = self.socket.unwrap()


class TlsWire(TlsMixin, Wire):
    def __init__(self, address, context, name="localhost", **options):
        super().__init__(address.removeprefix("tls://"), **options)
        self.wrap(context, name)


class TlsStream(TlsMixin, Stream):
    def __init__(self, address, context, path, body, **options):
        self._context = context  # until the handshake
        super().__init__(address.removeprefix("tls://"), path, body, **options)

    def send_request(self, *args, **options):
        if self._context:
            self.wrap(self._context)
            self._context = None
        return super().send_request(*args, **options)


class UnixWire(Wire):
    def __init__(self, path):  # pylint: disable=super-init-not-called
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(TIMEOUT)
        self.socket.connect(path)
        self.unread = bytearray()


class TlsRelay(Relay):
    """A relay with a certificate of its own, which listens at all kinds of addresses."""

    def __init__(self, sim, listen=None, config=None, selfsign=(), start=True, **options):
        super().__init__(sim, start=False, config=config, **options)
        try:
            self.made = self.cli("tls-selfsign", *selfsign)
            self.change_config({"listen": LISTEN if listen is None else listen})
            if start:
                self.start()
        except BaseException:
            self.kill()
            self.remove()
            raise

    def listener(self, scheme):
        """The address of the first listener that begins so."""
        found = [a for a in self.log("server.start")[-1]["listeners"] if a.startswith(scheme)]
        return found[0]

    @property
    def tls_address(self):
        return self.listener("tls://")

    @property
    def socket_path(self):
        return self.listener("unix:").removeprefix("unix:")

    def context(self, **members):
        return trusting(self.made["ca"], **members)

    def tls_wire(self, context=None, **options):
        return TlsWire(self.tls_address, context or self.context(), **options)

    def tls_request(self, method, path, body=None, name="localhost", context=None):
        """A request on a connection of its own: a simlib.Reply."""
        with self.tls_wire(context, name=name) as wire:
            wire.send_request(method, path, body)
            reply = wire.read_reply()
        self.saw(reply)
        return reply

    def tls_stream(self, body, path="/v1/responses", **options):
        return TlsStream(self.tls_address, self.context(), path, body, **options)


def https_get(address, context, path, headers=None):
    """By Python's own client: a simlib.Reply."""
    host, port = address.removeprefix("tls://").rsplit(":", 1)
    connection = http.client.HTTPSConnection(host, int(port), timeout=TIMEOUT, context=context)
    try:
        connection.request("GET", path, headers={"Authorization": "Bearer " + TOKEN, **(headers or {})})
        answer = connection.getresponse()
        reply = simlib.Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()})
        reply.body = answer.read()
        return reply
    finally:
        connection.close()
