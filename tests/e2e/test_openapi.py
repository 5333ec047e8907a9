"""docs/openapi.yaml says what there is, and what there is is as docs/openapi.yaml says."""
import json
import subprocess
import time

import jsonschema
import pytest
import yaml

from adminlib import Events
from relaylib import REPOSITORY, relay_binary

SPEC = yaml.safe_load((REPOSITORY / "docs/openapi.yaml").read_text(encoding="utf-8"))
METHODS = ("get", "post", "put", "delete", "patch")
EVENTS = {"hello": "EventHello", "slot": "EventSlot", "slot_removed": "EventSlotRemoved",
          "request": "EventRequest", "dropped": "EventDropped", "end": "EventEnd"}


def routes():
    done = subprocess.run([relay_binary(), "routes"], capture_output=True, check=True, timeout=60)
    return json.loads(done.stdout)["routes"]


def operations():
    """(method, path, operation) of the document."""
    for path, item in SPEC["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path, item[method]


def resolved(value):
    while "$ref" in value and len(value) == 1:
        at = SPEC
        for part in value["$ref"].removeprefix("#/").split("/"):
            at = at[part]
        value = at
    return value


def answer_schema(method, path, status):
    answers = resolved(SPEC["paths"][path][method.lower()])["responses"]
    answer = resolved(answers.get(str(status)) or answers["default"])
    return answer["content"]["application/json"]["schema"]


def validate(value, schema):
    """schema: a part of the document, or the name of one of its schemas."""
    if isinstance(schema, str):
        schema = {"$ref": "#/components/schemas/" + schema}
    validator = jsonschema.Draft202012Validator({**schema, "components": SPEC["components"]})
    errors = [f"{e.json_path}: {e.message}" for e in validator.iter_errors(value)]
    assert not errors, "\n".join(errors)


# --- The document itself

def test_the_document_has_every_route_and_no_other():
    in_table = {(method, route["path"]) for route in routes()
                for method in route["methods"].split(", ") if method != "HEAD"}
    in_document = {(method, path) for method, path, _ in operations()}
    assert in_table == in_document


def test_who_may_ask_is_as_in_the_table():
    roles = {(method, route["path"]): route["role"] for route in routes()
             for method in route["methods"].split(", ")}
    for method, path, operation in operations():
        is_open = operation.get("security") == []
        assert is_open == (roles[method, path] == "none"), path
        assert path.startswith("/admin/") == (roles[method, path] == "admin"), path


def test_every_operation_is_described():
    for method, path, operation in operations():
        assert operation["summary"] and operation["tags"] and operation["responses"], (method, path)
        parameters = operation.get("parameters", []) + SPEC["paths"][path].get("parameters", [])
        names = {resolved(p)["name"] for p in parameters if resolved(p)["in"] == "path"}
        assert names == ({"id"} if "{id}" in path else set()), path


def references(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_references_lead_somewhere_and_every_schema_is_used():
    found = set(references(SPEC))
    for reference in found:
        resolved({"$ref": reference})
    used = {r.rsplit("/", 1)[1] for r in found} | set(EVENTS.values())
    assert set(SPEC["components"]["schemas"]) <= used


def examples(value):
    """(schema, example) pairs."""
    if isinstance(value, dict):
        if "example" in value and not isinstance(value.get("in"), str):
            yield value.get("schema", value), value["example"]
        for inner in value.values():
            yield from examples(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from examples(inner)


def test_schemas_are_schemas_and_examples_fit_them():
    for schema in SPEC["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    pairs = list(examples(SPEC))
    assert len(pairs) > 10
    for schema, example in pairs:
        validate(example, {k: v for k, v in schema.items() if k != "example"})


# --- A running relay

def check(relay, method, path, body=None, status=200, headers=None, **parts):
    reply = relay.request(method, path.replace("{id}", parts.get("id", "")) + parts.get("query", ""),
                          body, headers)
    assert reply.status == status, reply.text
    validate(reply.json, answer_schema(method, path, status))
    return reply


def limit_reached():
    return {"status": 429, "body": {"error": {"type": "usage_limit_reached", "message": "m",
                                              "resets_at": int(time.time()) + 5000}}}


SLOT_CHANGES = ("disable", "enable", "reset", "refresh")


def test_answers_of_a_used_relay_are_as_described(sim, relay):
    sim.script(1, limit_reached())
    reply = check(relay, "POST", "/v1/chat/completions",
                  {"model": "gpt-5.5", "messages": [{"role": "user", "content": "hi"}]})
    answer = check(relay, "POST", "/v1/responses", {"model": "gpt-5.5", "input": "hi"}).json["id"]
    check(relay, "POST", "/v1/responses", b"{", status=400)
    check(relay, "GET", "/v1/responses/{id}", id=answer)
    check(relay, "GET", "/v1/responses/{id}/input_items", id=answer)
    check(relay, "POST", "/v1/responses/{id}/cancel", id=answer, status=400)
    check(relay, "DELETE", "/v1/responses/{id}", id=answer)
    check(relay, "GET", "/v1/responses/{id}", id=answer, status=404)
    for path in ("input_tokens", "compact"):
        check(relay, "POST", "/v1/responses/" + path, {"model": "gpt-5.5", "input": "hi"})
    for path in ("/v1/models", "/healthz", "/readyz", "/admin/slots", "/admin/stats", "/admin/config",
                 "/admin/dependency-map", "/admin/requests", "/backend-api/wham/accounts/check",
                 "/api/codex/accounts/check", "/backend-api/wham/usage", "/api/codex/usage",
                 "/backend-api/wham/settings/user"):
        check(relay, "GET", path)
    check(relay, "POST", "/backend-api/codex/responses", {"model": "gpt-5.5", "input": "hi"})
    check(relay, "POST", "/backend-api/codex/responses/compact", {"model": "gpt-5.5", "input": "hi"})
    check(relay, "GET", "/v1/models/{id}", id="relay-selftest")
    check(relay, "GET", "/admin/requests/{id}", id=reply.headers["x-relay-request-id"])
    for number in ("1", "2", "slot-3"):
        check(relay, "GET", "/admin/slots/{id}", id=number)
        for change in SLOT_CHANGES:
            check(relay, "POST", "/admin/slots/{id}/" + change, id=number)
    check(relay, "POST", "/admin/refresh-usage")
    check(relay, "POST", "/admin/refresh-usage", query="?slot=1")
    check(relay, "DELETE", "/admin/slots/{id}", id="3")
    check(relay, "GET", "/admin/slots")
    check(relay, "GET", "/admin/stats")


def test_what_codex_clients_are_told_is_as_described(start_relay):
    relay = start_relay(slots=1, config={"logLevel": "debug", "codexClients": {"sideCalls": "empty"}})
    check(relay, "POST", "/backend-api/ps/*", {})
    check(relay, "GET", "/backend-api/ps/*")
    check(relay, "POST", "/backend-api/codex/analytics-events/*", {})
    relay.wait_for("models.fetch", lambda line: line["ok"])
    check(relay, "GET", "/backend-api/codex/models")


def test_answers_of_a_fresh_relay_without_slots_are_as_described(start_relay):
    relay = start_relay(slots=0)
    for path in ("/v1/models", "/healthz", "/admin/slots", "/admin/stats", "/admin/requests"):
        check(relay, "GET", path)
    check(relay, "GET", "/readyz", status=503)
    check(relay, "POST", "/admin/refresh-usage")
    check(relay, "POST", "/v1/responses", {"model": "gpt-5.5", "input": "hi"}, status=429)


def test_slots_of_the_original_format_are_as_described(start_relay):
    relay = start_relay(start=False)
    document = relay.read_json("config/slots.json")
    document["slots"][0]["usage"] = {"usage5h": "95% left", "usageWeek": None, "fivePct": 95,
                                     "weekPct": None, "checkedAt": 1700000000}
    document["slots"][1]["runtime"] = {"cooldownUntil": int(time.time() * 1000) + 60000, "lastUsedAt": 0,
                                       "lastError": "x", "consecutiveFailures": 2}
    document["slots"][2] = {"id": "slot-3"}
    relay.write_json("config/slots.json", document)
    relay.start()
    check(relay, "GET", "/admin/slots")
    for number in "123":
        check(relay, "GET", "/admin/slots/{id}", id=number)


@pytest.mark.parametrize("operation", [o[:2] for o in operations()], ids="-".join)
def test_errors_are_as_described(relay, operation):
    method, path = operation
    if SPEC["paths"][path][method.lower()].get("security") != []:
        check(relay, method, path, status=401, headers={"Authorization": None}, id="1")
    if path.startswith("/admin/") and "{id}" in path:
        check(relay, method, path, status=404, id="999")


def test_conflicts_and_failures_are_as_described(sim, start_relay):
    relay = start_relay(config={"upstream": {"baseUrl": "http://127.0.0.1:1"}})
    sim.set_account(1, revoke_refresh=True)
    check(relay, "POST", "/admin/slots/{id}/refresh", status=409, id="1")
    check(relay, "POST", "/admin/refresh-usage", status=502)
    reply = check(relay, "POST", "/v1/responses", {"model": "gpt-5.5", "input": "hi"}, status=502)
    check(relay, "GET", "/admin/requests/{id}", id=reply.headers["x-relay-request-id"])
    check(relay, "GET", "/admin/stats")


def test_events_are_as_described(sim, relay):
    seen = set()
    with Events(relay) as events:
        validate(events.hello, "EventHello")
        sim.script(1, limit_reached())
        relay.responses()
        relay.request("POST", "/admin/slots/2/disable")
        relay.get("/nowhere")
        relay.request("DELETE", "/admin/slots/3")
        while not {"slot", "slot_removed", "request"} <= seen:
            name, data = events.next()
            validate(data, EVENTS[name])
            seen.add(name)
        relay.signal()
        while (event := events.next())[0]:
            validate(event[1], EVENTS[event[0]])
            seen.add(event[0])
    assert "end" in seen
    relay.check_end(relay.wait_end())
