"""A runtime directory of the original program, filled with accounts of codex-sim, and a walk over it.

The files are tests/fixtures/original-runtime and openclaw-home. `Original` is a relaylib.Relay on a copy of them; its
`check_kept()` says which of the members that nobody knows have been lost since.
"""
import json
import os
import pathlib
import shutil
import subprocess

import relaylib

FIXTURES = pathlib.Path(__file__).resolve().parents[1] / "fixtures"
TEXT_FILES = (".json", ".log", ".md")
ACCOUNTS = 7  # 1 to 3 are slots of the fixture, 4 and 5 OpenClaw's, 6 is imported, 7 logs in


def unknown_members(value, path=()):
    """{path: value} of all members whose names begin with x."""
    found = {}
    if isinstance(value, dict):
        for name, member in value.items():
            if name.startswith("x") and name[1:2].isupper():
                found[path + (name,)] = member
            else:
                found.update(unknown_members(member, path + (name,)))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            key = member["id"] if isinstance(member, dict) and "id" in member else index
            found.update(unknown_members(member, path + (key,)))
    return found


class Original(relaylib.Relay):
    def __init__(self, sim):
        self.home = None
        super().__init__(sim, slots=0, start=False)

    def _prepare(self, slots, config):
        """Instead of `init`: a copy of the fixture, with an upstream that is there."""
        shutil.rmtree(self.root)
        self.home = os.path.join(self.root, "home")
        words = self._words()
        copy_filled(FIXTURES / "original-runtime", self.root, words)
        copy_filled(FIXTURES / "openclaw-home", self.home, words)
        self.before = self.members()
        self.change_config({"listen": "127.0.0.1:0", "upstream": {
            "baseUrl": self.sim.base_url, "proxy": "none"}, "auth": {"issuer": self.sim.issuer}})

    def _words(self):
        words = {"@ROOT@": self.root, "@BACKEND@": self.sim.base_url}
        for number in range(1, ACCOUNTS + 1):
            profile = self.sim.auth_profiles(number)["profiles"]["openai-codex:default"]
            words[f"@ACCESS{number}@"] = profile["access"]
            words[f"@REFRESH{number}@"] = profile["refresh"]
            words[f"@ACCOUNT{number}@"] = profile["accountId"]
            words[f"@EMAIL{number}@"] = profile["email"]
            words['"@EXPIRES@"'] = str(profile["expires"])
            self.tokens += [profile["access"].encode(), profile["refresh"].encode()]
        return words

    def members(self):
        """The unknown members of all JSON files, by file and place."""
        found = {}
        for path in sorted(pathlib.Path(self.root).rglob("*.json")):
            if not path.is_relative_to(self.home):
                name = str(path.relative_to(self.root))
                for place, value in unknown_members(json.loads(path.read_text())).items():
                    found[(name, *place)] = value
        return found

    def check_kept(self, without_slot=None):
        now = self.members()
        for place, value in self.before.items():
            if without_slot in place or f"state/slots/{without_slot}" in place[0]:
                continue
            assert place in now, f"{place} is lost"
            assert now[place] == value, f"{place} was {value}, is {now[place]}"

    def environment(self):
        return os.environ | {"OPENCLAW_HOME": os.path.join(self.home, "openclaw"), "NO_COLOR": "1"}

    def start_command(self, *words, **options):
        return subprocess.Popen([self.binary, "--runtime-root", self.root, "--json", *words],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env=self.environment(), **options)

    def finish_command(self, child, stdin=None):
        """Its JSON result; it must have succeeded."""
        out, errors = child.communicate(stdin, timeout=relaylib.TIMEOUT)
        self.outputs += [out.encode(), errors.encode()]
        assert child.returncode == 0, f"{child.args}: status {child.returncode}: {errors}"
        return json.loads(out)

    def command(self, *words):
        return self.finish_command(self.start_command(*words, stdin=subprocess.DEVNULL))


def copy_filled(source, target, words):
    for path in source.rglob("*"):
        to = pathlib.Path(target) / path.relative_to(source)
        if path.is_dir():
            continue
        to.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        text = path.read_text(encoding="utf-8")
        for word, value in words.items():
            text = text.replace(word, value)
        to.write_text(text, encoding="utf-8")
        to.chmod(0o600)


def has_keys(value, wanted, place="result"):
    """wanted: a dict of keys that must be there, with what they hold; [x]: a list whose elements are like x; None: any."""
    if isinstance(wanted, dict):
        assert isinstance(value, dict), f"{place} is no object: {value!r}"
        for key, inner in wanted.items():
            assert key in value, f"{place} has no {key}: {sorted(value)}"
            has_keys(value[key], inner, f"{place}.{key}")
    elif isinstance(wanted, list):
        assert isinstance(value, list), f"{place} is no list: {value!r}"
        if wanted:
            assert value, f"{place} is empty"
            for index, element in enumerate(value):
                has_keys(element, wanted[0], f"{place}[{index}]")
    elif wanted is not None:
        assert isinstance(value, wanted), f"{place} is {value!r}"
