"""Runs codex-sim for tests and talks to it.

    with Sim("--accounts", "2") as sim:
        sim.script("acct-1", {"status": 503, "body": {"error": {"code": "slow_down"}}})
        ...                                   # make the program under test send requests
        sim.wait("requests>=1")               # never sleep: the simulator says when
        assert sim.requests(account="acct-1")[0].json["model"] == "gpt-5.5"

The program under test gets `sim.base_url` as upstream and `sim.issuer` as OAuth issuer, and the
accounts as files made by `write_auth_profiles()` or `write_auth_json()`. `SimClient` sends requests as a
well-behaved Codex client would. Only the standard library is needed. docs/sim.md describes the
simulator itself.
"""
import http.client
import json
import os
import subprocess
import threading
import urllib.parse

DEFAULT_TIMEOUT = 20  # seconds; only a failing test waits so long


class SimError(Exception):
    """The simulator did not start, or refused a control call."""


class Reply:
    """An answer read to its end.

    `body` is what came; `cut` tells that the connection ended before the answer did, and `reset`
    that it was a reset without any answer (status is None then).
    """

    def __init__(self, status=None, headers=None, body=b"", cut=False, reset=False):
        self.status = status
        self.headers = headers or {}
        self.body = body
        self.cut = cut
        self.reset = reset

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def events(self):
        """The JSON data of all complete events of a stream."""
        return [json.loads(data) for _, data in parse_sse(self.body)]

    @property
    def types(self):
        return [event["type"] for event in self.events]

    @property
    def items(self):
        """The finished output items."""
        return [e["item"] for e in self.events if e["type"] == "response.output_item.done"]

    @property
    def output_text(self):
        """All text deltas put together."""
        return "".join(
            e["delta"] for e in self.events if e["type"] == "response.output_text.delta")

    @property
    def terminal(self):
        """The response object of the last event."""
        return self.events[-1]["response"]


class Logged:
    """A request in the simulator's log. Members: those of docs/sim.md, e.g. `.status`, `.account`."""

    def __init__(self, record):
        self.record = record

    def __getattr__(self, name):
        try:
            return self.record[name]
        except KeyError:
            raise AttributeError(name) from None

    def __repr__(self):
        return f"<{self.method} {self.path} {self.account} {self.status} {self.end}>"

    @property
    def json(self):
        return json.loads(self.record["body"])

    def header(self, name):
        """Value of a header, any case; None when absent. Tokens are fingerprints here."""
        for key, value in self.record["headers"]:
            if key.lower() == name.lower():
                return value
        return None


def parse_sse(data):
    """(name, data) of every complete event; lines may end in LF, CRLF or CR."""
    events = []
    name, lines = "", []
    text = data.decode().replace("\r\n", "\n").replace("\r", "\n")
    for line in text.split("\n")[:-1]:  # the last piece is no complete line
        if not line:
            if lines:
                events.append((name, "\n".join(lines)))
            name, lines = "", []
        elif line.startswith("event:"):
            name = line[6:].strip()
        elif line.startswith("data:"):
            lines.append(line[5:].lstrip(" "))
    return events


def http_request(address, method, path, body=None, headers=None, timeout=DEFAULT_TIMEOUT):
    """One request on a connection of its own, answered to the end: a Reply."""
    host, port = address.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=timeout)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        reply = Reply(response.status, {k.lower(): v for k, v in response.getheaders()})
        try:
            reply.body = response.read()
        except http.client.IncompleteRead as error:
            reply.body, reply.cut = error.partial, True
        except ConnectionResetError:
            reply.cut = True
        return reply
    except (ConnectionResetError, http.client.RemoteDisconnected):
        return Reply(reset=True)
    finally:
        connection.close()


class Sim:
    """A running codex-sim on a port of its own. The binary is $SIM_BIN."""

    def __init__(self, *args, binary=None):
        self.binary = binary or os.environ.get("SIM_BIN", "build/codex-sim")
        self.args = args
        self.process = None
        self.address = None
        self.accounts = []
        self.returncode = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        status = self.stop()
        assert status == 0, f"codex-sim ended with status {status}"

    def start(self):
        self.process = subprocess.Popen(
            [self.binary, "--listen", "127.0.0.1:0", "--quiet", *self.args],
            stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise SimError(f"{self.binary} did not start: status {self.process.wait()}")
        start = json.loads(line)
        assert start["event"] == "sim.start", start
        self.address = start["listen"]
        self.accounts = start["accounts"]
        return self

    def stop(self):
        """Ends it and returns its exit status."""
        if self.process:
            self.process.terminate()
            try:
                self.returncode = self.process.wait(timeout=DEFAULT_TIMEOUT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.returncode = self.process.wait()
            self.process.stdout.close()
            self.process = None
        return self.returncode

    @property
    def issuer(self):
        return f"http://{self.address}"

    @property
    def base_url(self):
        return f"http://{self.address}/backend-api"

    def control(self, method, path, body=None, timeout=DEFAULT_TIMEOUT):
        """A call of the control API; SimError unless it is answered 200."""
        data = None if body is None else json.dumps(body).encode()
        reply = http_request(self.address, method, "/_sim/" + path, data, timeout=timeout)
        if reply.status != 200:
            raise SimError(f"{method} {path}: {reply.status} {reply.text}")
        return reply.json

    # Accounts. `account` is an id ("acct-1") or a number from 1.

    @staticmethod
    def account_id(account):
        return f"acct-{account}" if isinstance(account, int) else account

    def account(self, account):
        return self.control("GET", f"accounts/{self.account_id(account)}")

    def set_account(self, account, **members):
        """Changes e.g. primary={"used_percent": 100}, plan="free", state="deactivated"."""
        return self.control("POST", f"accounts/{self.account_id(account)}", members)

    def add_accounts(self, count=1, **members):
        """Creates accounts; returns their records."""
        return self.control("POST", "accounts", {"count": count, **members})["accounts"]

    def auth_profiles(self, account):
        return self.control("GET", f"accounts/{self.account_id(account)}/auth-profiles.json")

    def auth_json(self, account):
        return self.control("GET", f"accounts/{self.account_id(account)}/auth.json")

    def write_auth_profiles(self, account, path):
        """Writes an importable auth-profiles.json and returns its path."""
        with open(path, "w") as file:
            json.dump(self.auth_profiles(account), file)
        return path

    def write_auth_json(self, account, path):
        """Writes an auth.json as the Codex CLI keeps it and returns its path."""
        with open(path, "w") as file:
            json.dump(self.auth_json(account), file)
        return path

    # Scripts.

    def script(self, account, *scripts):
        """Queues answers for an account ("*" for any); returns their ids."""
        account = self.account_id(account)
        return self.control("POST", f"accounts/{account}/script", {"script": list(scripts)})["ids"]

    def scripts(self, account):
        """What is still queued."""
        return self.control("GET", f"accounts/{self.account_id(account)}/script")["scripts"]

    def clear_scripts(self, account):
        self.control("DELETE", f"accounts/{self.account_id(account)}/script")

    # The request log.

    def requests(self, account=None, path=None, since=None, bodies=True):
        """Logged requests, oldest first: Logged objects."""
        query = self._query(account, path, since)
        if not bodies:
            query["bodies"] = "0"
        answer = self.control("GET", "requests?" + urllib.parse.urlencode(query))
        return [Logged(record) for record in answer["requests"]]

    def turns(self, account=None):
        """Logged turns: POST /codex/responses, and those on sockets."""
        return [r for r in self.requests(account, "/codex/responses")
                if r.method in ("POST", "WS")]

    def clear_requests(self):
        self.control("DELETE", "requests")

    def wait(self, until, account=None, path=None, since=None, timeout=DEFAULT_TIMEOUT):
        """Waits until e.g. "requests>=2,active==0" holds over the log; AssertionError if it
        does not in time. Returns the counters."""
        query = self._query(account, path, since)
        query.update(until=until, timeout_ms=int(timeout * 1000))
        reply = http_request(self.address, "GET", "/_sim/wait?" + urllib.parse.urlencode(query),
                             timeout=timeout + DEFAULT_TIMEOUT)
        assert reply.status == 200, f"waited for {until}: {reply.status} {reply.text}"
        return reply.json

    def _query(self, account, path, since):
        query = {}
        if account is not None:
            query["account"] = self.account_id(account)
        if path is not None:
            query["path"] = path
        if since is not None:
            query["since"] = since
        return query

    # The rest.

    def stats(self):
        return self.control("GET", "stats")

    def settings(self, **members):
        """Changes settings (none: shows them)."""
        return self.control("POST", "settings", members)

    def advance(self, seconds):
        """Moves the simulated clock."""
        return self.control("POST", "clock", {"advance_seconds": seconds})

    def reset(self):
        """Fresh windows, no scripts, empty log, real time. Tokens stay valid."""
        return self.control("POST", "reset", {})

    def client(self, account=1):
        return SimClient(self, account)


class SimClient:
    """Sends requests to the simulator as one account."""

    def __init__(self, sim, account=1):
        self.sim = sim
        profile = sim.auth_profiles(account)["profiles"]["openai-codex:default"]
        self.headers = {
            "authorization": "Bearer " + profile["access"],
            "chatgpt-account-id": profile["accountId"],
            "originator": "simlib",
            "accept": "text/event-stream",
            "content-type": "application/json",
        }

    @staticmethod
    def body(text="hello", /, **members):
        """A good body of a turn. A member given as ... is left out."""
        body = {
            "model": "gpt-5.5",
            "instructions": "",
            "input": [user(text)],
            "store": False,
            "stream": True,
            "include": ["reasoning.encrypted_content"],
        }
        body.update(members)
        return {k: v for k, v in body.items() if v is not ...}

    def request(self, method, path, body=None, headers=None, timeout=DEFAULT_TIMEOUT):
        """headers are added to the usual ones; one given as None is left out."""
        merged = {k: v for k, v in {**self.headers, **(headers or {})}.items() if v is not None}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        return http_request(self.sim.address, method, path, data, merged, timeout)

    def turn(self, text="hello", /, headers=None, **members):
        return self.post(self.body(text, **members), headers=headers)

    def post(self, body, headers=None, path="/backend-api/codex/responses"):
        return self.request("POST", path, body, headers)

    def get(self, path, headers=None):
        return self.request("GET", path, None, {"content-type": None, **(headers or {})})

    def background(self, text="hello", /, **members):
        """Starts a turn in a thread; .result() of what is returned waits for its Reply."""
        return Background(lambda: self.turn(text, **members))


class Background:
    """A call running in a thread."""

    def __init__(self, call):
        self._result = None
        self._error = None
        self._thread = threading.Thread(target=self._run, args=(call,), daemon=True)
        self._thread.start()

    def _run(self, call):
        try:
            self._result = call()
        except Exception as error:  # pylint: disable=broad-except
            self._error = error

    def result(self, timeout=DEFAULT_TIMEOUT):
        self._thread.join(timeout)
        assert not self._thread.is_alive(), "the request is still running"
        if self._error:
            raise self._error
        return self._result


# Input items.

def user(*parts):
    """A user message; texts become input_text parts, dicts are taken as they are."""
    content = [{"type": "input_text", "text": p} if isinstance(p, str) else p for p in parts]
    return {"type": "message", "role": "user", "content": content}


def assistant(text):
    return {"type": "message", "role": "assistant",
            "content": [{"type": "output_text", "text": text}]}


def function_tool(name, properties=None, required=None, **members):
    schema = {"type": "object", "properties": properties or {}}
    if required is not None:
        schema["required"] = required
    return {"type": "function", "name": name, "parameters": schema, **members}


def function_output(call, output):
    return {"type": "function_call_output", "call_id": call["call_id"], "output": output}


def custom_output(call, output):
    return {"type": "custom_tool_call_output", "call_id": call["call_id"], "output": output}
