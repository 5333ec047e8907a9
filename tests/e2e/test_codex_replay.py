"""Every recorded turn of the real Codex CLI, sent again: what reaches upstream, byte for byte."""
import json

import pytest

import capturelib

ACCOUNT = "11111111-2222-3333-4444-555555555555"
MINIMAL = [{"type": "response.output_item.done", "output_index": 0, "item": {
    "type": "message", "id": "msg_1", "role": "assistant",
    "content": [{"type": "output_text", "text": "ok", "annotations": []}]}},
    {"type": "response.completed", "response": {"id": "resp_1"}}]

# Every header that the CLI was seen to send, and what becomes of it.
PASSED = {"originator", "user-agent", "version", "session-id", "session_id", "thread-id",
          "x-client-request-id", "x-codex-beta-features", "x-codex-window-id",
          "x-codex-turn-metadata", "x-codex-routing-hint", "x-codex-parent-thread-id",
          "x-openai-subagent", "x-openai-internal-codex-responses-lite",
          "x-oai-web-search-eligible"}
REPLACED = {"authorization", "chatgpt-account-id", "host", "content-length"}
SAME = {"accept", "content-type"}  # set by the relay to what the CLI sends too
DROPPED = {"content-encoding"}  # the body goes on as plain JSON
SAME_SLOT = {"x-codex-turn-state"}  # see test_turn_state_goes_along
ADDED = {"x-request-id"}

REPLAYED = [name for name in capturelib.names() if capturelib.turns(name)]


@pytest.fixture(scope="module", name="pair")
def fixture_pair():
    from relaylib import Relay  # pylint: disable=import-outside-toplevel
    from simlib import Sim  # pylint: disable=import-outside-toplevel
    with Sim("--accounts", "2", "--plan", "pro") as sim:
        with Relay(sim, slots=2, config={"codexClients": {"trustAccounts": [ACCOUNT]}}) as relay:
            yield sim, relay


def replay(relay, entry):
    with relay.wire() as wire:
        reply = wire.send(capturelib.request_bytes(entry, relay.address)).read_reply()
    relay.saw(reply)
    return reply


def script(sim, entry, **members):
    """Blobs of the recorder are none of this simulator's: such requests get a made-up answer."""
    if "encrypted_content" in json.dumps(entry["body"]["input"]) or members:
        sim.script("*", {"skip_checks": True, "events": MINIMAL, **members})


@pytest.mark.parametrize("name", REPLAYED)
def test_body_and_headers_reach_upstream_as_the_protocol_says(pair, name):
    sim, relay = pair
    for entry in capturelib.turns(name):
        sim.clear_requests()
        script(sim, entry)
        reply = replay(relay, entry)
        assert reply.status == 200, reply.text
        (turn,) = sim.turns()
        sent, body = turn.body.encode(), capturelib.body_of(entry)
        for part in ("input", "tools"):
            if part in entry["body"]:
                text = json.dumps(entry["body"][part], ensure_ascii=False, separators=(",", ":"))
                assert f'"{part}":{text}'.encode() in sent
        assert sent == body
        check_headers(sim, entry, turn)


def check_headers(sim, entry, turn):
    client = capturelib.headers_of(entry)
    upstream = {key.lower(): value for key, value in turn.headers}
    account = sim.auth_profiles(turn.account)["profiles"]["openai-codex:default"]
    assert len(upstream) == len(turn.headers), "a header twice"
    for header, value in client.items():
        if header in PASSED | SAME:
            assert upstream.pop(header) == value, header
        elif header in DROPPED | SAME_SLOT:
            assert header not in upstream, header
        else:
            assert header in REPLACED, f"{header}: say what becomes of it"
    assert upstream.pop("host") == sim.address
    assert int(upstream.pop("content-length")) == len(turn.body.encode())
    assert upstream.pop("chatgpt-account-id") == account["accountId"] != client.get("chatgpt-account-id")
    assert upstream.pop("authorization").startswith("fingerprint:")
    assert set(upstream) == ADDED


def test_every_kind_of_request_is_among_them():
    """What the test above says holds for all of these."""
    bodies = [entry["body"] for name in REPLAYED for entry in capturelib.turns(name)]
    items = {item["type"] for body in bodies for item in body["input"]}
    assert {"additional_tools", "compaction_trigger", "compaction", "configuration_update", "reasoning",
            "function_call", "function_call_output", "custom_tool_call",
            "custom_tool_call_output"} <= items
    assert any("tools" not in body for body in bodies) and any("tools" in body for body in bodies)
    headers = {key for name in REPLAYED for entry in capturelib.turns(name)
               for key in capturelib.headers_of(entry)}
    assert headers == PASSED | REPLACED | SAME | DROPPED | SAME_SLOT


def test_what_nobody_here_has_heard_of_passes_too(pair):
    """Item and tool types come with every version of the CLI."""
    sim, relay = pair
    entry = dict(capturelib.turns("100_chatgpt_ok_http")[0])
    entry["body"] = {**entry["body"], "x_new": {"a": [1.50, None]}, "tools": [{"type": "x_tool"}], "input": [
        *entry["body"]["input"],
        {"type": "agent_message", "id": "am_1", "author": "/x", "content": [
            {"type": "encrypted_content", "encrypted_content": "gAAAAABx"}]},
        {"type": "x_item", "content": None, "phase": "x", "status": "completed"}]}
    sim.clear_requests()
    script(sim, entry)
    assert replay(relay, entry).status == 200
    assert sim.turns()[0].body.encode() == capturelib.body_of(entry)


def test_turn_state_goes_along(pair):
    sim, relay = pair
    first, second = capturelib.turns("94_turn_state")
    state = capturelib.headers_of(second)["x-codex-turn-state"]
    sim.clear_requests()
    script(sim, first, headers={"x-codex-turn-state": state})
    assert replay(relay, first).headers["x-codex-turn-state"] == state
    replay(relay, second)
    assert [turn.header("x-codex-turn-state") for turn in sim.turns()] == [None, state]
    assert sim.turns()[0].account == sim.turns()[1].account


def as_sub_agent(entry, thread):
    """The turn as a sub-agent of its thread sends it (PROTOCOL 8)."""
    session = capturelib.headers_of(entry)["session-id"]
    own = {"thread-id": thread, "x-client-request-id": thread, "x-codex-window-id": thread + ":0"}
    headers = [[key, own.get(key, value)] for key, value in entry["headers"]]
    return {**entry, "headers": headers + [["x-openai-subagent", "collab_spawn"],
                                           ["x-codex-parent-thread-id", session]]}


def test_sub_agents_are_served_where_their_root_is(pair):
    sim, relay = pair
    root, again = capturelib.turns("173_subagent")
    sim.clear_requests()
    for entry in (root, as_sub_agent(again, "agent-1"), as_sub_agent(again, "agent-2"), again):
        script(sim, entry)
        replay(relay, entry)
        # Any new conversation would go to the other one now.
        used = sim.turns()[-1].account
        sim.set_account(used, primary={"used_percent": 60, "reset_in_seconds": 9000})
    assert len({turn.account for turn in sim.turns()}) == 1
    assert [turn.header("thread-id") for turn in sim.turns()][1:3] == ["agent-1", "agent-2"]
    sim.reset()


def test_the_cli_s_login_is_in_no_log_and_no_answer(pair):
    sim, relay = pair
    entry = capturelib.turns("100_chatgpt_ok_http")[0]
    sim.clear_requests()
    replay(relay, entry)
    token = capturelib.bearer_for(entry).split()[1]
    relay.tokens.append(token.encode())  # searched for in all output at the end
    assert token not in json.dumps([turn.record for turn in sim.turns()])
