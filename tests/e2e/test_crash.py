"""kill -9 while state is written: every file is whole afterwards, no slot is lost, no grant either."""
import hashlib
import json
import os
import random
import subprocess
import time

from inotify import Watch
from relaylib import QUIET
from simlib import Background

WRITES = 500
SEED = 20261126
RESTART_EVERY = 50  # writes between two kills of the relay
SLOTS = 3
REFRESH = 2  # of commands()
CUT_PART = 0.25  # of the refreshes
AGENT = "state/slots/slot-{}/agent/"


def commands(relay):
    """What they write: slots.json, a credential with its note, both."""
    return [
        lambda n: ["slot-disable", "--slot", str(n)],
        lambda n: ["slot-enable", "--slot", str(n)],
        lambda n: ["slot-refresh", "--slot", str(n)],
        lambda n: ["slot-auth-import-file", "--slot", str(n), "--auth-file",
                   relay.path(f"account-{n}.json")],
    ]


def start(relay, arguments, env=None):
    return subprocess.Popen([relay.binary, "--runtime-root", relay.root, "--json", *arguments],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                            env={**os.environ, **(env or {})})


def usual_seconds(relay, make):
    """How long commands take here, to aim at all of their course."""
    began = time.monotonic()
    for _ in range(3):
        start(relay, make(1)).wait()
    return (time.monotonic() - began) / 3


def check_json(relay):
    for path, _, names in os.walk(relay.root):
        for name in names:
            if ".tmp." in name or not name.endswith((".json", ".refresh")):
                continue
            with open(os.path.join(path, name), encoding="utf-8") as file:
                assert isinstance(json.load(file), dict), name


def check_slots(relay):
    records = relay.records()
    assert sorted(records) == [f"slot-{n}" for n in range(1, SLOTS + 1)]
    for number in range(1, SLOTS + 1):
        assert records[f"slot-{number}"]["label"] == f"label {number}"
        assert records[f"slot-{number}"]["custom"] == number, "unknown members survive"


def is_noted(relay, number, refresh):
    try:
        note = relay.read_json(AGENT.format(number) + "auth-profiles.json.refresh")
    except FileNotFoundError:
        return False
    return note["refreshFingerprint"] == hashlib.sha256(refresh.encode()).hexdigest()[:32]


def check_grant(relay, number):
    """The file has the account's present grant, or it is noted that this one was spent. A new login
    follows, as people would do: True when it was necessary."""
    profile = relay.profile(number)
    current = relay.sim.auth_profiles(number)["profiles"]["openai-codex:default"]
    if profile["refresh"] == current["refresh"]:
        return False
    assert is_noted(relay, number, profile["refresh"]), "a grant was lost silently"
    return True


def log_in_again(relay, number):
    relay.sim.set_account(number, login=True)
    relay.sim.write_auth_profiles(number, relay.path(f"account-{number}.json"))
    assert start(relay, commands(relay)[3](number)).wait() == 0


def prepare(relay):
    doc = relay.read_json("config/slots.json")
    for number, record in enumerate(doc["slots"], 1):
        record["custom"] = number
        relay.sim.write_auth_profiles(number, relay.path(f"account-{number}.json"))
    relay.write_json("config/slots.json", doc)


def kill_relay(relay, chance):
    """While it writes what it has learnt from requests, or at any time before."""
    with Watch(relay.path("config")) as watch:
        asked = [Background(lambda: relay.responses("hello")) for _ in range(4)]
        watch.changes(timeout=chance.uniform(0, 1.5))
        relay.kill()
    for one in asked:
        one.result()


def kill_command(relay, arguments, seconds):
    command = start(relay, arguments)
    try:
        command.wait(seconds)
    except subprocess.TimeoutExpired:
        command.kill()
        command.wait()


def cut_refresh(relay, number):
    """Dies between the answer and its file, if it asks; a random moment seldom hits that."""
    start(relay, commands(relay)[REFRESH](number), {"RELAY_FAULT": "refresh-after-answer"}).wait()


def test_kill_9_at_random_points_of_state_writes(sim, start_relay):
    relay = start_relay(slots=SLOTS, start=False, config=QUIET)
    chance = random.Random(SEED)
    prepare(relay)
    kinds = commands(relay)
    seconds = [usual_seconds(relay, make) for make in kinds]
    relay.sim.write_auth_profiles(1, relay.path("account-1.json"))
    log_in_again(relay, 1)
    relay.start()
    logins = 0
    for count in range(1, WRITES + 1):
        number, kind = chance.randint(1, SLOTS), chance.randrange(len(kinds))
        sim.write_auth_profiles(number, relay.path(f"account-{number}.json"))
        if kind == REFRESH and chance.random() < CUT_PART:
            cut_refresh(relay, number)
        else:
            kill_command(relay, kinds[kind](number), chance.uniform(0, 1.5 * seconds[kind]))
        if count % RESTART_EVERY == 0:
            kill_relay(relay, chance)
            relay.start()
        check_json(relay)
        check_slots(relay)
        if check_grant(relay, number):
            log_in_again(relay, number)
            logins += 1
    assert 0 < logins < WRITES / 5, "some refreshes were cut, and not all"
    for number in range(1, SLOTS + 1):
        relay.cli("slot-enable", "--slot", str(number))
    assert relay.responses("hello").status == 200
