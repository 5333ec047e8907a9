"""Fixtures of the relay's tests. Tests of the simulator alone do not use them."""
import pytest

from relaylib import Relay
from simlib import Sim


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
