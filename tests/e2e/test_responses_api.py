"""The endpoints beside POST /v1/responses, each in the API's shape."""
from urllib.parse import quote

import pytest

import schemalib
from relaylib import NATIVE, responses_body, responses_events
from simlib import function_output, function_tool, user

OTHER = {"Authorization": "Bearer other-token"}
TWO_TOKENS = {"authTokenAliases": ["other-token"]}
OFF = {"responses": {"continuation": {"enabled": False}}}

# Endpoints of one answer: method, what stands behind its path, status when it is known.
ENDPOINTS = [("GET", "", 200), ("DELETE", "", 200), ("GET", "/input_items", 200), ("POST", "/cancel", 400)]
ENDPOINT_IDS = ["get", "delete", "input_items", "cancel"]


def call(relay, endpoint, response_id, query="", headers=None):
    method, behind, _ = endpoint
    return relay.request(method, f"/v1/responses/{response_id}{behind}{query}", headers=headers)


def answer(relay, text="hello", **members):
    reply = relay.responses(text, **members)
    assert reply.status == 200, reply.text
    return reply.json


def assert_not_found(reply, response_id):
    assert reply.status == 404
    assert reply.json == {"error": {
        "message": f"Response with id '{response_id}' not found.",
        "type": "invalid_request_error", "param": None, "code": None}}


# --- every endpoint x what it may be asked for

@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=ENDPOINT_IDS)
def test_known(relay, endpoint):
    reply = call(relay, endpoint, answer(relay)["id"])
    assert reply.status == endpoint[2], reply.text
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-relay-request-id"]


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=ENDPOINT_IDS)
@pytest.mark.parametrize("name", ["resp_unheard_of", "x", "resp_" + "a" * 100, "r\u00e9"])
def test_unknown(relay, endpoint, name):
    assert_not_found(call(relay, endpoint, quote(name)), name)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=ENDPOINT_IDS)
def test_of_another_token(start_relay, endpoint):
    relay = start_relay(config=TWO_TOKENS)
    first = answer(relay)
    assert_not_found(call(relay, endpoint, first["id"], headers=OTHER), first["id"])
    assert call(relay, endpoint, first["id"]).status == endpoint[2]


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=ENDPOINT_IDS)
def test_deleted(relay, endpoint):
    first = answer(relay)
    assert call(relay, ENDPOINTS[1], first["id"]).status == 200
    assert_not_found(call(relay, endpoint, first["id"]), first["id"])


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=ENDPOINT_IDS)
def test_while_it_is_off(start_relay, endpoint):
    relay = start_relay(config=OFF)
    first = answer(relay)
    assert_not_found(call(relay, endpoint, first["id"]), first["id"])


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=ENDPOINT_IDS)
def test_expired(start_relay, endpoint):
    relay = start_relay(config={"responses": {"continuation": {"ttlSeconds": 1}}})
    first = answer(relay)
    body = {"input": [{"type": "item_reference", "id": first["output"][0]["id"]}]}
    while relay.post("/v1/responses/input_tokens", body).status == 200:
        pass  # looking at an item is no use of the answer
    assert_not_found(call(relay, endpoint, first["id"]), first["id"])


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=ENDPOINT_IDS)
def test_without_a_token(relay, endpoint):
    reply = call(relay, endpoint, answer(relay)["id"], headers={"Authorization": None})
    assert reply.status == 401 and reply.json["error"]["code"] == "invalid_api_key"


@pytest.mark.parametrize("method,behind,allow", [
    ("PUT", "", "GET, HEAD, DELETE"), ("POST", "/input_items", "GET, HEAD"), ("GET", "/cancel", "POST"),
    ("DELETE", "/cancel", "POST")])
def test_wrong_methods(relay, method, behind, allow):
    reply = relay.request(method, "/v1/responses/resp_1" + behind)
    assert (reply.status, reply.headers["allow"]) == (405, allow)


# --- GET and DELETE

@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_is_given_again_as_it_was(relay, stream):
    reply = relay.responses("think, then count to 3", stream=stream, instructions="be kind",
                            tools=[function_tool("f")], metadata={"a": "b"}, temperature=0.5)
    first = responses_events(reply)[-1]["response"] if stream else reply.json
    again = relay.get("/v1/responses/" + first["id"])
    assert again.json == first
    assert stream or again.body == reply.body
    schemalib.check_response(again.json)


def test_a_large_answer_is_given_again_as_it_was(relay):
    first = answer(relay, "messages 40", instructions="i" * 5000,
                   tools=[function_tool("f", {"a" * 2000: {"type": "string"}})])
    assert relay.get("/v1/responses/" + first["id"]).json == first


@pytest.mark.parametrize("query", ["?include=reasoning.encrypted_content", "?include[]=x&stream=false",
                                   "?include_obfuscation=true"])
def test_queries_that_ask_for_nothing_else(relay, query):
    first = answer(relay)
    assert call(relay, ENDPOINTS[0], first["id"], query).json == first


@pytest.mark.parametrize("query", ["?stream=true", "?stream=True&starting_after=3"])
def test_an_answer_cannot_be_streamed_again(relay, query):
    reply = call(relay, ENDPOINTS[0], answer(relay)["id"], query)
    assert reply.status == 400
    assert reply.json["error"]["param"] == "stream"


def test_head_is_get_without_a_body(relay):
    first = answer(relay)
    with relay.wire() as wire:
        wire.send_request("HEAD", "/v1/responses/" + first["id"])
        reply = wire.read_reply(is_head=True)
    assert reply.status == 200 and int(reply.headers["content-length"]) > 100


def test_a_deleted_answer_lives_on_in_what_was_built_on_it(sim, relay):
    first = answer(relay, "say exactly: one")
    second = answer(relay, "say exactly: two", previous_response_id=first["id"])
    reply = relay.request("DELETE", "/v1/responses/" + first["id"])
    assert reply.json == {"id": first["id"], "object": "response", "deleted": True}
    assert relay.responses("x", previous_response_id=first["id"]).status == 400
    answer(relay, "say exactly: three", previous_response_id=second["id"])
    assert len(sim.turns()[-1].json["input"]) == 5


def test_deleting_the_last_answer_leaves_nothing(relay):
    first = answer(relay)
    second = answer(relay, "x", previous_response_id=first["id"])
    for one in (first, second):
        relay.request("DELETE", "/v1/responses/" + one["id"])
    assert relay.get("/admin/stats").json["continuation"] == {"entries": 0, "bytes": 0}


def test_what_runs_cannot_be_cancelled(relay):
    error = call(relay, ENDPOINTS[3], answer(relay)["id"]).json["error"]
    assert error["message"] == "Cannot cancel a synchronous response."
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", None, None)


# --- input items

def items(relay, response_id, query=""):
    reply = relay.get(f"/v1/responses/{response_id}/input_items{query}")
    assert reply.status == 200, reply.text
    page = reply.json
    assert page["object"] == "list" and set(page) == {"object", "data", "first_id", "last_id", "has_more"}
    assert [page["first_id"], page["last_id"]] == (
        [page["data"][0]["id"], page["data"][-1]["id"]] if page["data"] else [None, None])
    return page


def all_pages(relay, response_id, query):
    found, after = [], ""
    while True:
        page = items(relay, response_id, query + after)
        found += page["data"]
        if not page["has_more"]:
            return found
        after = "&after=" + page["last_id"]


CONVERSATION = [
    {"role": "system", "content": "be kind"},
    {"role": "user", "content": "hello"},
    {"role": "assistant", "content": "hi"},
    {"role": "user", "content": [{"type": "input_text", "text": "again"}]},
    {"type": "message", "role": "user", "content": "hello", "status": None},
]


def test_items_are_listed_newest_first(relay):
    first = answer(relay, CONVERSATION)
    page = items(relay, first["id"])
    assert [item["content"][0]["text"] for item in page["data"]] == [
        "hello", "again", "hi", "hello", "be kind"]
    assert not page["has_more"]
    assert len({item["id"] for item in page["data"]}) == 5
    for item in page["data"]:
        assert item["type"] == "message" and item["id"].startswith("msg_")
    upwards = items(relay, first["id"], "?order=asc")["data"]
    assert upwards == page["data"][::-1]


def test_listed_items_are_as_described(relay):
    call_item = answer(relay, "think, then call f", tools=[function_tool("f")])
    output = next(i for i in call_item["output"] if i["type"] == "function_call")
    second = answer(relay, [function_output(output, "42"), *CONVERSATION],
                    previous_response_id=call_item["id"], tools=[function_tool("f")])
    listed = items(relay, second["id"])["data"]
    assert [i["type"] for i in listed][-3:] == ["function_call", "reasoning", "message"]
    for item in listed:
        schemalib.validate(item, "open.ItemField")


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_have_each_item_once(relay, order, limit):
    first = answer(relay, CONVERSATION)
    found = all_pages(relay, first["id"], f"?order={order}&limit={limit}")
    assert found == items(relay, first["id"], f"?order={order}")["data"]


def test_a_page_has_twenty_items_unless_told_otherwise(relay):
    first = answer(relay, [user(str(n)) for n in range(30)])
    page = items(relay, first["id"])
    assert len(page["data"]) == 20 and page["has_more"]


@pytest.mark.parametrize("query,param", [
    ("?limit=0", "limit"), ("?limit=101", "limit"), ("?limit=many", "limit"), ("?order=up", "order"),
    ("?after=msg_unheard_of", "after")])
def test_wrong_queries(relay, query, param):
    reply = call(relay, ENDPOINTS[2], answer(relay)["id"], query)
    assert reply.status == 400 and reply.json["error"]["param"] == param


# --- input tokens

def count(relay, body, status=200):
    reply = relay.post("/v1/responses/input_tokens", body)
    assert reply.status == status, reply.text
    return reply


def test_an_estimate_says_that_it_is_one(sim, relay):
    reply = count(relay, responses_body("The quick brown fox jumps over the lazy dog"))
    assert set(reply.json) == {"object", "input_tokens"}
    assert reply.json["object"] == "response.input_tokens"
    assert 10 <= reply.json["input_tokens"] <= 25
    assert reply.headers["x-relay-estimate"] == "true"
    assert not sim.turns()


def test_estimates_are_near_what_a_turn_is_charged(relay):
    body = responses_body("word " * 2000, instructions="be kind " * 100,
                          tools=[function_tool("f", {"a": {"type": "string"}})])
    charged = relay.post("/v1/responses", body).json["usage"]["input_tokens"]
    assert 0.7 < count(relay, body).json["input_tokens"] / charged < 1.3


def test_estimates_count_what_is_referred_to(relay):
    first = answer(relay, "word " * 1000)
    alone = count(relay, responses_body("x")).json["input_tokens"]
    after = count(relay, responses_body("x", previous_response_id=first["id"])).json["input_tokens"]
    assert after - alone > 2000
    error = count(relay, responses_body("x", previous_response_id="resp_9"), 400).json["error"]
    assert error["code"] == "previous_response_not_found"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b'{"input":7}', b'{"tools":{}}'])
def test_bodies_that_cannot_be_counted(relay, body):
    count(relay, body, 400)


# --- compaction

PATH = "/v1/responses/compact"


def compacts(sim):
    return sim.requests(path="/codex/responses/compact")


def test_a_conversation_is_compacted_and_gone_on_from(sim, relay):
    first = answer(relay, "say exactly: one", instructions="be kind")
    reply = relay.post(PATH, {"model": "gpt-5.5", "previous_response_id": first["id"],
                              "instructions": "be kind"})
    assert reply.status == 200, reply.text
    schemalib.validate(reply.json, "open.CompactResource")
    assert reply.json["output"][0]["type"] == "compaction"
    assert reply.json["usage"]["input_tokens"] > 0
    sent = compacts(sim)[0]
    assert len(sent.json["input"]) == 2 and sent.json["instructions"] == "be kind"
    assert not {"store", "stream", "include", "tool_choice"} & set(sent.json)
    assert sent.header("accept") == "application/json"
    assert sent.header("session_id") == sim.turns()[0].header("session_id")
    assert reply.headers["x-relay-slot-id"]
    after = answer(relay, [*reply.json["output"], user("say exactly: two")])
    assert after["output"][0]["content"][0]["text"] == "two"


def test_members_that_upstream_refuses_are_left_out(sim, relay):
    body = responses_body("x", temperature=0.5, max_output_tokens=5, stream=True, store=True,
                          include=["reasoning.encrypted_content"], metadata={"a": "b"})
    assert relay.post(PATH, body).status == 200
    assert not set(compacts(sim)[0].json) - {"model", "instructions", "input", "prompt_cache_key"}


def test_a_native_compaction_passes_byte_for_byte(sim, relay):
    body = b'{ "model":"gpt-5.5", "input":[ {"type":"message","role":"user","content":[]} ], "instructions":"" }'
    reply = relay.post(PATH, body, {**NATIVE, "session-id": "thread-1"})
    assert reply.status == 200
    sent = compacts(sim)[0]
    assert sent.body.encode() == body
    assert sent.header("originator") == "codex_exec"
    assert reply.json["object"] == "response"  # upstream's own
    assert reply.headers["x-codex-plan-type"] == "plus"


def test_a_compaction_rolls_over(sim, relay):
    sim.script(1, {"status": 429, "body": {"error": {"type": "usage_limit_reached", "message": "m",
                                                     "resets_in_seconds": 1000}}})
    reply = relay.post(PATH, responses_body("x"))
    assert reply.status == 200 and reply.headers["x-relay-slot-id"] != "slot-1"
    assert [r.status for r in compacts(sim)] == [429, 200]
    assert relay.get("/admin/slots/1").json["slot"]["runtime"]["cooldownUntil"]


def test_a_compaction_stays_on_the_slot_of_its_conversation(sim, relay):
    def compact(key):
        return relay.post(PATH, responses_body("x", prompt_cache_key=key)).headers["x-relay-slot-id"]

    sim.set_account(1, primary={"used_percent": 100, "reset_in_seconds": 1000})
    slot = relay.responses("x", prompt_cache_key="mine").headers["x-relay-slot-id"]
    assert slot != "slot-1"
    assert [compact("mine") for _ in range(3)] == [slot] * 3


@pytest.mark.parametrize("script,status", [
    ({"status": 400, "body": {"error": {"code": "context_length_exceeded", "message": "long",
                                        "type": "invalid_request_error", "param": "input"}}}, 400),
    ({"status": 500, "body": {"error": {"message": "down"}}}, 502),
    ({"status": 200, "body": {"no": "output"}}, 502),
    ({"status": 200, "body": {"output": "text"}}, 502),
])
def test_failures_of_a_compaction_are_told(sim, start_relay, script, status):
    relay = start_relay(slots=1, config={"retry": {"maxAttempts": 1}})
    sim.script(1, script)
    reply = relay.post(PATH, responses_body("x"))
    assert reply.status in (status, script["status"]) and reply.status >= 400, reply.text
    schemalib.check_error(reply.json)
    if status == 400:
        assert reply.json["error"]["code"] == "context_length_exceeded"


@pytest.mark.parametrize("body,param", [({"input": "x"}, "model"), ({"model": "gpt-5.5"}, "input"),
                                        ({"model": "gpt-5.5", "input": 7}, "input")])
def test_compactions_that_are_refused(sim, relay, body, param):
    reply = relay.post(PATH, body)
    assert reply.status == 400 and reply.json["error"]["param"] == param
    assert not compacts(sim)


def test_an_unknown_conversation_cannot_be_compacted(sim, relay):
    reply = relay.post(PATH, {"model": "gpt-5.5", "previous_response_id": "resp_9"})
    assert reply.json["error"]["code"] == "previous_response_not_found"
    assert not compacts(sim)


def test_compactions_are_counted_and_not_kept(relay):
    reply = relay.post(PATH, responses_body("x"))
    stats = relay.get("/admin/stats").json
    assert stats["byPath"]["/v1/responses/compact"] == 1
    assert stats["continuation"]["entries"] == 0
    finish = relay.finish_of(reply)
    assert finish["status"] == 200 and finish["attempts"] == 1 and finish["input_tokens"] > 0


def test_a_client_that_goes_away_ends_its_compaction(sim, relay):
    sim.script("*", {"delay_ms": 60000})
    with relay.wire() as wire:
        wire.send_request("POST", PATH, responses_body("x"))
        sim.wait("active>=1", path="/codex/responses/compact")
    sim.wait("gone>=1", path="/codex/responses/compact")
    relay.wait_for("request.finish", lambda line: line["status"] == 499)
