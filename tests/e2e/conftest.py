"""Fixtures of the relay's tests. Tests of the simulator alone do not use them."""
import pytest

from relaylib import Relay
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
