"""What the relay takes before and between requests, and what one big request takes."""
import contextlib
import http.client
import pathlib
import socket
import time
import urllib.request

SETTLE_SECONDS = 5
WATCHED_SECONDS = 10
START_SECONDS = 10


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def is_healthy(path):
    with contextlib.closing(UnixConnection(path)) as connection:
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except OSError:
            return False


def wait_healthy(path, process, started):
    """Seconds from started to the first good answer at a Unix socket."""
    while not is_healthy(path):
        if process.poll() is not None or time.monotonic() > started + START_SECONDS:
            raise RuntimeError("the relay does not come up")
        time.sleep(0.0002)
    return time.monotonic() - started


def status_of(pid, name):
    text = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(text.partition(f"\n{name}:")[2].split()[0])


def wakeups(pid):
    """How often its threads have gone to sleep so far: each wake-up ends in that."""
    return sum(int(path.read_text().partition("\nvoluntary_ctxt_switches:")[2].split()[0])
               for path in pathlib.Path(f"/proc/{pid}/task").glob("*/status"))


def idle_cost(pid):
    time.sleep(SETTLE_SECONDS)
    before = wakeups(pid)
    time.sleep(WATCHED_SECONDS)
    return {"seconds": WATCHED_SECONDS, "wakeups": wakeups(pid) - before,
            "rss_kb": status_of(pid, "VmRSS"), "anon_kb": status_of(pid, "RssAnon")}


def body_peak(server, scenario):
    """The most memory that one big request takes a relay which had none before, by its size."""
    path, headers, file, _ = server.targets[scenario]
    body = file.read_bytes()
    base_kb = status_of(server.process.pid, "VmRSS")
    request = urllib.request.Request(f"http://{server.address}{path}", body, headers)
    with urllib.request.urlopen(request) as answer:
        answer.read()
    peak_kb = status_of(server.process.pid, "VmHWM")
    return {"body_kb": len(body) / 1024, "base_kb": base_kb, "peak_kb": peak_kb,
            "times": (peak_kb - base_kb) * 1024 / len(body)}
