"""Runs slot-login for tests: on a pseudo-terminal, as a person does, and plays the browser.

    with Terminal(relay, "slot-login", "--slot", "1") as login:
        login.url()                        # the address that was printed
        login.type(callback)               # a paste
        assert login.end() == 0
"""
import json
import os
import pathlib
import pty
import re
import select
import signal
import socket
import time
import urllib.parse

import relaylib
import simlib

TIMEOUT = 30  # seconds; only a failing test waits so long
BROWSER_VARIABLES = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME")


def environment(**extra):
    """Without a browser, unless the test brings one."""
    env = {k: v for k, v in os.environ.items()
           if k not in BROWSER_VARIABLES and not k.startswith("CODEX_")}
    return env | {"TERM": "xterm", "LC_ALL": "C.UTF-8"} | extra


def free_port():
    """A port that nobody has, on both addresses where there are both."""
    while True:
        with socket.socket() as v4:
            v4.bind(("127.0.0.1", 0))
            port = v4.getsockname()[1]
            try:
                with socket.socket(socket.AF_INET6) as v6:
                    v6.bind(("::1", port))
            except OSError as error:
                if error.errno == 98:  # in use there
                    continue
            return port


class LoginRelay(relaylib.Relay):
    """A runtime directory whose issuer is the simulator and whose callback has a port of its own."""

    def __init__(self, sim, **options):
        self.port = free_port()
        config = {"auth": {"issuer": sim.issuer, "redirectUri": self.redirect_uri}}
        super().__init__(sim, **{"slots": 0, "start": False, "config": config} | options)

    @property
    def redirect_uri(self):
        return f"http://localhost:{self.port}/auth/callback"

    def files(self):
        """Everything but locks, by name: what must not change when a login fails."""
        root = pathlib.Path(self.root)
        return {str(path.relative_to(root)): path.read_bytes() if path.is_file() else None
                for path in sorted(root.rglob("*")) if path.parent != root / "run"}

    def grant(self, number):
        """The tokens of a slot; they are looked for in all outputs at the end."""
        profile = self.read_json(f"state/slots/slot-{number}/agent/auth-profiles.json")[
            "profiles"]["openai-codex:default"]
        self.tokens += [profile[k].encode() for k in ("access", "refresh") if k in profile]
        return profile


class Terminal:
    """A command on a pseudo-terminal that is its controlling one: Ctrl-C works."""

    def __init__(self, relay, *words, env=None, stdout=None):
        self.relay = relay
        self.seen = b""
        self.status = None
        command = [relay.binary, "--runtime-root", relay.root, *words]
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                if stdout:
                    os.dup2(os.open(stdout, os.O_WRONLY | os.O_CREAT, 0o600), 1)
                os.execve(command[0], command, environment(**(env or {})))
            finally:
                os._exit(126)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)
        self.relay.outputs.append(self.seen)

    @property
    def text(self):
        return self.seen.decode().replace("\r\n", "\n")

    def _more(self, deadline):
        ready, _, _ = select.select([self.fd], [], [], max(0, deadline - time.monotonic()))
        assert ready, f"nothing more came behind:\n{self.text}"
        try:
            piece = os.read(self.fd, 65536)
        except OSError:  # all of its descriptors are closed
            piece = b""
        self.seen += piece
        return bool(piece)

    def wait(self, pattern):
        """The first match, as soon as it is there."""
        deadline = time.monotonic() + TIMEOUT
        while not (found := re.search(pattern, self.text, re.S)):
            assert self._more(deadline), f"ended without {pattern!r}:\n{self.text}"
        return found

    def url(self):
        """The address to open; the program waits for its end then."""
        self.wait(r"Ctrl-C gives up")
        return re.search(r"^  (http\S+)$", self.text, re.M).group(1)

    def type(self, text, enter=True):
        os.write(self.fd, text.encode() + (b"\r" if enter else b""))

    def end(self):
        """The exit status; negative: the signal that ended it."""
        deadline = time.monotonic() + TIMEOUT
        while self._more(deadline):
            pass
        _, status = os.waitpid(self.pid, 0)
        self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def json(self):
        return json.loads(self.text)


def sign_in(url):
    """What the browser does with the address: the callback's URL it is sent to."""
    parts = urllib.parse.urlsplit(url)
    reply = simlib.http_request(parts.netloc, "GET", f"{parts.path}?{parts.query}")
    assert reply.status == 302, reply.text
    return reply.headers["location"]


def open_page(url, method="GET"):
    """The browser's request for a callback URL."""
    parts = urllib.parse.urlsplit(url)
    address = f"127.0.0.1:{parts.port}"
    return simlib.http_request(address, method, f"{parts.path}?{parts.query}", timeout=TIMEOUT)


def query_of(url):
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
