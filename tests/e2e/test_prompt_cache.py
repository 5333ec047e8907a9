"""What keeps upstream's prompt cache warm: the bytes at the beginning of a request, the key of the
conversation, and the slot it stays on."""
import json

import pytest

from relaylib import NATIVE, in_parallel, native_body, responses_events
from simlib import assistant, user

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"

# JSON that nobody's encoder writes: spaces, escapes that need none, forms of numbers, members twice
# in the order that they came.
SCHEMA = (b'{ "type" : "object",\t"properties":{"na\\u00efve":{"type":"number","minimum":1e0,'
          b'"maximum":1.50E+2,"default":-0.0,"description":"\\/ \\u2028 \xe2\x80\xa8 \\ud83d\\ude00 '
          b'\xf0\x9f\x98\x80 \\u0041\\t\\u007f"}} , "required" : [ ] ,\n  "x-order":[3, 1.0,2],'
          b'"additionalProperties":false }')
DESCRIPTION = b'"Adds \\u0022 and \\/, \xe6\xbc\xa2\\u5b57; \\u000a 1.0"'
INSTRUCTIONS = b'"B\\u0065 terse.\\n\\u00fc \xc3\xbc \\/ \xf0\x9f\x98\x80 \\ud83d\\ude00 \\u2029"'
TOOLS = (b'[ {"parameters":' + SCHEMA + b', "strict":false,"name":"add" ,\n "description":'
         + DESCRIPTION + b',"type":"function"}, { "type":"custom","name":"patch" ,"format":'
         b'{"type":"text"}},{"type":"web_search","search_context_size":"low"}]')


def sent(sim):
    return sim.turns()[-1].body.encode()


# --- Bytes

@pytest.mark.parametrize("native", [False, True], ids=["sdk", "native"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_tools_and_instructions_of_responses_keep_their_bytes(sim, relay, stream, native):
    for text in (b"one", b"two"):
        body = (b'{"temperature":0.5 ,"stream":%s,"instructions" : %s,"input":[{"role":"user","content":"%s"}],'
                b'"model":"gpt-5.5", "tools" :%s,"user":"u"}' % (
                    b"true" if stream else b"false", INSTRUCTIONS, text, TOOLS))
        if native:
            body = body.replace(b'"temperature":0.5 ', b'"store":false,"prompt_cache_key":"k"').replace(
                b',"user":"u"', b"").replace(b'"stream":false', b'"stream":true')
        reply = relay.post(RESPONSES, body, NATIVE if native else None)
        assert reply.status == 200
        assert TOOLS in sent(sim) and INSTRUCTIONS in sent(sim)
        # What is echoed of them is on the event's one line: many clients read no other.
        for line in reply.text.split("\n") if stream else []:
            assert not line or line.startswith(("event: ", "data: [DONE]")) or json.loads(line[6:])


def test_items_that_need_no_change_keep_their_bytes(sim, relay):
    items = (b'[{"role":"user" , "content":[ {"type":"input_text","text":"\\u0041 \\/ \xc3\xbc"}] },'
             b'{"type":"function_call","call_id":"c","name":"add","arguments":"{ \\"a\\" : 1.0 }"},'
             b'{"output":"\\u00fc","call_id":"c","type":"function_call_output"},'
             b'{"type":"message","role":"user","content":"go"}]')
    body = b'{"model":"gpt-5.5","top_p":1,"tools":%s,"input":%s}' % (TOOLS, items)
    assert relay.post(RESPONSES, body).status == 200
    assert items in sent(sim) and TOOLS in sent(sim)


def test_schemas_and_arguments_of_chat_keep_their_bytes(sim, relay):
    arguments = b'"{ \\"na\\u00efve\\" : 1.0 ,\\n \\"b\\":1e2}"'
    body = (b'{"model":"gpt-5.5","tools":[{"type":"function","function":{ "name":"add","description":'
            + DESCRIPTION + b',"parameters":' + SCHEMA + b' }}],"response_format":{"type":"json_schema",'
            b'"json_schema":{"name":"n","schema":' + SCHEMA + b'}},"messages":[{"role":"user","content":"x"},'
            b'{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":'
            b'{"name":"add","arguments":' + arguments + b'}}]},{"role":"tool","tool_call_id":"c","content":"1"}]}')
    reply = relay.post(CHAT, body)
    assert reply.status == 200, reply.text
    assert sent(sim).count(SCHEMA) == 2
    assert DESCRIPTION in sent(sim) and arguments in sent(sim)


def test_a_chat_without_system_message_and_tools_says_nothing_of_them(sim, relay):
    assert relay.chat("hello").status == 200
    body = sim.turns()[0].json
    assert body["instructions"] == "" and "tools" not in body


def test_system_messages_are_the_same_bytes_in_every_turn(sim, relay):
    messages = [{"role": "system", "content": json.loads(INSTRUCTIONS)},
                {"role": "developer", "content": [{"type": "text", "text": "And \u2028 kind."}]}]
    bodies = []
    for n in range(3):
        messages += [{"role": "user", "content": f"question {n}"}]
        assert relay.post(CHAT, {"model": "gpt-5.5", "messages": messages}).status == 200
        messages += [{"role": "assistant", "content": f"answer {n}"}]
        bodies.append(sim.turns()[-1])
    assert bodies[0].json["instructions"] == json.loads(INSTRUCTIONS) + "\n\nAnd \u2028 kind."
    ends = [turn.body.index('"input":') for turn in bodies]
    heads = {turn.body[:end] for turn, end in zip(bodies, ends)}
    assert len(heads) == 1, "what comes before the input changed"
    for before, now in zip(bodies, bodies[1:]):
        inputs = [json.dumps(turn.json["input"], ensure_ascii=False)[:-1] for turn in (before, now)]
        assert inputs[1].startswith(inputs[0])


# --- Keys

SYSTEM = {"without": None, "with system": "Be terse."}
FUNCTION = {"name": "add", "parameters": {"type": "object", "properties": {}}}


def ask_chat(relay, name, turns, system, tools):
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": f"conversation {name}"})
    for turn in range(turns):
        messages += [{"role": "assistant", "content": f"answer {turn}"},
                     {"role": "user", "content": f"question {turn}"}]
    extra = {"tools": [{"type": "function", "function": FUNCTION}]} if tools else {}
    return relay.post(CHAT, {"model": "gpt-5.5", "messages": messages, **extra})


def ask_responses(relay, name, turns, system, tools):
    items = [user(f"conversation {name}")]
    for turn in range(turns):
        items += [assistant(f"answer {turn}"), user(f"question {turn}")]
    extra = {"tools": [{"type": "function", **FUNCTION}]} if tools else {}
    if system:
        extra["instructions"] = system
    return relay.post(RESPONSES, {"model": "gpt-5.5", "input": items, **extra})


@pytest.mark.parametrize("tools", [False, True], ids=["no tools", "tools"])
@pytest.mark.parametrize("system", SYSTEM.values(), ids=SYSTEM)
@pytest.mark.parametrize("ask", [ask_chat, ask_responses], ids=["chat", "responses"])
def test_derived_key_is_the_conversations(sim, relay, ask, system, tools):
    keys = {}
    for name in ("a", "b"):
        for turns in range(4):
            assert ask(relay, name, turns, system, tools).status == 200
            turn = sim.turns()[-1]
            assert turn.header("session_id") == turn.json["prompt_cache_key"]
            keys.setdefault(name, set()).add(turn.json["prompt_cache_key"])
    assert len(keys["a"]) == len(keys["b"]) == 1
    assert keys["a"] != keys["b"]


def test_derived_keys_differ_by_what_a_conversation_begins_with(sim, relay):
    for ask in (ask_chat, ask_responses):
        for name, system, tools in [("a", None, False), ("b", None, False), ("a", "x", False),
                                    ("a", "y", False), ("a", None, True), ("a", "x", True)]:
            assert ask(relay, name, 1, system, tools).status == 200
        sizes = [turn.json["prompt_cache_key"] for turn in sim.turns()]
        assert len(set(sizes)) == len(sizes)
        sim.clear_requests()


def test_options_of_a_turn_do_not_change_the_derived_key(sim, relay):
    for extra in ({}, {"reasoning_effort": "high"}, {"temperature": 0.2}, {"stream": True},
                  {"response_format": {"type": "json_object"}}, {"max_tokens": 9}):
        assert relay.chat("conversation as json", **extra).status == 200
    assert len({turn.json["prompt_cache_key"] for turn in sim.turns()}) == 1


# What names a session, the strongest first: (header or None for a member, name).
NAMES = [("session-id", "from-session-id"), ("session_id", "from-session-underscore"),
         ("x-openclaw-session-key", "from-openclaw"), (None, "from-the-body")]


@pytest.mark.parametrize("ask", ["chat", "responses"])
@pytest.mark.parametrize("strongest", range(len(NAMES)))
def test_precedence_of_what_names_a_session(sim, relay, ask, strongest):
    """A header names the session. A key in the body is the client's word about the cache and stays
    as it is; without one the session's name is the key."""
    given = NAMES[strongest:]
    headers = {header: name for header, name in given if header}
    for members in ({"prompt_cache_key": "from-the-body"}, {}):
        if not headers and not members:
            continue
        assert getattr(relay, ask)("hello", headers=headers, **members).status == 200
        turn = sim.turns()[-1]
        assert turn.header("session_id") == given[0][1]
        assert turn.json["prompt_cache_key"] == members.get("prompt_cache_key", given[0][1])
        assert turn.header("x-openclaw-session-key") is None


@pytest.mark.parametrize("ask", ["chat", "responses"])
def test_key_of_the_body_that_is_too_long_is_refused_as_upstream_does(relay, ask):
    reply = getattr(relay, ask)("hello", prompt_cache_key="k" * 90)
    assert reply.status == 400 and reply.json["error"]["param"] == "prompt_cache_key"


# --- The slot

LONG = "This conversation begins with a long text. " * 100


def message(role, text):
    return {"role": role, "content": text}


class Conversation:
    """A chat or a Responses conversation that grows turn by turn."""

    def __init__(self, relay, api, headers=None, tag=""):
        self.relay, self.api, self.headers = relay, api, headers
        self.items = [message("user", f"{tag}{LONG}"), message("assistant", "ok")]

    def turn(self, text):
        """(slot, cached tokens)"""
        self.items.append(message("user", text))
        if self.api == "chat":
            reply = self.relay.post(CHAT, {"model": "gpt-5.5", "messages": self.items}, self.headers)
        else:
            reply = self.relay.post(RESPONSES, {"model": "gpt-5.5", "input": self.items}, self.headers)
        assert reply.status == 200, reply.text
        self.reply = reply
        self.items += self.answer_items(reply)
        return reply.headers["x-relay-slot-id"], self.cached(reply)

    def answer_items(self, reply):
        if self.api == "chat":
            return [message("assistant", reply.json["choices"][0]["message"]["content"])]
        return reply.json["output"]

    def cached(self, reply):
        usage = reply.json["usage"]
        details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details")
        return details["cached_tokens"]

    def reason(self):
        """Why the slot of the last turn's last try was taken."""
        return self.relay.lines_of(self.reply, "slot.selection")[-1]["reason"]


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_cache_grows_over_the_turns_of_a_conversation(even_relay, api):
    one = Conversation(even_relay, api, tag="one")
    two = Conversation(even_relay, api, tag="two")
    seen = [[c.turn(f"say exactly: {n}") for c in (one, two)] for n in range(4)]
    for told in zip(*seen):
        slots, cached = zip(*told)
        assert len(set(slots)) == 1
        assert cached[0] == 0 and cached[1] > len(LONG) / 4 * 0.9
        assert list(cached) == sorted(set(cached)), "each turn finds more in the cache"
    assert seen[0][0][0] != seen[0][1][0], "conversations spread"


def limited(seconds):
    return {"status": 429, "headers": {"retry-after": str(seconds)},
            "body": {"error": {"type": "rate_limit_exceeded", "code": "rate_limit_exceeded",
                               "message": "Slow down."}}}


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_short_cooldown_does_not_move_the_conversation(sim, even_relay, api):
    talk = Conversation(even_relay, api)
    home, _ = talk.turn("say exactly: one")
    talk.turn("say exactly: two")
    sim.script(int(home[-1]), limited(1))
    away, cached = talk.turn("after 1300ms say exactly: three")
    assert away != home and cached == 0
    # While that was answered the second has passed.
    back, cached = talk.turn("say exactly: four")
    assert back == home and talk.reason() == "session" and cached > len(LONG) / 4 * 0.9


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_one_failure_does_not_move_the_conversation(sim, even_relay, api):
    talk = Conversation(even_relay, api)
    home, _ = talk.turn("say exactly: one")
    sim.script(int(home[-1]), {"status": 503, "body": {"error": {"code": "server_is_overloaded"}}})
    away, _ = talk.turn("say exactly: two")
    back, cached = talk.turn("say exactly: three")
    assert away != home == back and cached > 0


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_long_cooldown_moves_the_conversation_for_good(sim, even_relay, api):
    talk = Conversation(even_relay, api)
    home, _ = talk.turn("say exactly: one")
    sim.script(int(home[-1]), limited(600))
    told = [talk.turn(f"say exactly: {n}") for n in range(3)]
    assert {slot for slot, _ in told} == {told[0][0]} != {home}
    assert talk.reason() == "session"
    assert told[0][1] == 0 < told[1][1] < told[2][1]


# --- Encrypted reasoning

def reasoning_of(turn):
    return [item["encrypted_content"] for item in turn.json["input"] if item["type"] == "reasoning"]


def ask_whole(relay, items):
    reply = relay.post(RESPONSES, {"model": "gpt-5.5", "input": items})
    return reply, reply.json["output"] if reply.status == 200 else []


def ask_streamed(relay, items):
    reply = relay.post(RESPONSES, {"model": "gpt-5.5", "input": items, "stream": True})
    return reply, responses_events(reply)[-1]["response"]["output"] if reply.status == 200 else []


def ask_natively(relay, items):
    body = native_body("", input=items, prompt_cache_key="k")
    reply = relay.post(RESPONSES, body, {**NATIVE, "session-id": "k"})
    return reply, [e["item"] for e in responses_events(reply) if e["type"] == "response.output_item.done"]


ASKS = {"whole": ask_whole, "stream": ask_streamed, "native": ask_natively}


class Thinker:
    """A conversation whose answers carry encrypted reasoning."""

    def __init__(self, relay, ask):
        self.relay, self.ask, self.items = relay, ask, []

    def turn(self, text, think="think then "):
        self.items.append(user(think + text))
        reply, output = self.ask(self.relay, self.items)
        assert reply.status == 200 and not reply.cut, reply.text
        assert output[-1]["type"] == "message"
        self.items += output
        return reply.headers["x-relay-slot-id"], output[-1]["content"][0]["text"]


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
def test_reasoning_of_the_old_slot_is_left_out_after_a_move(sim, quiet_relay, ask):
    talk = Thinker(quiet_relay, ask)
    assert talk.turn("say exactly: one") == ("slot-1", "one")
    assert talk.turn("say exactly: two") == ("slot-1", "two")
    assert [len(reasoning_of(turn)) for turn in sim.turns()] == [0, 1], "blobs go to who made them"
    sim.set_account(1, primary={"used_percent": 100, "reset_in_seconds": 3600})
    sim.clear_requests()
    slot, text = talk.turn("say exactly: three")
    assert slot != "slot-1" and text == "three"
    account = f"acct-{slot[-1]}"
    assert [(turn.account, turn.status, len(reasoning_of(turn))) for turn in sim.turns()] == [
        ("acct-1", 429, 2), (account, 400, 2), (account, 200, 0)]
    kept = [[item for item in turn.json["input"] if item["type"] != "reasoning"] for turn in sim.turns()]
    assert kept[0] == kept[1] == kept[2], "only reasoning is left out"
    # The client's history holds blobs of both accounts now; it goes on all the same.
    assert talk.turn("say exactly: four") == (slot, "four")
    assert all(turn.account == account for turn in sim.turns()[3:])


def test_reasoning_survives_a_short_absence(sim, quiet_relay):
    talk = Thinker(quiet_relay, ask_whole)
    talk.turn("say exactly: one")
    sim.script(1, limited(1))
    slot, text = talk.turn("after 1300ms say exactly: two", think="")
    assert slot != "slot-1" and text == "two"
    sim.clear_requests()
    assert talk.turn("say exactly: three") == ("slot-1", "three")
    assert [(turn.status, len(reasoning_of(turn))) for turn in sim.turns()] == [(200, 1)]


def test_conversations_keep_apart_under_load(sim, even_relay):
    talks = [Conversation(even_relay, ("chat", "responses")[n % 2], tag=f"{n} ") for n in range(12)]
    told = [in_parallel([lambda c=c, n=n: c.turn(f"say exactly: {n}") for c in talks]) for n in range(3)]
    for n in range(len(talks)):
        assert len({turns[n][0] for turns in told}) == 1
        assert told[2][n][1] > told[1][n][1] > told[0][n][1] == 0
    assert {slot for slot, _ in told[0]} == {"slot-1", "slot-2", "slot-3"}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_conversation_that_the_relay_remembers_keeps_bytes_key_and_slot(sim, even_relay, stream):
    """previous_response_id: what was sent before is what is sent again."""
    previous = None
    items = b'[{"role":"user" , "content":"%s \\u00fc %d"}]'
    for n in range(4):
        body = b'{"model":"gpt-5.5","tools":%s,"instructions":%s,"input":%s,"stream":%s%s}' % (
            TOOLS, INSTRUCTIONS, items % (LONG.encode() if n == 0 else b"more", n),
            b"true" if stream else b"false", b',"previous_response_id":"%s"' % previous if previous else b"")
        reply = even_relay.post(RESPONSES, body)
        assert reply.status == 200, reply.text
        answer = responses_events(reply)[-1]["response"] if stream else reply.json
        previous = answer["id"].encode()
        cached = answer["usage"]["input_tokens_details"]["cached_tokens"]
        assert cached == 0 if n == 0 else cached > len(LONG) / 4 * 0.9
    turns = sim.turns()
    assert len({turn.account for turn in turns}) == 1
    assert len({turn.json["prompt_cache_key"] for turn in turns}) == 1
    for turn in turns:
        assert TOOLS in turn.body.encode() and INSTRUCTIONS in turn.body.encode()


def test_remembered_reasoning_of_the_old_slot_is_left_out_after_a_move(sim, quiet_relay):
    first = quiet_relay.responses("think then say exactly: one")
    second = quiet_relay.responses("think then say exactly: two", previous_response_id=first.json["id"])
    home = second.headers["x-relay-slot-id"]
    sim.set_account(int(home[-1]), primary={"used_percent": 100, "reset_in_seconds": 3600})
    sim.clear_requests()
    third = quiet_relay.responses("think then say exactly: three", previous_response_id=second.json["id"])
    assert third.status == 200 and third.headers["x-relay-slot-id"] != home
    assert [(turn.status, len(reasoning_of(turn))) for turn in sim.turns()] == [(429, 2), (400, 2), (200, 0)]
    fourth = quiet_relay.responses("say exactly: four", previous_response_id=third.json["id"])
    assert fourth.status == 200 and fourth.headers["x-relay-slot-id"] == third.headers["x-relay-slot-id"]
