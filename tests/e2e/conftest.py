"""Fixtures of the relay's tests. Tests of the simulator alone do not use them."""
import time

import pytest

from relaylib import QUIET, Relay
from simlib import Sim
from slowlib import SlowClients


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "alone: asserts how long something takes; no other test runs beside it")
    config.addinivalue_line(
        "markers", "xdist_group(name): run by one process, in order")


@pytest.fixture
def sim():
    with Sim("--accounts", "3") as running:
        yield running


@pytest.fixture
def relay(sim):
    """Three slots, default configuration."""
    with Relay(sim) as running:
        yield running


@pytest.fixture
def quiet_relay(start_relay):
    """Three slots; it learns of the accounts by the test's requests alone."""
    return start_relay(config=QUIET)


@pytest.fixture
def start_relay(sim):
    """Starts relays with a configuration of their own in front of the test's simulator."""
    running = []

    def start(**options):
        running.append(Relay(sim, **options))
        return running[-1]

    yield start
    for one in running:
        try:
            one.stop()
        finally:
            one.kill()
            one.remove()


@pytest.fixture
def even_relay(start_relay):
    """All slots are known to be as good as each other: new sessions go around."""
    relay = start_relay(start=False, config={**QUIET, "selectionPolicy": "least-recently-used"})
    slots = relay.read_json("config/slots.json")
    for record in slots["slots"]:
        record["usage"] = {"usage5h": "90% left", "usageWeek": "90% left",
                           "fivePct": 90, "weekPct": 90, "checkedAt": int(time.time() * 1000)}
    relay.write_json("config/slots.json", slots)
    return relay.start()


@pytest.fixture(scope="session", autouse=True)
def slow_clients(request):
    """Starts with the session when a test will ask how they fared: they need half a minute."""
    if not any("slow_clients" in item.function.__code__.co_varnames
               for item in request.session.items):
        yield None
        return
    clients = SlowClients()
    yield clients
    clients.stop()
