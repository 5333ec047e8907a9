"""Clients that take their time, run beside other tests."""
import select
import time

from relaylib import TOKEN, Relay, Wire
from simlib import Background, Sim

HEADERS_SECONDS, BODY_SECONDS = 40, 60


def _wait_answer(wire, seconds):
    """Has the relay said something within so many seconds?"""
    return bool(select.select([wire.socket], [], [], seconds)[0])


class SlowClients:
    """One sends a header per second, one stops within its body, one is well-behaved meanwhile."""

    def __init__(self):
        self.sim = Sim("--accounts", "1").start()
        self.relay = Relay(self.sim, slots=1)
        self.running = {
            "headers": Background(self._send_headers),
            "body": Background(self._send_body),
            "bystander": Background(self._ask),
        }

    def result(self, name):
        return self.running[name].result(timeout=BODY_SECONDS)

    def stop(self):
        try:
            for name in self.running:
                self.result(name)
            self.relay.stop()
        finally:
            self.relay.kill()
            self.relay.remove()
            self.sim.stop()

    def _send_headers(self):
        with Wire(self.relay.address) as wire:
            wire.send("GET /healthz HTTP/1.1\r\nHost: x\r\n")
            started = time.monotonic()
            for number in range(HEADERS_SECONDS):
                if _wait_answer(wire, 1):
                    break
                wire.send(f"X-Slow-{number}: 1\r\n")
            return wire.read_reply(), time.monotonic() - started

    def _send_body(self):
        with Wire(self.relay.address) as wire:
            wire.send("POST /v1/responses HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
                      f"Authorization: Bearer {TOKEN}\r\n\r\n" + '{"model":')
            started = time.monotonic()
            _wait_answer(wire, BODY_SECONDS)
            return wire.read_reply(), time.monotonic() - started

    def _ask(self):
        return [self.relay.responses("count to 5 every 200ms", stream=True) for _ in range(15)]
