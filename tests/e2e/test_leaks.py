"""valgrind over a whole life of the relay: start, about 1,000 mixed requests, SIGTERM."""
import re
import shutil

import pytest

from relaylib import Relay, in_parallel, native_body, release_binary, responses_body
from simlib import Sim

KINDS = "definite,indirect,possible"


def rounds(relay, sim):
    """About 50 requests of all kinds: good ones, errors of all sides, clients that leave."""
    faults = [
        {"status": 500, "body": {"error": {"code": "server_error", "message": "oops"}}},
        {"first_event_failure": {"code": "server_is_overloaded", "message": "busy"}},
        {"cut_after_events": 5}, {"cut_after_events": 2}, {"reset": True}, {"bad_json_at": 3},
        {"status": 400, "body": {"error": {"code": "context_length_exceeded", "message": "m"}}},
        {"write": "bytes", "framing": "cr"}, {"huge_event_bytes": 1 << 20},
    ]
    sim.script("*", *faults)
    asks = [relay.responses, relay.chat, relay.native]
    for fault in range(len(faults)):
        asks[fault % 3](f"fault {fault}")
    in_parallel([lambda n=n: asks[n % 3](f"think and count to {n}", **(
        {"stream": True} if n % 2 else {})) for n in range(24)])
    tools = [{"type": "function", "name": "f", "parameters": {"type": "object"}}]
    chat_tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    relay.responses("use the tool", tools=tools, stream=True)
    relay.chat("use the tool", tools=chat_tools)
    relay.responses("echo", model="relay-echo")
    relay.post("/v1/responses", b"{")
    relay.get("/nowhere")
    relay.get("/v1/models", {"Authorization": "Bearer wrong"})
    leave(relay)


def leave(relay):
    """Clients that go away at various points."""
    with relay.stream("count to 50 every 10ms") as stream:
        stream.read_to("response.output_text.delta")
    with relay.stream("big 300k", path="/v1/chat/completions", receive_buffer=4096) as stream:
        stream.wait_head()
    relay.wire().send_request("POST", "/v1/responses", responses_body("after 50ms hello")).reset()
    relay.wire().send_request("POST", "/v1/responses", native_body("hello")).close()
    relay.wire().send("POST /v1/resp").close()
    relay.wire().send("nonsense\r\n\r\n").close()


@pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not installed")
@pytest.mark.skipif(not release_binary(), reason="no binary without sanitizers was built")
def test_no_leak_and_no_error_in_a_whole_life(tmp_path):
    report = tmp_path / "valgrind.log"
    wrap = ["valgrind", f"--log-file={report}", "--leak-check=full", f"--show-leak-kinds={KINDS}",
            f"--errors-for-leak-kinds={KINDS}", "--error-exitcode=99", "--num-callers=30"]
    config = {"retry": {"maxAttempts": 3}, "cooldown": {"genericErrorSeconds": 0}}
    with Sim("--accounts", "12") as sim:
        with Relay(sim, slots=12, wrap=wrap, config=config, binary=release_binary()) as relay:
            for number in range(26):
                rounds(relay, sim)
                relay.cli("slot-disable" if number % 2 else "slot-enable", "--slot", "3")
            count = len(relay.log("request.finish"))
            relay.signal()
            status = relay.wait_end()
    text = report.read_text()
    assert count >= 1000
    assert status == 0, text
    assert re.search(r"ERROR SUMMARY: 0 errors", text), text
    if "All heap blocks were freed" not in text:
        for kind in ("definitely", "indirectly", "possibly"):
            assert re.search(rf"{kind} lost: 0 bytes", text), text
