"""Logins out of files and into them: the Codex CLI's, and every shape that an import takes."""
import base64
import datetime
import json
import stat
import subprocess

import pytest

from loginlib import LoginRelay, Terminal, environment

OK, FAILED, USAGE, CONFIG, NOT_FOUND = range(5)
EXPIRES_MS = 1_900_000_000_000


@pytest.fixture
def relay(sim):
    with LoginRelay(sim) as running:
        yield running


@pytest.fixture
def home(tmp_path):
    path = tmp_path / "codex-home"
    path.mkdir()
    return path


def run(relay, *words, env=None, stdin=None):
    done = subprocess.run(
        [relay.binary, "--runtime-root", relay.root, *words], capture_output=True, text=True,
        timeout=60, stdin=stdin or subprocess.DEVNULL, env=environment(**(env or {})))
    relay.outputs += [done.stdout.encode(), done.stderr.encode()]
    return done


def fails(relay, status, *words, env=None):
    before = relay.files()
    done = run(relay, *words, env=env)
    assert done.returncode == status, (done.stdout, done.stderr)
    assert done.stdout == "" and relay.files() == before
    return done.stderr


def put_auth_json(sim, relay, home, account):
    tokens = json.loads((home / "auth.json").read_text())["tokens"] if sim.write_auth_json(
        account, str(home / "auth.json")) else None
    relay.tokens += [tokens[k].encode() for k in ("access_token", "refresh_token", "id_token")]
    return tokens


def import_codex(relay, home, *words, ok=True):
    done = run(relay, "slot-import-codex", "--codex-home", str(home), *words)
    if ok:
        assert done.returncode == OK, done.stderr
        return json.loads(done.stdout)["slot"]["id"], done.stderr
    return done


# --- slot-import-codex


def test_codex_login_becomes_a_slot_with_a_warning(sim, relay, home):
    tokens = put_auth_json(sim, relay, home, 1)
    slot, errors = import_codex(relay, home, "--label", "cli")
    assert slot == "slot-1" and "share one login" in errors and "--move" in errors
    grant = relay.grant(1)
    assert grant["access"] == tokens["access_token"]
    assert grant["refresh"] == tokens["refresh_token"]
    assert grant["idToken"] == tokens["id_token"]
    assert grant["accountId"] == tokens["account_id"] and grant["email"] == "demo1@example.com"
    assert relay.records()["slot-1"]["label"] == "cli"
    assert json.loads((home / "auth.json").read_text())["tokens"] == tokens
    relay.start()
    assert relay.chat("hello").status == 200


def test_codex_login_goes_to_its_slot_or_the_lowest_free_number(sim, relay, home):
    for number in (1, 3):
        relay.add_slot(number)
    put_auth_json(sim, relay, home, 2)
    assert import_codex(relay, home)[0] == "slot-2"
    put_auth_json(sim, relay, home, 3)
    assert import_codex(relay, home)[0] == "slot-3"
    put_auth_json(sim, relay, home, 2)
    slot, errors = import_codex(relay, home, "--slot", "7")
    assert slot == "slot-7" and "slot-2 has the same account" in errors


def test_codex_login_of_another_account_needs_force(sim, relay, home):
    relay.add_slot(1)
    put_auth_json(sim, relay, home, 2)
    told = fails(relay, FAILED, "slot-import-codex", "--codex-home", str(home), "--slot", "1",
                 "--move")
    assert "slot-1 belongs to demo1@example.com" in told and "--force" in told
    assert (home / "auth.json").exists()
    assert import_codex(relay, home, "--slot", "1", "--force")[0] == "slot-1"
    assert relay.grant(1)["email"] == "demo2@example.com"


@pytest.mark.parametrize("env", ["CODEX_HOME", "HOME"])
def test_codex_home_is_found_by_the_environment(sim, relay, home, tmp_path, env):
    put_auth_json(sim, relay, home, 1)
    values = {"HOME": str(tmp_path)}
    if env == "CODEX_HOME":
        values["CODEX_HOME"] = str(home)
    else:
        home.rename(tmp_path / ".codex")
    done = run(relay, "slot-import-codex", env=values)
    assert done.returncode == OK, done.stderr
    relay.grant(1)


def test_move_takes_the_login_away_from_codex(sim, relay, home):
    for number in range(3):
        tokens = put_auth_json(sim, relay, home, 1)
        slot, errors = import_codex(relay, home, "--move")
        assert slot == "slot-1" and "signed out" in errors and "share one login" not in errors
        assert not (home / "auth.json").exists()
        moved = sorted(home.iterdir())
        assert len(moved) == number + 1  # none was overwritten
        assert all(path.name.startswith("auth.json.moved-") for path in moved)
        assert stat.S_IMODE(moved[0].stat().st_mode) & 0o600 == 0o600
        assert relay.grant(1)["refresh"] == tokens["refresh_token"]


def test_move_follows_a_link(sim, relay, home, tmp_path):
    put_auth_json(sim, relay, home, 1)
    (home / "auth.json").rename(tmp_path / "real.json")
    (home / "auth.json").symlink_to(tmp_path / "real.json")
    import_codex(relay, home, "--move")
    assert not (tmp_path / "real.json").exists()
    assert not (home / "auth.json").exists()
    relay.grant(1)


def test_moving_failed_is_told(sim, relay, home):
    put_auth_json(sim, relay, home, 1)
    now = datetime.datetime.now(datetime.timezone.utc)
    for day in (now, now + datetime.timedelta(days=1)):
        for suffix in ("", *(f"-{n}" for n in range(1, 100))):
            (home / f"auth.json.moved-{day:%Y%m%d}{suffix}").write_text("older")
    done = import_codex(relay, home, "--move", ok=False)
    assert done.returncode == FAILED and "could not be renamed" in done.stderr
    assert "still uses it" in done.stderr
    assert (home / "auth.json").exists()
    relay.grant(1)


@pytest.mark.parametrize("text,told", [
    (None, "there is none; sign in with `codex login`"),
    ('{"OPENAI_API_KEY":"sk-sekret","tokens":null}', "it holds an API key and no ChatGPT login"),
    ('{"OPENAI_API_KEY":null,"tokens":null}', "no access token"),
    ('{"tokens":{"access_token":"sekret', "line 1"),
    ("", "line 1"),
    ("[]", "must be a JSON object")])
def test_codex_home_without_a_login(relay, home, text, told):
    if text is not None:
        (home / "auth.json").write_text(text)
    told_by = fails(relay, FAILED, "slot-import-codex", "--codex-home", str(home))
    assert told in told_by and "sekret" not in told_by


def test_login_without_a_refresh_token_is_not_moved(sim, relay, home):
    tokens = put_auth_json(sim, relay, home, 1)
    (home / "auth.json").write_text(
        json.dumps({"tokens": {"access_token": tokens["access_token"]}}))
    told = fails(relay, FAILED, "slot-import-codex", "--codex-home", str(home), "--move")
    assert "no refresh token" in told and (home / "auth.json").exists()


def test_nobody_says_where_codex_lives(relay):
    done = subprocess.run([relay.binary, "--runtime-root", relay.root, "slot-import-codex"],
                          capture_output=True, text=True, timeout=60, env={})
    assert done.returncode == USAGE and "--codex-home" in done.stderr


# --- slot-export


def test_export_is_what_codex_wrote(sim, relay, home, tmp_path):
    before = put_auth_json(sim, relay, home, 1)
    import_codex(relay, home)
    target = tmp_path / "exported.json"
    done = run(relay, "slot-export", "--slot", "1", "--to", str(target))
    assert done.returncode == OK, done.stderr
    assert json.loads(done.stdout) == {"ok": True, "slot": "slot-1", "file": str(target)}
    assert "share one login" in done.stderr
    document = json.loads(target.read_text())
    assert list(document) == ["OPENAI_API_KEY", "tokens", "last_refresh"]
    assert document["OPENAI_API_KEY"] is None and document["tokens"] == before
    assert document["last_refresh"].endswith("Z")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_export_after_a_login_is_complete(sim, relay, tmp_path):
    sim.settings(device_pending_polls=0)
    with Terminal(relay, "slot-login", "--slot", "1", "--device") as login:
        assert login.end() == OK, login.text
    relay.grant(1)
    target = tmp_path / "auth.json"
    assert run(relay, "slot-export", "--slot", "1", "--to", str(target)).returncode == OK
    other = sim.auth_json(1)["tokens"]
    assert json.loads(target.read_text())["tokens"] == other


def test_export_keeps_an_existing_file_unless_forced(sim, relay, home, tmp_path):
    put_auth_json(sim, relay, home, 1)
    import_codex(relay, home)
    target = tmp_path / "exported.json"
    target.write_text("precious")
    target.chmod(0o644)
    told = fails(relay, FAILED, "slot-export", "--slot", "1", "--to", str(target))
    assert "exists; --force replaces it" in told and target.read_text() == "precious"
    assert run(relay, "slot-export", "--slot", "1", "--to", str(target),
               "--force").returncode == OK
    assert "tokens" in json.loads(target.read_text())
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


@pytest.mark.parametrize("target", ["-", "/dev/stdout", "/dev/null", "."])
def test_export_goes_to_files_only(sim, relay, home, target):
    put_auth_json(sim, relay, home, 1)
    import_codex(relay, home)
    told = fails(relay, FAILED, "slot-export", "--slot", "1", "--to", target, "--force")
    assert "is no file" in told


def test_export_refuses_what_codex_cannot_use(sim, relay, tmp_path):
    relay.add_slot(1)
    profile = relay.grant(1)
    for missing, told in (("idToken", "no id token"), ("refresh", "no refresh token")):
        short = tmp_path / "import.json"
        short.write_text(json.dumps({k: v for k, v in profile.items() if k != missing}))
        relay.cli("slot-remove", "--slot", "1")
        relay.cli("slot-auth-import-file", "--slot", "1", "--auth-file", str(short))
        errors = fails(relay, FAILED, "slot-export", "--slot", "1",
                       "--to", str(tmp_path / "out.json"))
        assert told in errors
    assert not (tmp_path / "out.json").exists()


def test_export_of_no_slot(relay, tmp_path):
    told = fails(relay, NOT_FOUND, "slot-export", "--slot", "9", "--to", str(tmp_path / "x"))
    assert "there is no slot-9" in told


# --- slot-auth-import-file: the shapes


def jwt(**claims):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
    return f"{part({'alg': 'none'})}.{part(claims)}.c2ln"


TOKEN = jwt(exp=EXPIRES_MS // 1000, email="claim@example.org",
            **{"https://api.openai.com/auth": {"chatgpt_account_id": "acc-of-claims"}})
PROFILE = {"type": "oauth", "provider": "openai-codex", "access": "opaque-a", "refresh": "opaque-r",
           "expires": EXPIRES_MS, "accountId": "acc", "email": "me@example.org"}
SHAPES = {
    "profiles": {"version": 1, "profiles": {"openai-codex:default": PROFILE}},
    "oauth": {"oauth": {"openai-codex": PROFILE}},
    "flat": PROFILE,
    "flat in other words": {
        "access_token": "opaque-a", "refresh_token": "opaque-r", "account_id": "acc",
        "email": "me@example.org", "expires": str(EXPIRES_MS)},
    "expires as ISO 8601": PROFILE | {"expires": "2030-03-17T17:46:40Z"},
    "codex": {"OPENAI_API_KEY": None, "last_refresh": "2030-03-17T17:45:00Z",
              "tokens": {"id_token": jwt(email="me@example.org"), "access_token": "opaque-a",
                         "refresh_token": "opaque-r", "account_id": "acc", "expires_in": 100}},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_a_file_gives_the_same_slot(relay, tmp_path, shape):
    path = tmp_path / "auth.json"
    path.write_text(json.dumps(SHAPES[shape]))
    slot = relay.cli("slot-auth-import-file", "--slot", "1", "--auth-file", str(path))["slot"]
    assert slot["sourceMeta"]["accountId"] == "acc"
    assert slot["sourceMeta"]["email"] == "me@example.org"
    assert slot["sourceMeta"]["expires"] == EXPIRES_MS
    grant = relay.grant(1)
    assert (grant["access"], grant["refresh"], grant["expires"], grant["accountId"]) == (
        "opaque-a", "opaque-r", EXPIRES_MS, "acc")


@pytest.mark.parametrize("document", [
    {"profiles": {"openai-codex:default": {"access": TOKEN}}},
    {"oauth": {"openai-codex": {"access": TOKEN}}},
    {"access_token": TOKEN},
    {"tokens": {"access_token": TOKEN}}])
def test_missing_values_are_read_from_the_token(relay, tmp_path, document):
    path = tmp_path / "auth.json"
    path.write_text(json.dumps(document))
    done = run(relay, "slot-auth-import-file", "--slot", "1", "--auth-file", str(path))
    assert done.returncode == OK and "no refresh token" in done.stderr
    meta = json.loads(done.stdout)["slot"]["sourceMeta"]
    assert (meta["email"], meta["accountId"], meta["expires"]) == (
        "claim@example.org", "acc-of-claims", EXPIRES_MS)
    assert relay.grant(1)["expires"] == EXPIRES_MS
