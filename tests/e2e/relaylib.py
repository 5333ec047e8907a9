"""Runs the relay for tests, in front of codex-sim, and talks to it.

    with Sim("--accounts", "3") as sim, Relay(sim, slots=3) as relay:
        reply = relay.chat("hello")
        assert reply.status == 200
        relay.wait_for("request.finish", lambda line: line["status"] == 200)

The binary is $RELAY_BIN. The runtime directory is made by the CLI (init, slot-auth-import-file). Port 0 is
used everywhere and nothing sleeps: the log, the simulator or a socket says when something happened.
Leaving the `with` block stops the relay with SIGTERM and checks that it ended well, that stderr
held JSON log lines only (a sanitizer's report is none), and that no token is in any output.
"""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import schemalib
import simlib

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
TIMEOUT = 60  # seconds; only a failing test waits so long
TOKEN = "relay-dev-token"
SEEN_BYTES_MAX = 4 << 20  # of one answer, kept for the search for tokens

# A relay that asks upstream nothing of its own: every request and every write is the test's.
QUIET = {"usage": {"backend": "local-cache"}, "models": {"ttlSeconds": 0}}

NATIVE = {"originator": "codex_exec", "user-agent": "codex_exec/0.99.0"}
TERMINAL_TYPES = ("response.completed", "response.incomplete", "response.failed", "error")


def relay_binary():
    return os.environ.get("RELAY_BIN", "build/codex-slot-relay")


def is_sanitized(binary):
    """Memory of a binary with AddressSanitizer says nothing about the program."""
    with open(binary, "rb") as file:
        return b"__asan_init" in file.read()


def release_binary():
    """A binary without sanitizers, for tests of memory: $RELAY_RELEASE_BIN, or a build; or None."""
    candidates = [os.environ.get("RELAY_RELEASE_BIN"), relay_binary()]
    candidates += [REPOSITORY / build / "codex-slot-relay" for build in ("build-check", "build")]
    for candidate in candidates:
        if candidate and os.path.exists(candidate) and not is_sanitized(candidate):
            return str(candidate)
    return None


def merge(into, changes):
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value
    return into


# --- requests

def responses_body(text="hello", /, **members):
    return {"model": "gpt-5.5", "input": text, **members}


def chat_body(text="hello", /, **members):
    return {"model": "gpt-5.5", "messages": [{"role": "user", "content": text}], **members}


def native_body(text="hello", /, **members):
    """What the Codex CLI sends."""
    return simlib.SimClient.body(text, **members)


def in_parallel(calls):
    """Runs all calls at the same time; their results in order."""
    running = [simlib.Background(call) for call in calls]
    return [one.result(timeout=TIMEOUT) for one in running]


def chat_text(reply):
    """The text of a chat completion, streamed or not."""
    if not reply.headers.get("content-type", "").startswith("text/event-stream"):
        return reply.json["choices"][0]["message"]["content"]
    parts = [json.loads(data) for _, data in simlib.parse_sse(reply.body) if data != "[DONE]"]
    return "".join(
        choice["delta"].get("content") or "" for part in parts for choice in part.get("choices", []))


def responses_events(reply):
    """The JSON events of a streamed /v1/responses, without [DONE]."""
    return [json.loads(d) for _, d in simlib.parse_sse(reply.body) if d != "[DONE]"]


def responses_text(reply):
    """The text of a response, streamed or not."""
    if reply.headers.get("content-type", "").startswith("text/event-stream"):
        return "".join(e["delta"] for e in responses_events(reply)
                       if e["type"] == "response.output_text.delta")
    return "".join(part["text"] for item in reply.json["output"] if item["type"] == "message"
                   for part in item["content"])


class Wire:
    """A connection of raw bytes."""

    def __init__(self, address, timeout=TIMEOUT, receive_buffer=None):
        host, port = address.rsplit(":", 1)
        self.socket = socket.socket()
        self.socket.settimeout(timeout)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.unread = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Closes with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)
        return self

    def send_request(self, method, path, body=None, headers=None):
        """Sends a complete request with the relay's token."""
        self.send(encode_request(method, path, body, headers))
        return self

    def _more(self):
        """Reads on; False at the end of the connection."""
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

    def read_until(self, mark):
        """Bytes up to and with mark; all that came when the connection ends before."""
        while mark not in self.unread:
            if not self._more():
                return self._take(len(self.unread))
        return self._take(self.unread.index(mark) + len(mark))

    def read_bytes(self, count):
        while len(self.unread) < count and self._more():
            pass
        return self._take(count)

    def read_all(self):
        while self._more():
            pass
        return self._take(len(self.unread))

    def is_closed(self):
        """Waits for the other side to say something: True when that is the end."""
        return not self.unread and not self._more()

    def read_head(self):
        """Status and headers (lower case) of an answer; (None, {}) when none came."""
        head = self.read_until(b"\r\n\r\n").decode("latin-1")
        lines = head.rstrip("\r\n").split("\r\n")
        if not head:
            return None, {}
        headers = dict(line.lower().split(":", 1) for line in lines[1:])
        return int(lines[0].split()[1]), {k: v.strip() for k, v in headers.items()}

    def read_chunk(self):
        """One chunk of a chunked body: b"" at its proper end, None when it is cut."""
        size = self.read_until(b"\r\n")
        if not size.endswith(b"\r\n"):
            return None
        data = self.read_bytes(int(size, 16) + 2)
        return data[:-2] if len(data) == int(size, 16) + 2 else None

    def read_reply(self, is_head=False):
        """A whole answer as a simlib.Reply."""
        status, headers = self.read_head()
        reply = simlib.Reply(status, headers, reset=status is None)
        if status is None or is_head:
            return reply
        if headers.get("transfer-encoding") == "chunked":
            while (chunk := self.read_chunk()):
                reply.body += chunk
            reply.cut = chunk is None
        else:
            size = int(headers.get("content-length", 0))
            reply.body = self.read_bytes(size)
            reply.cut = len(reply.body) < size
        return reply


class Stream(Wire):
    """A streamed answer, read event by event."""

    def __init__(self, address, path, body, headers=None, **options):
        super().__init__(address, **options)
        self.send_request("POST", path, body, headers)
        self.status, self.headers, self.text = None, {}, ""
        self.api = schemalib.api_of(path, headers or {})

    def wait_head(self):
        self.status, self.headers = self.read_head()
        return self.status

    def next_block(self):
        """The next event or comment as text; None at the end of the body, proper or not."""
        if self.status is None:
            self.wait_head()
        assert self.status == 200, f"no stream: {self.status}"
        while "\n\n" not in self.text:
            chunk = self.read_chunk()
            if not chunk:
                return None
            self.text += chunk.decode()
        block, self.text = self.text.split("\n\n", 1)
        return block

    def next_event(self):
        """JSON of the next event; comments are skipped."""
        while (block := self.next_block()) is not None:
            for line in block.split("\n"):
                if line.startswith("data: {"):
                    event = json.loads(line[6:])
                    schemalib.check_one_event(self.api, event)
                    return event
        return None

    def read_to(self, *types):
        """Events up to the first one of these types, or to the end."""
        events = []
        while (event := self.next_event()) is not None:
            events.append(event)
            if event.get("type") in types:
                break
        return events


def encode_request(method, path, body=None, headers=None):
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    merged = {"Host": "relay", "Authorization": "Bearer " + TOKEN, **(headers or {})}
    if body is not None and "Transfer-Encoding" not in merged:
        merged.setdefault("Content-Length", str(len(body)))
    lines = [f"{method} {path} HTTP/1.1"] + [
        f"{k}: {v}" for k, v in merged.items() if v is not None]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")


# --- the program

class CliError(Exception):
    """A command of the relay failed."""


class Relay:
    """A relay with a runtime directory of its own.

    slots: how many accounts of the simulator become slots (acct-1 is slot-1). config: changes to
    relay.json, nested. wrap: a command line in front of the binary. beside: another relay, whose
    directory this one uses too. Unless start=False it serves when the constructor returns.
    """

    def __init__(self, sim, slots=3, config=None, wrap=(), binary=None, start=True, beside=None):
        self.sim = sim
        self.binary = os.path.abspath(binary or relay_binary())
        self.wrap = list(wrap)
        self.beside = beside
        self.root = beside.root if beside else tempfile.mkdtemp(prefix="relay-e2e-")
        self.tokens = list(beside.tokens) if beside else []
        self.outputs = []  # what the commands and the answers said
        self.process = None
        self.address = None
        self.lines, self.noise = [], []
        self._news = threading.Condition()
        self._ended = False
        self._reader = None
        # What a gateway of the legacy runner leaves out is left out of its answers.
        runner = (config or {}).get("runner", {}).get("backend")
        self.checks_answers = runner != "openclaw"
        try:
            if not beside:
                self._prepare(slots, config)
            if start:
                self.start()
        except BaseException:
            self.kill()
            self.remove()
            raise

    def _prepare(self, slots, config):
        """By the binary without sanitizers, if there is one: it starts several times as fast, and these
        commands have tests of their own."""
        tested, self.binary = self.binary, os.environ.get("RELAY_RELEASE_BIN") or self.binary
        try:
            self._make_runtime(slots, config)
        finally:
            self.binary = tested

    def _make_runtime(self, slots, config):
        self.cli("init")
        self.change_config({"listen": "127.0.0.1:0", "upstream": {"proxy": "none"}})
        if self.sim:
            self.change_config({"upstream": {"baseUrl": self.sim.base_url},
                                "auth": {"issuer": self.sim.issuer}})
        self.change_config(config or {})
        for number in range(1, slots + 1):
            self.add_slot(number)

    def __enter__(self):
        return self

    def __exit__(self, kind, *exc):
        try:
            if kind is None:
                self.stop()
            else:
                self.kill()
        finally:
            self.remove()

    def remove(self):
        if self.beside:
            return
        shutil.rmtree(self.root, ignore_errors=True)

    # Files and commands.

    def path(self, relative):
        return os.path.join(self.root, relative)

    def read_json(self, relative):
        with open(self.path(relative), encoding="utf-8") as file:
            return json.load(file)

    def write_json(self, relative, value):
        with open(self.path(relative), "w", encoding="utf-8") as file:
            json.dump(value, file)

    def change_config(self, changes):
        self.write_json("config/relay.json", merge(self.read_json("config/relay.json"), changes))

    def records(self):
        """The records of slots.json by id."""
        return {r["id"]: r for r in self.read_json("config/slots.json")["slots"]}

    def run(self, *args, env=None):
        """Runs a command to its end: its subprocess.CompletedProcess."""
        done = subprocess.run(
            [self.binary, "--runtime-root", self.root, "--json", *args],
            capture_output=True, text=True, timeout=TIMEOUT, check=False,
            env={**os.environ, **(env or {})})
        self.outputs += [done.stdout.encode(), done.stderr.encode()]
        return done

    def cli(self, *args, ok=True):
        """Runs a command; its JSON result (None without output)."""
        done = self.run(*args)
        if ok and done.returncode != 0:
            raise CliError(f"{args}: status {done.returncode}: {done.stderr}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def add_slot(self, number, account=None):
        path = self.sim.write_auth_profiles(account or number, self.path("import.json"))
        with open(path, encoding="utf-8") as file:
            profile = json.load(file)["profiles"]["openai-codex:default"]
        self.tokens += [profile["access"].encode(), profile["refresh"].encode()]
        self.cli("slot-auth-import-file", "--slot", str(number), "--label", f"label {number}",
                 "--auth-file", path)
        os.unlink(path)

    # Start and end.

    def start(self, env=None):
        mark = self.mark()
        self._ended = False
        self.process = subprocess.Popen(
            [*self.wrap, self.binary, "--runtime-root", self.root, "serve"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env={**os.environ, **(env or {})})
        self._reader = threading.Thread(
            target=self._read_log, args=(self.process.stderr,), daemon=True)
        self._reader.start()
        self.address = self.wait_for("server.start", since=mark)["listen"]
        return self

    def _read_log(self, pipe):
        for raw in pipe:
            self.outputs.append(raw)
            try:
                line = json.loads(raw)
                assert isinstance(line, dict)
            except (ValueError, AssertionError):
                line = None
            with self._news:
                if line is None:
                    self.noise.append(raw.decode(errors="replace"))
                else:
                    self.lines.append(line)
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    @property
    def pid(self):
        return self.process.pid

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait_end(self, timeout=TIMEOUT):
        """Exit status once it has ended by itself."""
        status = self.process.wait(timeout)
        self._reader.join(TIMEOUT)
        self.process.stderr.close()
        self.process = None
        return status

    def stop(self):
        """SIGTERM, and all that must hold behind it."""
        if self.process:
            self.signal()
            self.check_end(self.wait_end())
        self.check_secrets()

    def check_end(self, status):
        noise = "".join(self.noise)
        assert status == 0, f"the relay ended with status {status}\n{noise}"
        assert not noise, f"stderr has more than log lines:\n{noise}"

    def kill(self):
        """Ends it anyhow: after a failed test, or to see what kill -9 leaves."""
        if self.process:
            self.process.kill()
            self.wait_end()
        if self.noise:
            print("".join(self.noise))

    def profile(self, number):
        """The credential in a slot's file; its tokens must not be in any output."""
        profile = self.read_json(
            f"state/slots/slot-{number}/agent/auth-profiles.json")["profiles"]["openai-codex:default"]
        self.tokens += [profile["access"].encode(), profile["refresh"].encode()]
        return profile

    def check_secrets(self):
        for token in self.tokens:
            for output in self.outputs:
                assert token not in output, f"an output has a token: {output[:2000]!r}"

    # The log.

    def mark(self):
        """Where the log stands: for `since`."""
        with self._news:
            return len(self.lines)

    def log(self, event=None, since=0):
        with self._news:
            return [l for l in self.lines[since:] if event is None or l.get("event") == event]

    def wait_until(self, holds):
        """Until something holds, looked at again whenever the relay has read a file of config/. One
        reload alone proves nothing: it also reads what it has written itself."""
        while True:
            mark = self.mark()
            if holds():
                return
            self.wait_for("config.reload", since=mark)

    def shown(self, number):
        """A slot as the admin API of the running relay shows it."""
        return self.get(f"/admin/slots/{number}").json["slot"]

    def wait_for(self, event, predicate=lambda line: True, since=0, timeout=TIMEOUT):
        """The first log line of this event behind `since` that fits, as soon as it is there."""
        deadline = time.monotonic() + timeout
        at = since
        with self._news:
            while True:
                for line in self.lines[at:]:
                    at += 1
                    if line.get("event") == event and predicate(line):
                        return line
                assert not self._ended, f"the relay ended before {event}:\n" + "".join(self.noise)
                assert self._news.wait(deadline - time.monotonic()), f"no {event} in the log"

    def finish_of(self, reply):
        """The request.finish line of an answer."""
        return self.wait_for(
            "request.finish", lambda l: l["request_id"] == reply.headers["x-relay-request-id"])

    def lines_of(self, reply, event):
        """All lines of this event about an answer's request."""
        self.finish_of(reply)
        wanted = reply.headers["x-relay-request-id"]
        return [l for l in self.log(event) if l.get("request_id") == wanted]

    # Requests.

    def request(self, method, path, body=None, headers=None, timeout=TIMEOUT):
        merged = {"Authorization": "Bearer " + TOKEN, "Content-Type": "application/json"}
        merged.update(headers or {})
        merged = {k: v for k, v in merged.items() if v is not None}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        reply = simlib.http_request(self.address, method, path, data, merged, timeout)
        self.saw(reply)
        if method == "POST" and self.checks_answers:
            schemalib.check_reply(path, merged, reply)
        return reply

    def saw(self, reply):
        """Keeps an answer for the search for tokens."""
        if len(reply.body) <= SEEN_BYTES_MAX:
            self.outputs.append(repr(reply.headers).encode() + reply.body)

    def get(self, path, headers=None):
        return self.request("GET", path, headers=headers)

    def post(self, path, body, headers=None):
        return self.request("POST", path, body, headers)

    def responses(self, text="hello", /, headers=None, **members):
        return self.post("/v1/responses", responses_body(text, **members), headers)

    def chat(self, text="hello", /, headers=None, **members):
        return self.post("/v1/chat/completions", chat_body(text, **members), headers)

    def native(self, text="hello", /, headers=None, **members):
        return self.post("/v1/responses", native_body(text, **members), {**NATIVE, **(headers or {})})

    def stream(self, text="hello", /, headers=None, path="/v1/responses", body=None, **options):
        """A streamed request, to be read event by event."""
        if body is None:
            make = chat_body if "chat" in path else responses_body
            body = make(text, stream=True)
        stream = Stream(self.address, path, body, headers, **options)
        if not self.checks_answers:
            stream.api = None
        return stream

    def wire(self, **options):
        return Wire(self.address, **options)

    def health(self):
        return self.get("/healthz").json

    def memory_kib(self, name):
        """A line of its /proc status: VmRSS, VmHWM (the most that VmRSS was), RssAnon."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(name + ":"))

    def rss_kib(self):
        return self.memory_kib("VmRSS")
