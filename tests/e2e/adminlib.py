"""A listener of /admin/events, for the tests of the admin API."""
import json
import time

from relaylib import TIMEOUT


class Events:
    """A listener of /admin/events that has heard hello."""

    def __init__(self, relay, headers=None):
        self.wire = relay.wire()
        self.wire.send_request("GET", "/admin/events", headers=headers)
        self.status, self.headers = self.wire.read_head()
        self.text = ""
        self.hello = self.next()[1] if self.status == 200 else None

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.wire.close()

    def block(self):
        """The next event or comment; None at the end. Heartbeats end the wait of a silent one."""
        while "\n\n" not in self.text:
            chunk = self.wire.read_chunk()
            if not chunk:
                return None
            self.text += chunk.decode()
        block, self.text = self.text.split("\n\n", 1)
        return block

    def next(self):
        """Name and data of the next event; (None, None) at the end."""
        deadline = time.monotonic() + TIMEOUT
        while (block := self.block()) is not None:
            assert time.monotonic() < deadline, "nothing but heartbeats"
            lines = dict(l.split(": ", 1) for l in block.split("\n") if not l.startswith(":"))
            if "data" in lines:
                return lines["event"], json.loads(lines["data"])
        return None, None

    def wait(self, name, predicate=lambda data: True):
        deadline = time.monotonic() + TIMEOUT
        while True:
            found, data = self.next()
            assert time.monotonic() < deadline, f"no {name}"
            assert found, f"the stream ended before {name}"
            if found == name and predicate(data):
                return data
