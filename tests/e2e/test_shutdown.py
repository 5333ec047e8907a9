"""The end of the relay: nobody can delay it for long, and those cut off are told."""


def test_client_that_reads_nothing_cannot_delay_the_end(sim, start_relay):
    relay = start_relay(config={"drainTimeoutSeconds": 1})
    stream = relay.stream("big 100m", receive_buffer=4096)
    assert stream.wait_head() == 200
    relay.signal()
    assert relay.wait_for("server.drain")["cut_requests"] == 1
    relay.check_end(relay.wait_end(timeout=20))
    sim.wait("gone>=1", path="/codex/responses")


def test_request_without_an_answer_yet_is_told_why(sim, start_relay):
    relay = start_relay(config={"drainTimeoutSeconds": 1})
    sim.script("*", {"pace_ms": 60000})
    stream = relay.stream("count to 20", path="/v1/chat/completions")
    relay.wait_for("slot.selection")
    relay.signal()
    reply = stream.read_reply()
    assert (reply.status, reply.json["error"]["code"]) == (503, "relay_stopping")
    relay.check_end(relay.wait_end(timeout=20))


def test_client_of_a_cut_stream_is_told_why(sim, start_relay):
    relay = start_relay(config={"drainTimeoutSeconds": 1})
    stream = relay.stream("count to 2000 every 200ms", path="/v1/chat/completions")
    assert stream.wait_head() == 200
    relay.signal()
    events = stream.read_to()
    assert events[-1]["error"]["code"] == "relay_stopping"
    relay.check_end(relay.wait_end(timeout=20))
