"""The examples of docs/clients.md, run as they stand but for the relay's address."""
import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLIENTS = pathlib.Path(os.environ.get("CLIENTS_DIR", ROOT / "tests" / "clients"))
os.environ.setdefault("RELAY_BIN", str(ROOT / "build" / "codex-slot-relay"))
os.environ.setdefault("SIM_BIN", str(ROOT / "build" / "codex-sim"))
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from relaylib import Relay  # noqa: E402  pylint: disable=wrong-import-position
from simlib import Sim  # noqa: E402  pylint: disable=wrong-import-position

ADDRESS = "127.0.0.1:8787"
RUN_SECONDS = 60
# What the simulated model makes of the prompts of a section: it repeats them, and fills schemas.
SAYS = {
    "curl": [["Write one line about relays."], ["Write", " relays", "[DONE]"], ["pong"]],
    "OpenAI SDK, Node": [["Write one line about relays.", "Another one.", "Write one line about streams."],
                         ["[ 'name', 'age' ]", "tool said: ", "snow"]],
    "OpenAI SDK, Python": [["Write one line about relays.", "Write one line about streams."]],
    "Python without packages": [["Write one line about relays.", "Write one line about streams."]],
    "Vercel AI SDK": [["Write one line about relays.", "Write one line about streams.", "[ 'name' ]", "tool said: "]],
    "Codex CLI": [["Write one line about relays."]],
}


def examples():
    """(section, language, text) of each block of the page; a toml block belongs to the next one."""
    page = (ROOT / "docs" / "clients.md").read_text()
    for part in re.split(r"^## ", page, flags=re.M)[1:]:
        for language, text in re.findall(r"^```(\w*)\n(.*?)^```$", part, flags=re.M | re.S):
            yield part.split("\n")[0], language, text


def runs():
    config, counted = None, {}
    for section, language, text in examples():
        if language == "toml":
            config = text
            continue
        number = counted[section] = counted.get(section, -1) + 1
        yield pytest.param(language, text, config, SAYS[section][number], id=f"{section} {number + 1}")
        config = None


@pytest.fixture(scope="module")
def relay():
    with Sim("--accounts", "2") as sim, Relay(sim, slots=2) as running:
        yield running


def node_bin():
    return next(CLIENTS.glob("node_modules/node-linux-*/bin/node"))


def codex_directory():
    return next(CLIENTS.glob("node_modules/@openai/codex-*/vendor/*-*/bin"))


def command_of(language, text, folder):
    if language == "bash":
        return ["bash", "-euo", "pipefail", "-c", text]
    if language == "python":
        return ["/usr/bin/python3", "-c", text]
    assert language == "javascript", f"nobody runs {language}"
    # Where the packages are found.
    (folder / "node_modules").symlink_to(CLIENTS.resolve() / "node_modules")
    (folder / "example.mjs").write_text(text)
    return [str(node_bin()), str(folder / "example.mjs")]


def environment(folder):
    kept = {key: value for key, value in os.environ.items()
            if not key.lower().endswith("_proxy") and not key.startswith("OPENAI_")}
    return {**kept, "HOME": str(folder), "CODEX_HOME": str(folder / ".codex"),
            "PATH": f"{codex_directory()}:{kept['PATH']}"}


# What keeps the CLI off the network: examples for people do without.
OFFLINE = """
check_for_update_on_startup = false
[analytics]
enabled = false
[otel]
metrics_exporter = "none"
[features]
plugins = false
apps = false
remote_plugin = false
"""


def write_config(config, folder, address):
    (folder / ".codex").mkdir()
    if config:
        model, rest = config.split("\n\n", 1)
        whole = model + OFFLINE + rest
        (folder / ".codex" / "config.toml").write_text(whole.replace(ADDRESS, address))


@pytest.mark.parametrize("language,text,config,says", runs())
def test_example(relay, tmp_path, language, text, config, says):
    if "from openai" in text and subprocess.run(
            ["/usr/bin/python3", "-c", "import openai"], capture_output=True, check=False).returncode:
        pytest.skip("this machine has no openai package for Python")
    assert ADDRESS in text + (config or "")
    write_config(config, tmp_path, relay.address)
    done = subprocess.run(
        command_of(language, text.replace(ADDRESS, relay.address), tmp_path), cwd=tmp_path,
        env=environment(tmp_path), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=RUN_SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for words in says:
        assert words in done.stdout, done.stdout + done.stderr


def test_every_example_is_known():
    assert {section for section, _, _ in examples()} == set(SAYS)
