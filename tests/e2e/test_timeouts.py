"""Clients that are too slow: the real limits of 15 and 30 seconds, which no setting shortens.

The slow clients start with the session (conftest.py) and take their time beside the other tests.
"""


def assert_408(reply, seconds, limit):
    assert reply.status == 408
    assert reply.json["error"]["type"] == "invalid_request_error"
    assert reply.headers["connection"] == "close"
    assert limit - 1 <= seconds <= limit + 10


def test_a_header_per_second_is_408(slow_clients):
    assert_408(*slow_clients.result("headers"), limit=15)


def test_body_that_stops_is_408(slow_clients):
    assert_408(*slow_clients.result("body"), limit=30)


def test_others_noticed_nothing(slow_clients):
    slow_clients.result("headers")
    replies = slow_clients.result("bystander")
    assert len(replies) >= 10 and all(reply.status == 200 for reply in replies)
