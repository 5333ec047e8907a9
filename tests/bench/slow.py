"""Many clients at once, each of which gets or reads little at a time: what wrk cannot do."""
import json
import resource
import selectors
import socket
import threading
import time

OPENED_AT_ONCE = 100
EVENT = b"event: response.output_text.delta\n"
COMPLETED = b"event: response.completed\n"
SETTLE_SECONDS = 90
END = b"\r\n0\r\n\r\n"


def allow_files(count):
    """Raises the limit of open files as far as it goes, and returns it; children inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))
            return count
        except (ValueError, OSError):
            pass
    limit = max(soft, min(hard, count))
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return limit


def request_bytes(path, headers, body):
    payload = json.dumps(body).encode()
    head = {"Host": "bench", "Content-Type": "application/json", **headers,
            "Content-Length": len(payload)}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + payload


class Stream:
    """A client of one stream of events."""

    def __init__(self, address, request, receive_buffer=None):
        host, port = address.rsplit(":", 1)
        self.sock = socket.socket()
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.connect((host, int(port)))
        self.sock.sendall(request)
        self.sock.setblocking(False)
        self.tail = b""
        self.times = []
        self.done = False
        self.failed = False

    def read(self, now):
        """False when the stream is over."""
        data = self.sock.recv(1 << 16)
        text = self.tail + data
        self.times += [now] * (text.count(EVENT) - self.tail.count(EVENT))
        self.done = self.done or COMPLETED in text
        self.tail = text[-100:]
        if data and not self.tail.endswith(END):
            return True
        self.failed = not (self.done and self.tail.endswith(END))
        self.sock.close()
        return False


def open_streams(address, request, count, poll, on_turn):
    """Opens them bit by bit and reads what comes meanwhile."""
    streams = []
    while len(streams) < count:
        for _ in range(min(OPENED_AT_ONCE, count - len(streams))):
            stream = Stream(address, request)
            streams.append(stream)
            poll.register(stream.sock, selectors.EVENT_READ, stream)
        read_some(poll, 0)
        on_turn()
    return streams


def read_some(poll, seconds):
    ready = poll.select(seconds)
    now = time.monotonic()
    for key, _ in ready:
        sock, stream = key.fileobj, key.data
        number = sock.fileno()
        if not stream.read(now):
            poll.unregister(number)


def late_ms(streams, pace_s):
    """By how much events came later than the pace says, behind the one before; sorted."""
    late = []
    for stream in streams:
        late += [(b - a - pace_s) * 1000 for a, b in zip(stream.times, stream.times[1:])]
    return sorted(max(0.0, ms) for ms in late)


def slow_streams(server, request, count, pace_s):
    """Runs them to their ends: failures, lateness, memory."""
    base_kb = server.rss_kb()
    peak_kb = base_kb
    looked = time.monotonic()

    def look():
        nonlocal peak_kb, looked
        if time.monotonic() - looked > 0.5:
            looked = time.monotonic()
            peak_kb = max(peak_kb, server.rss_kb())
    with selectors.DefaultSelector() as poll:
        streams = open_streams(server.address, request, count, poll, look)
        while poll.get_map():
            read_some(poll, 1)
            look()
    late = late_ms(streams, pace_s)
    deadline = time.monotonic() + 10
    while server.rss_kb() > base_kb + 2048 and time.monotonic() < deadline:
        time.sleep(0.5)
    return {"streams": count, "failed": sum(stream.failed for stream in streams),
            "late_p50_ms": late[len(late) // 2], "late_p99_ms": late[len(late) * 99 // 100],
            "base_kb": base_kb, "kb_per_stream": (peak_kb - base_kb) / count,
            "after_kb": server.rss_kb()}


class Reader:
    """A client that takes a bite of a long answer each second."""

    BUFFER_BYTES = 4096  # of the kernel, at both ends as far as it lets us
    BITE_BYTES = 4096

    def __init__(self, address, request):
        host, port = address.rsplit(":", 1)
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.BUFFER_BYTES)
        self.sock.connect((host, int(port)))
        self.sock.sendall(request)
        self.sock.setblocking(False)
        self.bytes = 0
        self.gone = False

    def bite(self):
        try:
            data = self.sock.recv(self.BITE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.bytes += len(data)
        self.gone = self.gone or not data


class Readers(threading.Thread):
    """Many of them, from a thread of their own, until they are told to stop."""

    def __init__(self, address, request, count):
        super().__init__()
        self.address, self.request, self.count = address, request, count
        self.all = []
        self.ended = threading.Event()

    def run(self):
        while len(self.all) < self.count and not self.ended.is_set():
            self.all.append(Reader(self.address, self.request))
        while not self.ended.is_set():
            began = time.monotonic()
            for reader in self.all:
                reader.bite()
            self.ended.wait(max(0.0, began + 1 - time.monotonic()))
        for reader in self.all:
            reader.sock.close()

    def wait_full(self, server):
        """Until all have got something and what lies between them and the upstream is full."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            before_us = server.cpu_us()
            time.sleep(1)
            if (len(self.all) == self.count and all(reader.bytes for reader in self.all)
                    and server.cpu_us() - before_us < 200_000):
                return
        raise RuntimeError(f"{server.name} is busy with its slow readers after {SETTLE_SECONDS} s")

    def stop(self):
        self.ended.set()
        self.join()


def slow_readers(server, request, count, drive):
    """Another client's latency without and with them, and the memory that they take."""
    drive()
    alone = drive()
    base_kb = server.rss_kb()
    readers = Readers(server.address, request, count)
    readers.start()
    try:
        readers.wait_full(server)
        drive()
        beside = drive()
        held_kb = server.rss_kb()
    finally:
        readers.stop()
    deadline = time.monotonic() + 5
    while server.rss_kb() > base_kb + 2048 and time.monotonic() < deadline:
        time.sleep(0.2)
    return {"readers": count, "gone": sum(reader.gone for reader in readers.all),
            "alone_p99_ms": alone["p99_us"] / 1000, "beside_p99_ms": beside["p99_us"] / 1000,
            "base_kb": base_kb, "kb_per_reader": (held_kb - base_kb) / count,
            "after_kb": server.rss_kb()}
