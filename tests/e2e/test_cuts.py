"""An answer of 60 events that is cut once, behind each of its events: what the client gets is the whole
answer of another try, or an error, never a part that looks whole."""
import pytest

from relaylib import NATIVE, chat_body, chat_text, in_parallel, native_body, responses_body, responses_events, responses_text

EVENTS = 60
COUNTED = EVENTS - 8
COUNT = f"count to {COUNTED}"
TEXT = " ".join(str(n) for n in range(1, COUNTED + 1))
CUTS = {"in body": {}, "within an event": {"cut_mid_event": True}, "ended": {"cut_clean": True}}

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
SHAPES = {
    "chat": (CHAT, lambda text: chat_body(text), None),
    "chat stream": (CHAT, lambda text: chat_body(text, stream=True), None),
    "responses": (RESPONSES, lambda text: responses_body(text), None),
    "responses stream": (RESPONSES, lambda text: responses_body(text, stream=True), None),
    "native": (RESPONSES, native_body, NATIVE),
}


def is_whole(reply, shape):
    """Whether it says that it ended well."""
    if reply.status != 200:
        return False
    if shape == "chat":
        return reply.json["choices"][0]["finish_reason"] == "stop"
    if shape == "responses":
        return reply.json["status"] == "completed"
    if shape == "native":
        return not reply.cut and any(e["type"] == "response.completed" for e in responses_events(reply))
    return not reply.cut and reply.body.endswith(b"data: [DONE]\n\n")


def error_of(reply, shape):
    """The error that the client is told."""
    if reply.status != 200:
        return reply.json["error"]
    assert "stream" in shape or shape == "native", "an answer that is no stream has its status"
    if shape == "chat stream":
        return next(e["error"] for e in responses_events(reply) if "error" in e)
    last = responses_events(reply)[-1]
    assert last["type"] == "response.failed"
    return last["response"]["error"]


def text_of(reply, shape):
    return chat_text(reply) if "chat" in shape else responses_text(reply)


def streamed_chat_text(reply):
    return "".join(c["delta"].get("content") or "" for e in responses_events(reply) for c in e.get("choices", []))


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_answer_cut_behind_each_event(sim, start_relay, shape, cut):
    relay = start_relay(config={"slotConcurrency": 30})
    path, make, headers = SHAPES[shape]
    sim.script("*", *[{"match": f"cut behind event {n}.", "directive": COUNT, "cut_after_events": n, **cut}
                      for n in range(1 if "cut_mid_event" in cut else 0, EVENTS)],
               {"match": "cut behind", "directive": COUNT, "repeat": -1})
    replies = in_parallel([lambda n=n: relay.post(path, make(f"cut behind event {n}."), headers)
                           for n in range(EVENTS)])
    whole = [n for n, reply in enumerate(replies) if is_whole(reply, shape)]
    for n, reply in enumerate(replies):
        if n in whole:
            assert text_of(reply, shape) == TEXT, n
            continue
        error = error_of(reply, shape)
        assert error["code"] == "upstream_truncated" and error["message"], n
        if reply.status == 200:
            said = streamed_chat_text(reply) if shape == "chat stream" else responses_text(reply)
            assert TEXT.startswith(said), n
    if shape in ("chat", "responses"):
        assert len(whole) == EVENTS, "nothing was sent yet: another try serves"
    else:
        # created, in_progress, and for chat what announces the text
        assert whole == list(range(len(whole))) and 3 <= len(whole) <= 5, "behind output there is no other try"
    assert all(turn.status == 200 for turn in sim.turns())
