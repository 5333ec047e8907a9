"""What people see and type: help, documentation, completion, narrow terminals, wide characters, colours."""
import json
import os
import re
import shlex
import shutil

import pytest

import clilib
import relaylib
from clilib import OK, USAGE

COMMANDS = re.compile(r"^  ([a-z][a-z-]+) ", re.M)
LABELS = ["work@example.org", "ワイド 日本語 🚀 und ein langer Rest", "e\u0301te\u0301 " * 12, "x" * 120]
ERROR = "rate_limit: You've hit your usage limit. Upgrade to Pro, or try again at 11:20 AM. " * 2


@pytest.fixture(scope="module")
def relay():
    relay = relaylib.Relay(None, slots=0, start=False)
    now = "2026-01-01T00:00:00Z"
    relay.write_json("config/slots.json", {"version": 1, "slots": [{
        "id": f"slot-{number}", "enabled": number != 3, "label": label,
        "usage": {"usage5h": "8% left · resets 1h" if number > 1 else "95% left", "usageWeek": None,
                  "checkedAt": "2199-01-01T00:00:00Z"},
        "runtime": {"cooldownUntil": "2199-01-01T00:00:00Z" if number == 2 else None,
                    "lastUsedAt": now, "lastError": ERROR, "consecutiveFailures": 1},
        "relay": {"plan": "enterprise", "cooldownReason": "rate_limit"}}
        for number, label in enumerate(LABELS, 1)]})
    for number in range(1, len(LABELS) + 1):
        os.makedirs(relay.path(f"state/slots/slot-{number}/agent"), 0o700)
        relay.write_json(f"state/slots/slot-{number}/agent/auth-profiles.json", {
            "access": "a", "refresh": "r", "expires": 4000000000000, "accountId": f"acc-{number}"})
    yield relay
    relay.remove()


def run(relay, *words, **options):
    return clilib.with_pipes([relay.binary, "--runtime-root", relay.root, *words], **options)


def show(relay, *words, **options):
    return clilib.on_terminal([relay.binary, "--runtime-root", relay.root, *words], **options)


# --- help and documentation ---------------------------------------------------------------------


def commands(relay):
    return COMMANDS.findall(run(relay, "--help").text)


def test_every_command_has_help_with_an_example_that_the_program_takes(relay):
    for name in commands(relay):
        text = run(relay, name, "--help").text
        example = re.search(r"^Example:\n  codex-slot-relay (.+)$", text, re.M).group(1)
        words = shlex.split(example)
        assert words[0] == name
        # With --help behind it the options are parsed and nothing is done.
        assert run(relay, *words, "--help").text == text
        assert run(relay, name, "--no-such-option").status == USAGE


def test_documentation_is_the_table(relay):
    text = (relaylib.REPOSITORY / "docs/cli.md").read_text(encoding="utf-8")
    assert run(relay, "cli-doc").text == text, "codex-slot-relay cli-doc > docs/cli.md"


def test_documentation_tells_output_and_exit_status_of_every_command(relay):
    text = run(relay, "cli-doc").text
    for status in range(5):
        assert f"\n| {status} | " in text
    sections = {part.split("\n")[0]: part for part in text.split("\n## ")[1:]}
    for name in commands(relay):
        assert "\nOutput: " in sections[name], name
        assert "\nExample: `codex-slot-relay " in sections[name]


def test_json_holds_what_the_documentation_says(relay):
    text = run(relay, "cli-doc").text
    sections = {part.split("\n")[0]: part for part in text.split("\n## ")[1:]}
    for words in (["slot-list"], ["health"], ["doctor", "--offline"], ["dependency-map"],
                  ["config", "list"], ["config", "get", "listen"], ["config", "check"]):
        result = json.loads(run(relay, *words).text)
        documented = set(re.findall(r"`(\w+)`", sections[words[0]].split("\nOutput: ")[1]))
        assert set(result) <= documented, words
        if words == ["slot-list"]:
            assert set(result["slots"][0]) <= documented, set(result["slots"][0]) - documented


def test_help_of_the_program_tells_the_exit_statuses(relay):
    assert re.findall(r"^  (\d)  ", run(relay, "--help").text, re.M) == list("01234")


# --- terminals ----------------------------------------------------------------------------------

VIEWS = [["slot-list"], ["health"], ["doctor", "--offline"], ["config", "list"], ["dependency-map"]]


@pytest.mark.parametrize("columns", [60, 80, 100, 132, 200])
@pytest.mark.parametrize("words", VIEWS)
def test_no_line_is_wider_than_the_terminal(relay, words, columns):
    done = show(relay, *words, columns=columns)
    for line in done.plain.split("\n"):
        assert clilib.columns_of(line) <= columns, line


def test_columns_stand_below_each_other_with_wide_characters(relay):
    lines = show(relay, "slot-list", columns=400).plain.split("\n")
    starts = {clilib.columns_of(line[:line.index("enterprise")]) for line in lines[1:5]}
    assert starts == {clilib.columns_of(lines[0][:lines[0].index("PLAN")])}


def test_narrow_terminal_has_a_block_for_each_slot(relay):
    text = show(relay, "slot-list", columns=80).plain
    assert "SLOT" not in text and text.count("  week      unknown\n") == 4
    assert re.search(r"  5h        █+░+ +95% left", text)
    assert "slot-2  cooldown\n" in text and re.search(r"cooldown  \d+d \d+h, rate_limit\n", text)
    assert "try again at 11:20 AM." in re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("words", VIEWS)
def test_colour_is_for_terminals_that_want_it(relay, words):
    assert "\033[" in show(relay, *words).text
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\033" not in show(relay, *words, env=env).text
    assert "\033[" in show(relay, *words, env={"NO_COLOR": ""}).text
    assert "\033" not in run(relay, *words, "--table").text
    assert "\033" not in show(relay, *words, "--json").text


def test_table_in_a_pipe_is_not_cut(relay):
    text = run(relay, "slot-list", "--table").text
    assert ERROR.strip() in text and text.startswith("SLOT")


def test_ascii_where_the_terminal_has_no_more(relay):
    text = show(relay, "slot-list", env={"LC_ALL": "C"}).plain
    assert "#########-" in text and "█" not in text and "…" not in text


def test_text_that_turns_the_direction_of_writing_is_taken_out(relay):
    doc = relay.read_json("config/slots.json")
    old = doc["slots"][0]["label"]
    doc["slots"][0]["label"] = "a\u202eb\u2066c\u2028d\x85e"
    relay.write_json("config/slots.json", doc)
    assert "a?b?c?d?e" in show(relay, "slot-list").text
    doc["slots"][0]["label"] = old
    relay.write_json("config/slots.json", doc)


# --- completion ---------------------------------------------------------------------------------


def complete_bash(relay, *words):
    script = """
        source <("$1" completion bash)
        shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _codex_slot_relay
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    done = clilib.with_pipes(["bash", "-u", "-c", script, "bash", relay.binary, relay.binary, *words])
    assert done.errors == ""
    return done.text.split()


@pytest.mark.parametrize("words, wanted", [
    (["slot-en"], ["slot-enable"]),
    (["doc"], ["doctor"]),
    (["slot-enable", "--sl"], ["--slot"]),
    (["config", "se"], ["set"]),
    (["config", "get", "thresh"], ["thresholds.min5hPct", "thresholds.minWeekPct"]),
    (["config", "list", ""], []),
    (["completion", ""], ["bash", "zsh", "fish"]),
    (["help", "slot-l"], ["slot-list"]),
    (["--runtime-root", "@", "slot-enable", "--slot", ""], ["slot-1", "slot-2", "slot-3", "slot-4"]),
    (["--runtime-root", "=", "@", "slot-enable", "--slot", "=", "slot-2"], ["slot-2"]),
    (["slot-enable", "--runtime-root", "@", "--slot", "slot-3"], ["slot-3"]),
    (["slot-auth-import-file", "--label", ""], []),
    (["health", ""], []),
])
def test_bash_completion(relay, words, wanted):
    words = [relay.root if word == "@" else word for word in words]
    found = complete_bash(relay, *words)
    assert [w for w in found if w in wanted] == wanted
    assert found == wanted or words[-1].startswith("slot-") or words == ["slot-enable", "--sl"]


def test_commands_that_begin_alike(relay):
    wanted = [name for name in commands(relay) if name.startswith("slot-e")]
    assert "slot-enable" in wanted
    assert complete_bash(relay, "slot-e") == wanted
    assert complete_bash(relay, "") == commands(relay)


def test_files_are_completed_with_their_spaces(relay, tmp_path):
    (tmp_path / "my auth.json").write_text("")
    script = """
        source <("$1" completion bash)
        COMP_WORDS=("$1" slot-auth-import-file --auth-file "$2") COMP_CWORD=3
        _codex_slot_relay
        printf '%s\\n' "${#COMPREPLY[@]}" "${COMPREPLY[0]}"
    """
    done = clilib.with_pipes(["bash", "-c", script, "bash", relay.binary, f"{tmp_path}/my"])
    assert done.text == f"1\n{tmp_path}/my auth.json\n"


def test_scripts_of_all_shells_parse(relay, tmp_path):
    """zsh and fish are looked at where they are installed."""
    for shell in ("bash", "zsh", "fish"):
        path = tmp_path / f"completion.{shell}"
        path.write_text(run(relay, "completion", shell).text, encoding="utf-8")
        for name in commands(relay):
            assert name in path.read_text()
        if shutil.which(shell):
            done = clilib.with_pipes([shell, "-n", str(path)])
            assert (done.status, done.errors) == (OK, "")
    if shutil.which("fish"):
        done = clilib.with_pipes(["fish", "--no-config", "-c",
                                  f"source {path}; complete -C 'codex-slot-relay slot-en'"])
        assert done.text.split()[0] == "slot-enable"


def test_words_for_completion_are_silent_about_trouble(relay, tmp_path):
    for words in (["slots"], ["nothing"], []):
        done = clilib.with_pipes([relay.binary, "--runtime-root", str(tmp_path / "no"),
                                  "completion-words", *words])
        assert (done.status, done.text, done.errors) == (OK, "", "")
    assert run(relay, "completion", "tcsh").status == USAGE
