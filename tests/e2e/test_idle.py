"""What the relay takes when it has nothing to do, and what one big request takes."""
import json
import re
import shutil
import subprocess
import time

import pytest

from relaylib import NATIVE, QUIET, TIMEOUT, in_parallel, native_body, release_binary

SETTLE_SECONDS = 5
WATCHED_SECONDS = 32  # anything that is done twice a minute is seen
MEMORY_KIB = 10 * 1024  # before the first request
OWN_MEMORY_KIB = 5 * 1024  # of its own; pages of programs and libraries are shared
BODY_BYTES = 10 << 20

pytestmark = pytest.mark.skipif(not release_binary(), reason="no binary without sanitizers was built")


def traced_calls(pid, seconds):
    """The system calls of all its threads that ended within so many seconds, without those that wait."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    run = subprocess.run(["timeout", "--signal=INT", str(seconds), "strace", "-f", "-p", str(pid)],
                         capture_output=True, text=True, check=False)
    if "attached" not in run.stderr:
        pytest.skip(f"strace may not trace: {run.stderr.strip()[:200]}")
    return [line for line in run.stderr.splitlines()
            if re.search(r"\) += ", line) or "resumed" in line]


@pytest.mark.alone
def test_an_idle_relay_is_not_woken(start_relay):
    """The first look at the slots' tokens comes three seconds after the start: it is waited for."""
    relay = start_relay(config=QUIET, binary=release_binary())
    relay.responses("hello")
    settling = traced_calls(relay.pid, SETTLE_SECONDS)
    assert traced_calls(relay.pid, WATCHED_SECONDS) == [], settling
    assert relay.health()["ok"] is True


def test_an_idle_relay_is_small(start_relay):
    relay = start_relay(binary=release_binary())
    assert relay.health()["ok"] is True
    assert relay.memory_kib("VmRSS") < MEMORY_KIB
    relay.responses("hello")
    assert relay.memory_kib("RssAnon") < OWN_MEMORY_KIB


def usual_body():
    """A long conversation."""
    body = native_body("count to 2", stream=True)
    body["input"].insert(0, {"type": "message", "role": "user", "content": [
        {"type": "input_text", "text": "x" * (1200 << 10)}]})
    return body


def page_faults(relay):
    with open(f"/proc/{relay.pid}/stat", encoding="ascii") as file:
        return int(file.read().rpartition(")")[2].split()[7])


@pytest.mark.alone
def test_bodies_one_after_the_other_use_the_same_memory(start_relay):
    """Memory that went back to the system in between comes again as 256 page faults a MiB. The first
    requests find out how much is needed."""
    relay = start_relay(config=QUIET, binary=release_binary())
    body = usual_body()

    def send(count):
        for _ in range(count):
            assert relay.post("/v1/responses", body).status == 200

    send(10)
    before = page_faults(relay)
    send(40)
    assert page_faults(relay) - before < 40 * 64


def test_memory_of_bodies_goes_back_when_it_is_quiet(start_relay):
    relay = start_relay(config=QUIET, binary=release_binary())
    for _ in range(3):
        relay.native("hello")
    before = relay.memory_kib("RssAnon")
    body = usual_body()
    for answer in in_parallel([lambda: relay.post("/v1/responses", body, NATIVE)] * 6):
        assert answer.status == 200
    deadline = time.monotonic() + TIMEOUT
    while relay.memory_kib("RssAnon") > before + 1024:
        assert time.monotonic() < deadline, (before, relay.memory_kib("RssAnon"))
        relay.health()


@pytest.mark.alone
def test_a_big_body_takes_less_than_two_and_a_half_times_its_size(start_relay):
    relay = start_relay(config=QUIET, binary=release_binary())
    relay.native("hello")
    before = relay.rss_kib()
    body = native_body("count to 2", stream=True)
    body["input"].insert(0, {"type": "message", "role": "user", "content": [
        {"type": "input_text", "text": '\tprintf("%s\\n", größe);\n' * (BODY_BYTES // 29)}]})
    assert len(json.dumps(body)) > BODY_BYTES
    assert relay.post("/v1/responses", body, NATIVE).status == 200
    peak = relay.memory_kib("VmHWM")
    assert peak - before < 2.5 * BODY_BYTES / 1024
