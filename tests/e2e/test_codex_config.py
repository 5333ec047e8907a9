"""codex-config and client-config: what the Codex CLI and other clients need to know of the relay."""
import base64
import json
import os
import shlex
import stat
import subprocess

import pytest

import relaylib

tomllib = pytest.importorskip("tomllib")  # Python 3.11

URL = "http://127.0.0.1:8787"
TLS_URL = "https://127.0.0.1:8443"
MODES = {"api-key": URL, "chatgpt": URL, "chatgpt-tls": TLS_URL}

# What a config.toml may look like; name: bytes.
SAMPLES = {
    "empty": b"",
    "no_newline_at_the_end": b'model = "gpt-5.5"\napproval_policy = "never"',
    "crlf": b'# mine\r\nmodel_provider = "other"\r\n\r\n[model_providers.other]\r\nname = "x"\r\n',
    "crlf_no_newline_at_the_end": b'model = "a"\r\n[tui]\r\ntheme = "dark"',
    "comments": b'# first\n\n   # indented\nmodel = "gpt-5.5" # behind\n#model_provider = "not this"\n[tui] # x\n',
    "model_provider": b'model_provider = "mine"\nmodel = "m"\n\n[model_providers.mine]\nname = "m"\n'
                      b'base_url = "http://127.0.0.1:1/v1"\n',
    "provider_relay": b'[model_providers.relay]\nname = "relay"\nbase_url = "http://127.0.0.1:1/v1"\n'
                      b'wire_api = "responses"\nenv_key = "K"\n',
    "provider_of_our_name": b'model_provider = "codex-slot-relay"\n[model_providers.codex-slot-relay]\n'
                            b'name = """\ntwo\n\nlines"""\nbase_url = "http://127.0.0.1:1/v1"\n\n'
                            b'[model_providers.codex-slot-relay.http_headers]\na = "b"\n\n[tui]\nx = 1\n',
    "dotted_keys": b'tui.theme = "dark"\nmodel_providers.mine.name = "m"\n'
                   b'model_providers."codex-slot-relay".name = "old"\n"model_provider" = "mine"\n',
    "table_of_providers": b'[model_providers]\ncodex-slot-relay = { name = "old" }\n'
                          b'mine = { name = "m", base_url = "http://127.0.0.1:1/v1" }\n',
    "inline_tables": b'shell_environment_policy = { inherit = "all", set = { A = "[x]" } }\n'
                     b'model_providers = { mine = { name = "}" } }\nnotify = [\n  "a", # ]\n  "b",\n]\n',
    "look_alikes": b'developer_instructions = """\n[model_providers.codex-slot-relay]\nmodel_provider = "x"\n'
                   b'# >>> codex-slot-relay: codex-slot-relay\n#codex-slot-relay# model = "y"\n'
                   b'# <<< codex-slot-relay\n"""\nuser = \'\'\'\nmodel_provider = "z" \\\'\'\'\n'
                   b'[tui]\ntext = """x\\""" [t]"""""\n',
    "bom": b'\xef\xbb\xbfmodel_provider = "mine"\n',
    "bom_alone": b"\xef\xbb\xbf",
    "urls": b'chatgpt_base_url = "https://a.example/backend-api"\nopenai_base_url = "https://b.example"\n',
    "arrays_of_tables": b'[[skills.config]]\npath = "a"\n[[skills.config]]\npath = "b"\nmodel = "inner"\n',
    "blank_end": b'model = "gpt-5.5"\n\n\n  \n',
    "unicode": 'user = "grüße, 世界"\n'.encode(),
}


@pytest.fixture(name="cli")
def fixture_cli(start_relay):
    """A relay's runtime directory; nothing runs."""
    relay = start_relay(start=False, slots=1)
    relay.change_config({"listen": "127.0.0.1:8787"})
    return relay


@pytest.fixture(name="home")
def fixture_home(tmp_path):
    directory = tmp_path / "codex"
    directory.mkdir()
    return directory


def configure(relay, home, *args, mode="api-key", ok=True):
    args = [*args, "--codex-home", str(home)]
    if "--remove" not in args:
        args += ["--mode", mode, "--url", MODES[mode]]
    done = relay.run("codex-config", *args)
    assert (done.returncode == 0) == ok, done.stderr
    return json.loads(done.stdout) if ok else done


def parsed(path):
    return tomllib.loads(path.read_bytes().decode("utf-8-sig"))


def assert_wired(config, mode, model=None):
    provider = config.get("model_providers", {}).get("codex-slot-relay")
    if model:
        assert config["model"] == model
    if mode == "chatgpt-tls":
        assert "model_provider" not in config
        assert config["chatgpt_base_url"] == TLS_URL + "/backend-api/"
        assert config["openai_base_url"] == TLS_URL + "/backend-api/codex"
        return
    assert config["model_provider"] == "codex-slot-relay"
    expected = {"name": "codex-slot-relay", "wire_api": "responses"}
    if mode == "api-key":
        expected |= {"name": "OpenAI", "base_url": URL + "/v1", "env_key": "CODEX_SLOT_RELAY_TOKEN"}
    else:
        expected |= {"base_url": URL + "/backend-api/codex", "requires_openai_auth": True}
        assert config["chatgpt_base_url"] == URL + "/backend-api"
    assert provider == expected


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sample", SAMPLES)
def test_write_then_remove_leaves_every_byte(cli, home, sample, mode):
    file = home / "config.toml"
    before = SAMPLES[sample]
    file.write_bytes(before)
    file.chmod(0o640)
    answer = configure(cli, home, "--write", "--model", "gpt-5.5", mode=mode)
    assert answer["changed"] and answer["file"] == str(file)
    wired = file.read_bytes()
    assert_wired(parsed(file), mode, "gpt-5.5")
    assert (home / "config.toml.before-codex-slot-relay").read_bytes() == before
    assert not configure(cli, home, "--write", "--model", "gpt-5.5", mode=mode)["changed"]
    assert file.read_bytes() == wired
    assert configure(cli, home, "--remove")["changed"]
    assert file.read_bytes() == before
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert os.listdir(home) == ["config.toml"]
    assert not configure(cli, home, "--remove")["changed"]


@pytest.mark.parametrize("sample", SAMPLES)
def test_another_mode_replaces_the_former_one_and_is_undone_as_well(cli, home, sample):
    file = home / "config.toml"
    file.write_bytes(SAMPLES[sample])
    for mode in (*MODES, *reversed(MODES)):
        configure(cli, home, "--write", mode=mode)
        assert_wired(parsed(file), mode)
        assert (home / "config.toml.before-codex-slot-relay").read_bytes() == SAMPLES[sample]
    configure(cli, home, "--remove")
    assert file.read_bytes() == SAMPLES[sample]


def test_what_is_not_in_the_way_stays_as_it_says(cli, home):
    file = home / "config.toml"
    file.write_bytes(b'model = "mine"\n[tui]\nmodel = 1\nmodel_provider = 2\n[model_providers.a]\nname = "a"\n')
    configure(cli, home, "--write")
    config = parsed(file)
    assert config["model"] == "mine" and config["tui"] == {"model": 1, "model_provider": 2}
    assert config["model_providers"]["a"] == {"name": "a"}


def test_a_file_that_was_made_for_the_relay_goes_with_it(cli, tmp_path):
    home = tmp_path / "not" / "yet"
    answer = configure(cli, home, "--write")
    assert answer["backup"] is None
    assert_wired(parsed(home / "config.toml"), "api-key")
    assert stat.S_IMODE((home / "config.toml").stat().st_mode) == 0o600
    configure(cli, home, "--remove")
    assert os.listdir(home) == []


def test_what_the_cli_wrote_meanwhile_stays(cli, home):
    """The CLI keeps comments in their places: its own tables may come to stand between marks."""
    file = home / "config.toml"
    file.write_bytes(b'approval_policy = "never"')
    configure(cli, home, "--write")
    text = file.read_text()
    close = "# <<< codex-slot-relay"
    assert text.count(close) == 2
    first, second = text.index(close), text.rindex(close)
    file.write_text(text[:first] + 'model = "chosen"\n' + text[first:second]
                    + '\n[projects."/x"]\ntrust_level = "trusted"\n' + text[second:])
    assert parsed(file)["projects"] == {"/x": {"trust_level": "trusted"}}
    configure(cli, home, "--remove")
    assert parsed(file) == {"approval_policy": "never", "model": "chosen",
                            "projects": {"/x": {"trust_level": "trusted"}}}
    assert (home / "config.toml.before-codex-slot-relay").exists()


def test_a_link_stays_a_link(cli, home, tmp_path):
    real = tmp_path / "dotfiles.toml"
    real.write_bytes(b"x = 1\n")
    (home / "config.toml").symlink_to(real)
    configure(cli, home, "--write")
    assert (home / "config.toml").is_symlink()
    assert_wired(parsed(real), "api-key")
    configure(cli, home, "--remove")
    assert real.read_bytes() == b"x = 1\n"


def test_a_link_to_a_file_that_is_not_there_yet_stays_a_link(cli, home, tmp_path):
    (tmp_path / "dotfiles").mkdir()
    real = tmp_path / "dotfiles" / "codex.toml"
    (home / "config.toml").symlink_to("../dotfiles/codex.toml")
    configure(cli, home, "--write")
    assert os.readlink(home / "config.toml") == "../dotfiles/codex.toml"
    assert_wired(parsed(real), "api-key")
    configure(cli, home, "--remove")
    assert os.readlink(home / "config.toml") == "../dotfiles/codex.toml" and not real.exists()


def test_a_file_that_would_be_too_large_to_be_put_back_is_left_alone(cli, home):
    file = home / "config.toml"
    before = b"x" * 14 + b" = 1\n# " + b"y" * ((1 << 20) - 100) + b"\n"
    file.write_bytes(before)
    done = configure(cli, home, "--write", ok=False)
    assert done.returncode == 1 and "too large" in done.stderr
    assert file.read_bytes() == before and os.listdir(home) == ["config.toml"]


BROKEN = {
    "no_value": b"model =\n",
    "no_key": b'= "x"\n',
    "no_toml": b"<html>\n",
    "open_string": b'a = "x\n',
    "open_long_string": b'a = """x\n"\n',
    "open_array": b"a = [1,\n",
    "closed_twice": b"a = ]\n",
    "bad_table": b"[a\n",
    "more_behind_a_table": b"[a] b\n",
    "begin_without_end": b"# >>> codex-slot-relay\nx = 1\n",
    "end_without_begin": b"# <<< codex-slot-relay\n",
    "two_begins": b"# >>> codex-slot-relay\n# >>> codex-slot-relay\n# <<< codex-slot-relay\n",
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_file_that_makes_no_sense_is_left_alone(cli, home, broken):
    file = home / "config.toml"
    file.write_bytes(b"good = 1\n" + BROKEN[broken])
    done = configure(cli, home, "--write", ok=False)
    assert done.returncode == 1 and "config.toml: line " in done.stderr
    assert file.read_bytes() == b"good = 1\n" + BROKEN[broken]
    assert os.listdir(home) == ["config.toml"]


@pytest.mark.parametrize("listen,url", [
    ("127.0.0.1:8787", "http://127.0.0.1:8787"), (":9000", "http://127.0.0.1:9000"),
    ("0.0.0.0:9000", "http://127.0.0.1:9000"), ("[::]:9000", "http://[::1]:9000"),
    ("[::1]:9000", "http://[::1]:9000"), ("relay.example:80", "http://relay.example:80"),
    (["unix:run/relay.sock", "tls://:9443", "127.0.0.1:9000"], "http://127.0.0.1:9000"),
    (["unix:run/relay.sock", "tls://127.0.0.1:9443"], "https://127.0.0.1:9443")])
def test_the_url_is_that_of_the_configuration(cli, listen, url):
    cli.change_config({"listen": listen})
    done = cli.run("codex-config")
    assert tomllib.loads(done.stdout)["model_providers"]["codex-slot-relay"]["base_url"] == url + "/v1"


@pytest.mark.parametrize("args", [
    ("--mode", "telnet"), ("--write", "--remove"), ("--url", "ftp://x"), ("--url", "http://x/v1"),
    ("--model", "a b"), ("--mode", "chatgpt-tls", "--url", "http://x:1")])
def test_wrong_wishes_are_refused(cli, args, home):
    done = cli.run("codex-config", *args, "--codex-home", str(home))
    assert done.returncode == 2 and done.stderr and not done.stdout
    assert os.listdir(home) == []


@pytest.mark.parametrize("listen,mode", [
    ("127.0.0.1:0", "api-key"), ("unix:run/relay.sock", "api-key"), ("127.0.0.1:8787", "chatgpt-tls")])
def test_where_no_listener_fits_it_asks_for_the_url(cli, listen, mode):
    cli.change_config({"listen": listen})
    done = cli.run("codex-config", "--mode", mode)
    assert done.returncode == 1 and "--url" in done.stderr


def test_the_built_in_provider_goes_to_the_tls_listener(cli, home):
    cli.cli("tls-selfsign")
    cli.change_config({"listen": ["127.0.0.1:8787", "tls://127.0.0.1:8443"]})
    done = cli.run("codex-config", "--write", "--mode", "chatgpt-tls", "--codex-home", str(home))
    assert_wired(parsed(home / "config.toml"), "chatgpt-tls")
    assert "CODEX_CA_CERTIFICATE=" + cli.path("tls/ca.pem") in done.stderr


def jwt(account):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
    claims = {"https://api.openai.com/auth": {"chatgpt_account_id": account}}
    return ".".join((part({"alg": "none"}), part(claims), "x"))


def test_it_tells_how_the_cli_s_account_is_trusted(cli, home):
    (home / "auth.json").write_text(json.dumps(
        {"tokens": {"access_token": jwt("acc-1"), "refresh_token": "r", "account_id": "acc-1"}}))
    args = ["codex-config", "--write", "--mode", "chatgpt", "--url", URL, "--codex-home", str(home)]
    cli.change_config({"codexClients": {"trustAccounts": ["acc-0"]}})
    hint = cli.run(*args).stderr.strip().split("codex-slot-relay ")[-1]
    assert cli.cli(*shlex.split(hint))["value"] == ["acc-0", "acc-1"]
    assert cli.run(*args).stderr == ""


def test_client_configs_are_what_the_clients_read(cli, tmp_path):
    opencode = json.loads(cli.run("client-config", "opencode", "--model", "gpt-5.5").stdout)
    provider = opencode["provider"]["codex-slot-relay"]
    assert provider["options"] == {"baseURL": URL + "/v1", "apiKey": "{env:CODEX_SLOT_RELAY_TOKEN}"}
    assert opencode["model"] == "codex-slot-relay/gpt-5.5"
    script = tmp_path / "env.sh"
    script.write_text(cli.run("client-config", "openai").stdout + 'echo "$OPENAI_BASE_URL $OPENAI_API_KEY"\n')
    said = subprocess.run(["sh", str(script)], env={"CODEX_SLOT_RELAY_TOKEN": "tok"}, check=True,
                          capture_output=True, text=True, timeout=relaylib.TIMEOUT).stdout
    assert said == URL + "/v1 tok\n"
    assert 'openai/gpt-5.4"' in cli.run("client-config", "aider").stdout
    for name, status in (("claude-code", 1), ("codex", 2), ("other", 2)):
        done = cli.run("client-config", name)
        assert done.returncode == status and done.stderr and not done.stdout
    assert cli.run("client-config", "curl", "--model", "$(x)").returncode == 2


def test_the_curl_line_works(sim, start_relay):
    del sim
    relay = start_relay()
    done = relay.run("client-config", "curl", "--model", "mock-pong", "--url", f"http://{relay.address}")
    said = subprocess.run(["sh", "-c", done.stdout], check=True, capture_output=True, text=True,
                          env={**os.environ, "CODEX_SLOT_RELAY_TOKEN": relaylib.TOKEN},
                          timeout=relaylib.TIMEOUT).stdout
    assert "response.completed" in said and "pong" in said
