"""The legacy openclaw backends against a stand-in for the program."""
import hashlib
import json
import os
import signal
import subprocess

import pytest

from clawlib import Claw, rooms
from inotify import Watch
from relaylib import chat_text, in_parallel, responses_text

REPORT = "Usage:\n  Codex (plus)\n    5h: 95% left · resets 3h\n    Week: 40% left · resets 6d 2h\n"


@pytest.fixture
def claw():
    with Claw() as stand_in:
        yield stand_in


@pytest.fixture
def gateway_relay(claw, start_relay):
    """Starts a relay whose runner is the stand-in."""
    def start(slots=1, **config):
        more = config.pop("openclaw", {})
        return start_relay(slots=slots, config=claw.config(
            runner={"backend": "openclaw"}, openclaw=more, **config))
    return start


def ready(relay, since=0):
    return relay.wait_for("openclaw.gateway", lambda l: l["state"] == "ready", since=since)


def leaving(relay, since=0):
    return relay.wait_for("openclaw.gateway", lambda l: l["state"] == "leaving", since=since)


# --- runner

@pytest.mark.parametrize("stream", [False, True])
def test_chat_and_responses_come_from_the_gateway(claw, gateway_relay, sim, stream):
    relay = gateway_relay()
    chat = relay.chat("say this", stream=stream)
    assert chat.status == 200 and chat_text(chat) == "say this"
    assert chat.headers["x-relay-slot-id"] == "slot-1"
    reply = relay.responses("and that", stream=stream)
    assert reply.status == 200 and responses_text(reply) == "and that"
    assert "openclaw" not in chat.text + reply.text and '"model":"gpt-5.5"' in chat.text
    assert not sim.requests(path="/backend-api/codex/responses")
    assert len(claw.runs("gateway")) == 1


def test_answers_of_a_gateway_can_be_gone_on_from(claw, gateway_relay):
    relay = gateway_relay()
    first = relay.responses("say one").json
    second = relay.responses("say two", previous_response_id=first["id"])
    assert second.status == 200, second.text
    said = json.dumps(claw.requests()[-1])
    assert said.index("say one") < said.rindex("say two")
    assert relay.get("/v1/responses/" + second.json["id"]).json == second.json


def test_gateways_do_not_compact(claw, gateway_relay):
    relay = gateway_relay()
    reply = relay.post("/v1/responses/compact", {"model": "gpt-5.5", "input": "x"})
    assert reply.status == 400 and reply.json["error"]["code"] == "unsupported"
    assert not claw.runs("gateway")


def test_one_gateway_serves_many_requests_at_once(claw, gateway_relay):
    relay = gateway_relay(slotConcurrency=50)
    replies = in_parallel([lambda n=n: relay.chat(f"number {n}") for n in range(20)])
    assert sorted(chat_text(r) for r in replies) == sorted(f"number {n}" for n in range(20))
    assert len(claw.runs("gateway")) == 1
    assert len(claw.requests()) == 20


def test_gateway_has_a_room_without_the_refresh_token(claw, gateway_relay):
    relay = gateway_relay()
    relay.chat()
    run = claw.runs("gateway")[0]
    assert run["argv"][:3] == ["gateway", "run", "--port"]
    assert run["argv"][4:] == ["--bind", "loopback", "--auth", "token"]
    room = run["cwd"]
    assert room.startswith(os.path.realpath(relay.root) + "/run/openclaw/slot-1-gateway-")
    assert run["files"]["dir"] == room + "/agents/relay/agent"
    assert run["files"]["members"] == [
        "access", "accountId", "email", "expires", "provider", "type"]
    assert run["files"]["access"] == hashlib.sha256(relay.tokens[0]).hexdigest()
    assert set(run["files"]["modes"].values()) == {"0o700", "0o600"}
    assert run["env"]["HOME"] == run["env"]["OPENCLAW_STATE_DIR"] == room
    with open(room + "/openclaw.json", encoding="utf-8") as file:
        config = json.load(file)
    assert config["gateway"]["auth"] == {"mode": "token"}
    assert config["gateway"]["http"]["endpoints"]["responses"]["enabled"] is True
    assert config["models"]["providers"]["openai-codex"]["baseUrl"] == relay.sim.base_url
    assert config["agents"]["list"] == [
        {"id": "relay", "default": True, "workspace": os.path.realpath(relay.path("min-workspace"))}]
    relay.stop()
    assert rooms(relay) == []
    assert not claw.living()


def test_environment_is_its_own(claw, start_relay, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_OPERATOR", "x")
    monkeypatch.setenv("OPENCLAW_GATEWAY_PORT", "1")
    relay = start_relay(slots=1, config=claw.config(runner={"backend": "openclaw"}))
    assert relay.chat().status == 200
    env = claw.runs("gateway")[0]["env"]
    assert "SECRET_OF_THE_OPERATOR" not in env and "OPENCLAW_GATEWAY_PORT" not in env
    assert env["PATH"] == os.environ["PATH"]


def test_tokens_are_not_in_arguments_or_logs(claw, gateway_relay):
    relay = gateway_relay()
    relay.chat()
    pid = claw.runs("gateway")[0]["pid"]
    with open(f"/proc/{pid}/environ", "rb") as file:
        env = dict(e.split(b"=", 1) for e in file.read().split(b"\0") if b"=" in e)
    token = env[b"OPENCLAW_GATEWAY_TOKEN"]
    assert len(token) == 32
    relay.tokens.append(token)
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        line = file.read()
    assert not any(secret in line for secret in relay.tokens)
    relay.stop()  # looks for all tokens in everything that was said


def test_body_is_what_the_gateway_takes(claw, gateway_relay):
    relay = gateway_relay()
    image = "data:image/png;base64,aGVsbG8="
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "look"},
                                     {"type": "image_url", "image_url": {"url": image}}]},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "call_9", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "call_9", "content": "42"}]
    tool = {"type": "function", "function": {
        "name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}}}
    reply = relay.post("/v1/chat/completions", {
        "model": "gpt-5.5", "messages": messages, "tools": [tool], "temperature": 0.5,
        "tool_choice": {"type": "function", "function": {"name": "f"}}, "max_tokens": 9,
        "reasoning_effort": "high", "metadata": {"a": "b"}, "user": "u"})
    assert reply.status == 200, reply.text
    assert chat_text(reply) == "42"
    seen = claw.requests()[0]
    assert seen["headers"]["x-openclaw-model"] == "openai-codex/gpt-5.5"
    assert "chatgpt-account-id" not in seen["headers"] and "session_id" not in seen["headers"]
    body = seen["body"]
    assert body["model"] == "openclaw/relay" and body["stream"] is True
    assert body["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    assert body["tools"][0]["name"] == "f"
    assert [i["type"] for i in body["input"]][-3:] == [
        "message", "function_call", "function_call_output"]
    assert {"type": "input_image", "source": {
        "type": "base64", "media_type": "image/png", "data": "aGVsbG8="}} in body["input"][-3]["content"]


def test_native_clients_are_served_too(claw, gateway_relay):
    relay = gateway_relay()
    reply = relay.native("hi there")
    assert reply.status == 200, reply.text
    assert responses_text(reply) == "hi there"


def test_tool_call_reaches_the_client(claw, gateway_relay):
    claw.says("gateway", turn="tool")
    relay = gateway_relay()
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    reply = relay.chat("use it", tools=[tool])
    choice = reply.json["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "f", "arguments": "{\"a\":1}"}


def test_what_the_gateway_cannot_carry_is_the_clients_400(claw, gateway_relay):
    relay = gateway_relay()
    reply = relay.post("/v1/responses", {"model": "gpt-5.5", "input": [
        {"role": "user", "content": [{"type": "input_image", "file_id": "file-1"}]}]})
    assert reply.status == 400
    assert reply.json["error"]["code"] == "unsupported_by_openclaw"


@pytest.mark.parametrize("turn", ["failed", "refuse", "die"])
def test_failure_of_one_gateway_goes_to_another_slot(claw, gateway_relay, turn):
    claw.says("gateway", turn=turn)
    relay = gateway_relay(slots=2, retry={"maxAttempts": 2})
    reply = relay.chat()
    assert reply.status == 502, reply.text
    assert {l["slot_id"] for l in relay.lines_of(reply, "attempt.failed")} == {"slot-1", "slot-2"}
    assert len(claw.runs("gateway")) == 2


def test_gateway_that_died_is_started_again(claw, gateway_relay):
    relay = gateway_relay()
    assert relay.chat().status == 200
    first = claw.runs("gateway")[0]["pid"]
    mark = relay.mark()
    os.kill(first, signal.SIGKILL)
    line = leaving(relay, since=mark)
    assert "killed by signal 9" in line["reason"]
    assert chat_text(relay.chat("again")) == "again"
    assert len(claw.runs("gateway")) == 2


def test_new_credential_brings_a_new_gateway(claw, gateway_relay, sim):
    relay = gateway_relay()
    assert relay.chat().status == 200
    relay.add_slot(1, account=2)
    relay.wait_until(lambda: relay.shown(1)["sourceMeta"]["email"] == relay.profile(1)["email"])
    mark = relay.mark()
    assert relay.chat().status == 200
    assert "changed" in leaving(relay, since=mark)["reason"]
    runs = claw.runs("gateway")
    assert len(runs) == 2
    assert runs[1]["files"]["access"] == hashlib.sha256(relay.tokens[2]).hexdigest()


def test_running_request_ends_on_the_old_gateway(claw, gateway_relay):
    claw.says("gateway", turn="stall")
    relay = gateway_relay()
    stream = relay.stream("slow")
    assert stream.read_to("response.output_text.delta")
    old = claw.runs("gateway")[0]["pid"]
    claw.says("gateway")
    relay.add_slot(1, account=2)
    relay.wait_until(lambda: relay.shown(1)["sourceMeta"]["email"] == relay.profile(1)["email"])
    assert relay.chat("new").status == 200
    assert old in claw.living()
    stream.close()
    claw.wait_gone(old)


def test_idle_gateway_is_stopped(claw, gateway_relay):
    relay = gateway_relay(openclaw={"idleSeconds": 1})
    assert relay.chat().status == 200
    line = leaving(relay)
    assert "nobody has used it" in line["reason"]
    claw.wait_gone(claw.runs("gateway")[0]["pid"])
    assert relay.chat().status == 200
    assert len(claw.runs("gateway")) == 2


def test_gateway_that_is_not_well_is_replaced(claw, gateway_relay):
    relay = gateway_relay(openclaw={"healthSeconds": 1})
    assert relay.chat().status == 200
    mark = relay.mark()
    claw.says("gateway", mode="sick")
    assert "does not answer" in leaving(relay, since=mark)["reason"]
    claw.wait_gone(claw.runs("gateway")[0]["pid"])
    claw.says("gateway")
    assert relay.chat().status == 200
    assert len(claw.runs("gateway")) == 2


def test_gateway_of_a_removed_slot_is_stopped(claw, gateway_relay):
    relay = gateway_relay(openclaw={"healthSeconds": 1})
    assert relay.chat().status == 200
    mark = relay.mark()
    relay.cli("slot-remove", "--slot", "1")
    assert "has changed" in leaving(relay, since=mark)["reason"]
    claw.wait_gone(claw.runs("gateway")[0]["pid"])


def test_gateway_that_does_not_get_ready_is_given_up(claw, gateway_relay):
    claw.says("gateway", mode="hang")
    relay = gateway_relay(openclaw={"startTimeoutSeconds": 1}, retry={"maxAttempts": 1})
    reply = relay.chat()
    assert reply.status == 502
    assert reply.json["error"]["code"] == "openclaw_gateway"
    assert "not ready within 1 s" in leaving(relay)["reason"]
    claw.wait_gone(claw.runs("gateway")[0]["pid"])


def test_gateway_that_exits_at_start_is_tried_twice_and_told(claw, gateway_relay):
    claw.says("gateway", exit=1, stderr="Config invalid: agents")
    relay = gateway_relay(retry={"maxAttempts": 1})
    assert relay.chat().status == 502
    assert leaving(relay)["reason"] == (
        "the OpenClaw gateway did not start: exit status 1 (Config invalid: agents)")
    assert len(claw.runs("gateway")) == 2


def test_missing_program_is_told(gateway_relay):
    relay = gateway_relay(openclaw={"command": "no-such-openclaw"}, retry={"maxAttempts": 1})
    reply = relay.chat()
    assert reply.status == 502
    assert "no such program" in leaving(relay)["reason"]
    assert "no such program" in relay.lines_of(reply, "attempt.failed")[0]["detail"]


def test_waiting_client_that_leaves_stops_nothing(claw, gateway_relay):
    claw.says("gateway", mode="hang")
    relay = gateway_relay(openclaw={"startTimeoutSeconds": 60})
    wire = relay.wire()
    wire.send_request("POST", "/v1/chat/completions",
                      {"model": "m", "messages": [{"role": "user", "content": "x"}]})
    relay.wait_for("openclaw.gateway", lambda l: l["state"] == "boot")
    wire.reset()
    assert relay.wait_for("request.finish")["status"] == 499
    relay.stop()
    assert not claw.living() and rooms(relay) == []


@pytest.mark.parametrize("mode", ["stubborn", "family"])
def test_stop_leaves_no_process_and_no_room(claw, gateway_relay, mode):
    claw.says("gateway", mode=mode)
    relay = gateway_relay(drainTimeoutSeconds=0)
    wire = relay.wire()
    wire.send_request("POST", "/v1/chat/completions",
                      {"model": "m", "messages": [{"role": "user", "content": "x"}]})
    relay.wait_for("openclaw.gateway", lambda l: l["state"] == "boot")
    if mode == "family":
        assert wire.read_reply().status == 200
        assert claw.log("child")
    relay.stop()
    for pid in claw.pids():
        claw.wait_gone(pid)
    assert rooms(relay) == []


def test_killed_relay_takes_its_gateway_along(claw, gateway_relay):
    relay = gateway_relay()
    assert relay.chat().status == 200
    pid = claw.runs("gateway")[0]["pid"]
    relay.kill()
    claw.wait_gone(pid)
    assert len(rooms(relay)) == 1
    relay.start()  # the next one clears up
    assert relay.health()["ok"]
    assert rooms(relay) == []


def test_many_slots_have_gateways_of_their_own(claw, gateway_relay):
    relay = gateway_relay(  # without usage that is known of some slots first
        slots=3, selectionPolicy="least-recently-used", usage={"backend": "local-cache"})
    replies = [relay.chat(f"number {n}") for n in range(6)]
    assert {r.headers["x-relay-slot-id"] for r in replies} == {"slot-1", "slot-2", "slot-3"}
    runs = claw.runs("gateway")
    assert len(runs) == 3 and len({run["argv"][3] for run in runs}) == 3
    assert len({run["files"]["access"] for run in runs}) == 3


def test_proxy_of_upstream_is_not_asked_for_the_gateway(claw, start_relay, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    relay = start_relay(slots=1, config=claw.config(
        runner={"backend": "openclaw"}, upstream={"proxy": "http://127.0.0.1:1"}))
    assert relay.chat().status == 200
    assert claw.runs("gateway")[0]["env"]["http_proxy"] == "http://127.0.0.1:1"


# --- test-runner

@pytest.fixture
def resting_relay(claw, start_relay):
    """Files of a relay whose runner is the stand-in; it does not serve."""
    return start_relay(slots=1, start=False, config=claw.config(
        runner={"backend": "openclaw"}, openclaw={"startTimeoutSeconds": 20}))


def test_runner_command_asks_the_slots_gateway(claw, resting_relay, sim):
    result = resting_relay.cli("test-runner", "--slot", "1", "--prompt", "through it", "--model", "gpt-5.5")
    assert (result["slot"], result["text"], result["model"]) == ("slot-1", "through it", "gpt-5.5")
    request, = claw.requests()
    assert request["body"]["model"] == "openclaw/relay"
    assert request["headers"]["x-openclaw-model"] == "openai-codex/gpt-5.5"
    assert not sim.requests(path="/backend-api/codex/responses")
    assert rooms(resting_relay) == [] and not claw.living()


@pytest.mark.parametrize("behavior, told", [
    ({"exit": 1, "stderr": "Config invalid"}, "did not start: exit status 1 (Config invalid)"),
    ({"turn": "refuse"}, "internal error"),
    ({"turn": "die"}, "slot-1: "),
])
def test_runner_command_tells_why_the_gateway_failed(claw, resting_relay, behavior, told):
    claw.says("gateway", **behavior)
    done = resting_relay.run("test-runner", "--slot", "1", "--prompt", "x")
    assert done.returncode == 1 and told in done.stderr
    assert rooms(resting_relay) == [] and not claw.living()


@pytest.mark.parametrize("behavior", [{"turn": "stall"}, {"mode": "hang"}])
def test_runner_command_that_is_interrupted_takes_its_gateway_along(claw, resting_relay, behavior):
    claw.says("gateway", **behavior)
    with Watch(claw.place) as watch:
        command = subprocess.Popen(
            [resting_relay.binary, "--runtime-root", resting_relay.root, "test-runner", "--slot", "1",
             "--prompt", "x"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not (claw.requests() if "turn" in behavior else claw.runs("gateway")):
            assert watch.changes(timeout=60), "nobody asked"
    command.send_signal(signal.SIGINT)
    assert command.wait(60) == -signal.SIGINT
    assert rooms(resting_relay) == [] and not claw.living()


# --- usage

def usage_of(relay, number=1):
    return relay.records()[f"slot-{number}"]["usage"]


def test_usage_comes_from_the_program(claw, start_relay):
    claw.says("status", output=REPORT)
    relay = start_relay(slots=1, start=False, config=claw.config(usage={"backend": "openclaw"}))
    result = relay.cli("refresh-usage")
    assert result["updated"][0]["id"] == "slot-1"
    assert (result["updated"][0]["fivePct"], result["updated"][0]["weekPct"]) == (95, 40)
    assert usage_of(relay)["usage5h"].startswith("95% left · resets ")
    run = claw.runs("status")[0]
    assert run["argv"] == ["--profile", "codex-slot-relay", "status", "--usage"]
    assert "refresh" not in run["files"]["members"]
    assert rooms(relay) == [] and not claw.living()


@pytest.mark.parametrize("behavior, told", [
    ({"exit": 3}, "openclaw: exit status 3"),
    ({"exit": 1, "stderr": "\nError: fetch failed\n at x\n"}, "exit status 1 (Error: fetch failed)"),
    ({"mode": "crash"}, "killed by signal 6"),
    ({"mode": "hang"}, "took too long"),
    ({"mode": "family"}, "took too long"),
    ({"mode": "flood"}, "wrote too much"),
    ({"output": "Usage:\n  Codex: token expired\n"}, "token expired"),
    ({"output": "nothing of interest\n"}, "no Codex usage"),
])
def test_program_that_fails_is_told_and_cleaned_up(claw, start_relay, behavior, told):
    claw.says("status", **behavior)
    relay = start_relay(slots=1, start=False, config=claw.config(
        usage={"backend": "openclaw"}, openclaw={"commandTimeoutSeconds": 1}))
    before = usage_of(relay)
    relay.cli("refresh-usage", ok=False)
    assert told.encode() in b"".join(relay.outputs[-2:])
    assert usage_of(relay) == before
    for pid in claw.pids():
        claw.wait_gone(pid)
    assert rooms(relay) == []


def test_stop_ends_a_running_usage_check(claw, start_relay):
    claw.says("status", mode="family")
    with Watch(claw.place) as watch:
        relay = start_relay(slots=1, config=claw.config(usage={"backend": "openclaw"}))
        while not claw.log("child"):  # the relay asks by itself when it starts
            assert watch.changes(timeout=60), "nobody asked"
        relay.stop()
    for pid in claw.pids():
        claw.wait_gone(pid)
    assert rooms(relay) == []


def test_usage_is_kept_fresh_while_the_relay_serves(claw, start_relay):
    claw.says("status", output=REPORT)
    relay = start_relay(slots=1, config=claw.config(usage={"backend": "openclaw"}))
    path = relay.path("config/slots.json")
    with Watch(os.path.dirname(path)) as watch:
        while usage_of(relay)["fivePct"] is None:
            watch.wait_replaced(path)
    assert usage_of(relay)["fivePct"] == 95


def test_room_of_an_interrupted_command_goes_with_the_next_one(claw, start_relay):
    claw.says("status", mode="hang")
    relay = start_relay(slots=1, start=False, config=claw.config(usage={"backend": "openclaw"}))
    with Watch(claw.place) as watch:
        command = subprocess.Popen(
            [relay.binary, "--runtime-root", relay.root, "refresh-usage"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not claw.runs("status"):
            assert watch.changes(timeout=60), "nobody asked"
    command.send_signal(signal.SIGINT)
    assert command.wait(60) == -signal.SIGINT
    claw.wait_gone(claw.runs("status")[0]["pid"])
    claw.says("status", output=REPORT)
    assert relay.cli("refresh-usage")["updated"]
    assert rooms(relay) == []


def test_expired_token_is_refreshed_before_the_program_is_asked(claw, start_relay, sim):
    claw.says("status", output=REPORT)
    relay = start_relay(slots=1, start=False, config=claw.config(
        usage={"backend": "openclaw"}, auth={"issuer": sim.issuer}))
    path = "state/slots/slot-1/agent/auth-profiles.json"
    doc = relay.read_json(path)
    profile = doc["profiles"]["openai-codex:default"]
    profile["expires"] = 1700000000000
    relay.write_json(path, doc)
    assert relay.cli("refresh-usage")["updated"][0]["fivePct"] == 95
    fresh = relay.read_json(path)["profiles"]["openai-codex:default"]["access"]
    relay.tokens.append(fresh.encode())
    assert fresh != profile["access"]
    assert claw.runs("status")[0]["files"]["access"] == hashlib.sha256(fresh.encode()).hexdigest()
