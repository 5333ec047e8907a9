"""TLS listeners and Unix sockets beside the plain port: served alike, safe against their own failures."""
import json
import os
import shutil
import signal
import socket
import ssl
import stat
import subprocess

import pytest

from relaylib import QUIET, TIMEOUT, CliError, Relay, Wire, release_binary, responses_body, responses_text
from tlslib import LISTEN, TlsRelay, TlsWire, UnixWire, https_get, trusting

SLOW = "count to 60 every 20ms"


@pytest.fixture
def relay(sim):
    with TlsRelay(sim, selfsign=("--host", "relay.example.com", "--host", "192.0.2.7")) as running:
        yield running


def serial(wire):
    return wire.socket.getpeercert()["serialNumber"]


# --- Served alike


def test_all_kinds_of_listeners_serve_the_same(relay):
    health = relay.health()
    assert health["listen"] == relay.address
    assert [a.split(":")[0] for a in health["listeners"]] == ["127.0.0.1", "tls", "unix"]
    assert health["tls"]["error"] is None
    assert health["tls"]["expiresAt"][:10] == relay.made["expiresAt"][:10]
    body = responses_body("say hello")
    plain = responses_text(relay.responses("say hello"))
    assert responses_text(relay.tls_request("POST", "/v1/responses", body)) == plain
    with UnixWire(relay.socket_path) as wire:
        assert responses_text(wire.send_request("POST", "/v1/responses", body).read_reply()) == plain


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "relay.example.com", "192.0.2.7"])
def test_the_certificate_is_good_for_its_names(relay, name):
    assert relay.tls_request("GET", "/healthz", name=name).status == 200


def test_the_certificate_is_good_for_no_other_name_and_under_no_other_authority(relay):
    with pytest.raises(ssl.SSLCertVerificationError):
        relay.tls_request("GET", "/healthz", name="other.example.com")
    with pytest.raises(ssl.SSLCertVerificationError):
        relay.tls_request("GET", "/healthz", context=ssl.create_default_context())
    relay.wait_for("tls.refused", lambda l: "unknown ca" in l["reason"])


def test_strict_clients_take_the_certificate(relay):
    context = relay.context()
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    assert https_get(relay.tls_address, context, "/healthz").status == 200
    port = relay.tls_address.rsplit(":", 1)[1]
    done = subprocess.run(
        ["curl", "-sS", "--noproxy", "*", "--cacert", relay.made["ca"],
         f"https://localhost:{port}/healthz"],
        capture_output=True, timeout=TIMEOUT, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ok"] is True


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_big_bodies_pass_both_ways(relay, version):
    context = relay.context(minimum_version=version, maximum_version=version)
    text = "say " + "0123456789abcdef" * (512 * 1024)
    reply = relay.tls_request("POST", "/v1/responses", responses_body(text), context=context)
    assert reply.status == 200
    plain = relay.responses(text)
    assert responses_text(reply) == responses_text(plain)
    assert len(reply.body) > 1000


def test_a_reader_that_stops_holds_back_upstream(sim, relay):
    body = responses_body("big 100m", stream=True)
    with relay.tls_stream(body, receive_buffer=4096) as slow:
        assert slow.wait_head() == 200
        # The simulator stops because nobody reads: its log stands still while others are served.
        seen, sent = None, 0
        while seen != sent:
            seen = sent
            for _ in range(10):
                assert relay.tls_request("POST", "/v1/responses", responses_body("hi")).status == 200
            turns = [t for t in sim.requests(path="/codex/responses", bodies=False) if t.active]
            sent = turns[0].sent_bytes
        assert sent < 64 << 20
        slow.reset()
        sim.wait("gone>=1", path="/codex/responses")


def test_a_slow_reader_gets_everything(relay):
    with relay.tls_stream(responses_body("big 8m", stream=True), receive_buffer=4096) as stream:
        assert stream.wait_head() == 200
        assert relay.health()["inflight"] == 1
        events = stream.read_to("response.completed")
        text = "".join(e["delta"] for e in events if e["type"] == "response.output_text.delta")
        assert len(text) == 8 << 20
        assert events[-1]["type"] == "response.completed"


def test_one_connection_serves_many_requests(relay):
    with relay.tls_wire() as wire:
        for _ in range(3):
            wire.send_request("POST", "/v1/responses", responses_body("hi"))
            assert wire.read_reply().status == 200
        wire.say_end()


def test_requests_may_come_in_single_bytes(relay):
    request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    with relay.tls_wire() as wire:
        for byte in request:
            wire.send(bytes([byte]))
        assert wire.read_reply().status == 200


def test_connections_of_all_listeners_are_counted_together(sim):
    with TlsRelay(sim, config={"maxConnections": 2}) as relay:
        with relay.wire() as plain, relay.tls_wire() as secure:
            for wire in (plain, secure):
                wire.send_request("GET", "/healthz")
                assert wire.read_reply().status == 200
            with UnixWire(relay.socket_path) as late:
                late.send_request("GET", "/healthz")
                late.socket.settimeout(0.3)
                with pytest.raises(TimeoutError):
                    late.read_reply()
                late.socket.settimeout(TIMEOUT)
                plain.close()
                assert late.read_reply().status == 200


# --- Protocol


def test_a_client_that_offers_only_http2_gets_the_alert(relay):
    context = relay.context()
    context.set_alpn_protocols(["h2"])
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        relay.tls_wire(context)
    relay.wait_for("tls.refused", lambda l: l["reason"] == "no application protocol")
    context.set_alpn_protocols(["h2", "http/1.1"])
    with relay.tls_wire(context) as wire:
        assert wire.socket.selected_alpn_protocol() == "http/1.1"


def test_old_versions_are_refused(relay):
    context = relay.context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        relay.tls_wire(context)
    mark = relay.mark()
    relay.change_config({"tls": {"minVersion": "1.3"}})
    relay.wait_for("tls.reload", lambda l: l["ok"], since=mark)
    with pytest.raises(ssl.SSLError):
        relay.tls_wire(relay.context(maximum_version=ssl.TLSVersion.TLSv1_2))
    with relay.tls_wire() as wire:
        assert wire.socket.version() == "TLSv1.3"


def test_plain_http_at_the_tls_port_is_answered_400(relay):
    with Wire(relay.tls_address.removeprefix("tls://")) as wire:
        reply = wire.send_request("POST", "/v1/responses", {"input": "x" * 300000}).read_reply()
        assert reply.status == 400
        assert reply.json["error"]["code"] == "tls_required"
        assert wire.is_closed()
    assert relay.wait_for("tls.refused")["reason"] == "plain HTTP"


def test_tls_at_the_plain_port_fails_cleanly(relay):
    with pytest.raises(ssl.SSLError):
        TlsWire(relay.address, relay.context())
    assert relay.wait_for("request.refused")["status"] == 400
    assert relay.health()["ok"] is True


def test_a_stalled_handshake_does_not_hold_others_up(relay):
    with Wire(relay.tls_address.removeprefix("tls://")) as stalled:
        stalled.send(b"\x16\x03\x01\x02\x00\x01\x00")
        assert relay.tls_request("GET", "/healthz").status == 200


# --- Clients that leave


@pytest.mark.parametrize("how", ["close_notify", "fin", "reset"])
def test_client_gone_cancels_upstream(sim, relay, how):
    sim.script("*", {"stall_after_events": 4})
    wire = relay.tls_stream(responses_body("hi", stream=True))
    with wire:
        sim.wait("events>=4", path="/codex/responses")
        if how == "close_notify":
            # What was on its way to us comes before the other side's answer.
            wire.socket.settimeout(0)
            with pytest.raises((ssl.SSLError, OSError)):
                wire.socket.unwrap()
        elif how == "fin":
            wire.socket.shutdown(socket.SHUT_RDWR)
        else:
            wire.reset()
        sim.wait("gone>=1", path="/codex/responses")
    assert relay.wait_for("request.finish", lambda l: l["status"] == 499)["slot_id"] == "slot-1"


def test_close_notify_is_answered_with_close_notify(relay):
    with relay.tls_wire() as wire:
        wire.send_request("GET", "/healthz")
        assert wire.read_reply().status == 200
        wire.say_end()  # raises without an answer
        assert wire.socket.recv(1) == b""


def test_connection_close_ends_with_close_notify(relay):
    with relay.tls_wire() as wire:
        wire.send_request("GET", "/healthz", headers={"Connection": "close"})
        assert wire.read_reply().status == 200
        assert wire.read_all() == b""  # an end without close_notify would raise


def test_idle_connections_end_properly_at_stop(sim):
    with TlsRelay(sim) as relay:
        with relay.tls_wire() as wire, UnixWire(relay.socket_path) as plain:
            for one in (wire, plain):
                one.send_request("GET", "/healthz")
                assert one.read_reply().status == 200
            relay.signal()
            assert wire.read_all() == b""
            assert plain.is_closed()


# --- New certificates


def renew(relay, **options):
    """A new certificate as an operator makes it; the line that tells what the relay did."""
    mark = relay.mark()
    relay.cli("tls-selfsign", "--force", "--days", "30")
    return relay.wait_for("tls.reload", since=mark, **options)


def test_a_new_certificate_is_taken_while_a_stream_runs(relay):
    with relay.tls_stream(responses_body(SLOW, stream=True)) as stream:
        assert stream.next_event()["type"] == "response.created"
        before = serial(stream)
        line = renew(relay)
        assert line["ok"] is True
        with relay.tls_wire() as fresh:
            assert serial(fresh) != before
            fresh.send_request("GET", "/healthz")
            health = fresh.read_reply().json
        assert health["tls"] == {"expiresAt": line["expires_at"], "error": None}
        events = stream.read_to("response.completed")
        assert events[-1]["type"] == "response.completed"
        assert "60" in "".join(e.get("delta", "") for e in events)


def break_pair(relay, how):
    cert, key = relay.path("tls/cert.pem"), relay.path("tls/key.pem")
    if how == "mismatch":
        subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-out", key],
                       check=True, capture_output=True, timeout=TIMEOUT)
    elif how == "garbage":
        with open(cert, "w", encoding="utf-8") as file:
            file.write("no certificate")
    else:
        os.unlink(key)


REASONS = {"mismatch": "the key does not belong to the certificate",
           "garbage": "there is no PEM certificate",
           "gone": "the key cannot be read: No such file or directory"}


@pytest.mark.parametrize("asked", [False, True], ids=["noticed", "SIGHUP"])
@pytest.mark.parametrize("how", REASONS)
def test_a_broken_pair_is_refused_and_the_old_one_stays(relay, how, asked):
    context = relay.context()  # of the authority before
    with relay.tls_wire(context) as wire:
        before = serial(wire)
    mark = relay.mark()
    break_pair(relay, how)
    if asked:
        relay.signal(signal.SIGHUP)
    line = relay.wait_for(
        "tls.reload", lambda l: not l["ok"] and l["reason"] == REASONS[how], since=mark)
    assert line["level"] == "error"
    assert relay.health()["tls"]["error"] == REASONS[how]
    with relay.tls_wire(context) as wire:
        assert serial(wire) == before
    assert renew(relay)["ok"] is True
    assert relay.health()["tls"]["error"] is None


def test_sighup_reads_the_certificate_again(relay):
    mark = relay.mark()
    relay.signal(signal.SIGHUP)
    assert relay.wait_for("tls.reload", since=mark)["ok"] is True


def test_other_files_may_be_named_while_it_runs(relay):
    os.mkdir(relay.path("elsewhere"))
    for name in ("cert.pem", "key.pem"):
        shutil.copy(relay.path("tls/" + name), relay.path("elsewhere"))
    renew(relay)
    with relay.tls_wire() as wire:
        before = serial(wire)
    mark = relay.mark()
    relay.change_config({"tls": {"cert": relay.path("elsewhere/cert.pem"),
                                 "key": "elsewhere/key.pem"}})
    assert relay.wait_for("tls.reload", since=mark)["ok"] is True
    with relay.tls_wire(trusting(relay.path("elsewhere/cert.pem"), check_hostname=False,
                                 verify_flags=ssl.VERIFY_X509_PARTIAL_CHAIN)) as wire:
        assert serial(wire) != before


# --- Start


def test_without_a_certificate_it_does_not_start(sim):
    with Relay(sim, slots=0, start=False, config={"listen": LISTEN}) as relay:
        done = relay.run("serve")
        assert done.returncode == 1
        assert "the certificate cannot be read" in done.stderr
        assert "tls-selfsign" in done.stderr


def test_an_address_that_is_taken_is_named(sim, relay):
    listen = ["127.0.0.1:0", relay.tls_address]
    with TlsRelay(sim, slots=0, start=False, listen=listen) as other:
        done = other.run("serve")
        assert done.returncode == 1
        assert relay.tls_address in done.stderr and "in use" in done.stderr


# --- Unix sockets


def test_the_socket_is_private_and_removed_at_stop(sim):
    relay = TlsRelay(sim, listen="unix:run/relay.sock")
    with relay:
        assert relay.address == "unix:" + os.path.realpath(relay.path("run/relay.sock"))
        mode = os.lstat(relay.socket_path).st_mode
        assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600
        with UnixWire(relay.socket_path) as wire:
            assert wire.send_request("GET", "/healthz").read_reply().status == 200
        path = relay.socket_path
        relay.stop()
        assert not os.path.lexists(path)


def test_the_socket_of_a_dead_relay_is_replaced_and_a_living_one_refused(sim):
    with TlsRelay(sim, listen=["unix:run/relay.sock", "127.0.0.1:0"]) as relay:
        path = relay.socket_path
        relay.process.kill()
        relay.wait_end()
        assert os.path.lexists(path)
        relay.start()
        done = relay.run("serve")
        assert done.returncode == 1 and "in use" in done.stderr
        with UnixWire(path) as wire:
            assert wire.send_request("GET", "/healthz").read_reply().status == 200


def test_a_file_in_the_sockets_place_is_left_alone(sim):
    with TlsRelay(sim, slots=0, start=False, listen="unix:run/relay.sock") as relay:
        with open(relay.path("run/relay.sock"), "w", encoding="utf-8") as file:
            file.write("precious")
        done = relay.run("serve")
        assert done.returncode == 1 and "no socket" in done.stderr
        with open(relay.path("run/relay.sock"), encoding="utf-8") as file:
            assert file.read() == "precious"


# --- Commands


def fix_listen(relay, scheme):
    """The running relay's own address goes into its configuration, so that commands find it."""
    relay.change_config({"listen": [relay.listener(scheme)]})


@pytest.mark.parametrize("scheme", ["127.", "tls://", "unix:"])
def test_commands_reach_the_relay_through_any_listener(relay, scheme):
    fix_listen(relay, scheme)
    health = relay.cli("health")
    assert health["relay"]["state"] == "up", health["relay"]
    assert health["relay"]["address"] == relay.listener(scheme)
    assert relay.cli("slot-list")["source"] == "relay"
    findings = relay.cli("doctor", "--offline", ok=False)["findings"]
    port = [f for f in findings if f["check"] == "port"]
    assert [f["level"] for f in port] == ["ok"] and relay.listener(scheme) in port[0]["message"]


def test_commands_trust_no_other_certificate(sim, relay):
    with TlsRelay(sim, slots=0, start=False, listen=[relay.tls_address]) as other:
        health = other.cli("health")
        assert health["relay"]["state"] == "foreign"
        assert "certificate" in health["relay"]["problem"]


def test_commands_reach_a_relay_whose_certificate_has_another_name(relay):
    key, cert = relay.path("tls/key.pem"), relay.path("tls/cert.pem")
    mark = relay.mark()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", key, "-out", cert, "-days", "30", "-subj", "/CN=x",
         "-addext", "subjectAltName=DNS:*.relay.example.com"],
        check=True, capture_output=True, timeout=TIMEOUT)
    relay.wait_for("tls.reload", lambda l: l["ok"], since=mark)
    fix_listen(relay, "tls://")
    assert relay.cli("health")["relay"]["state"] == "up"


def findings_about(relay, check):
    done = relay.run("doctor", "--offline")
    return [f for f in json.loads(done.stdout)["findings"] if f["check"] == check]


def test_doctor_looks_at_the_certificate(sim):
    with TlsRelay(sim, slots=0, start=False, listen=["tls://127.0.0.1:0"]) as relay:
        good, = findings_about(relay, "tls")
        assert good["level"] == "ok" and "localhost, 127.0.0.1, ::1" in good["message"]
        relay.cli("tls-selfsign", "--force", "--days", "13")
        soon, = findings_about(relay, "tls")
        assert soon["level"] == "warn" and "expires in 12 days" in soon["message"]
        os.chmod(relay.path("tls/key.pem"), 0o640)
        assert ("fail", "mode 640") in [
            (f["level"], f["message"][-8:]) for f in findings_about(relay, "tls")]
        break_pair(relay, "garbage")
        assert findings_about(relay, "tls")[0]["message"] == REASONS["garbage"]


def test_doctor_names_the_listener_that_cannot_be_had(sim):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = "tls://127.0.0.1:%d" % taken.getsockname()[1]
        listen = ["unix:gone/relay.sock", address]
        with TlsRelay(sim, slots=0, start=False, listen=listen) as relay:
            taken.close()
            port = findings_about(relay, "port")
            assert [f["level"] for f in port] == ["fail"]
            assert "gone/relay.sock" in port[0]["message"]


def test_selfsign_replaces_nothing_unless_told(sim):
    with TlsRelay(sim, slots=0, start=False) as relay:
        with open(relay.path("tls/key.pem"), encoding="utf-8") as file:
            before = file.read()
        with pytest.raises(CliError, match="--force"):
            relay.cli("tls-selfsign")
        with open(relay.path("tls/key.pem"), encoding="utf-8") as file:
            assert file.read() == before
        for words in (["--host", "a b"], ["--days", "0"], ["--days", "x"]):
            assert relay.run("tls-selfsign", "--force", *words).returncode == 2
        for name in ("ca.pem", "cert.pem", "key.pem"):
            assert stat.S_IMODE(os.stat(relay.path("tls/" + name)).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(relay.path("tls")).st_mode) == 0o700
        files = sorted(os.listdir(relay.path("tls")))
        assert files == ["ca.pem", "cert.pem", "key.pem"]  # the authority's key is nowhere


def test_selfsign_says_what_is_left_to_do(sim):
    with Relay(sim, slots=0, start=False, config={"listen": ["127.0.0.1:0"]}) as relay:
        said = relay.cli("tls-selfsign")
        assert said["config"] == {"listen": ["127.0.0.1:0", "tls://127.0.0.1:8443"]}
        assert said["environment"] == {"CODEX_CA_CERTIFICATE": said["ca"]}
        assert relay.read_json("config/relay.json")["listen"] == ["127.0.0.1:0"]
        relay.cli("config", "set", "listen", json.dumps(said["config"]["listen"]))
        relay.cli("config", "set", "tls.key", "/elsewhere/key.pem")
        assert relay.cli("tls-selfsign", "--force")["config"] == {"tls.key": "tls/key.pem"}


# --- Cost


def test_idle_connections_are_cheap(sim):
    binary = release_binary()
    if not binary:
        pytest.skip("needs a binary without sanitizers: RELAY_RELEASE_BIN")
    with TlsRelay(sim, config=QUIET, binary=binary) as relay:
        context = relay.context()
        kept = [relay.tls_wire(context) for _ in range(50)]

        def ask(wire):
            wire.send_request("GET", "/healthz")
            assert wire.read_reply().status == 200

        for wire in kept:
            ask(wire)
        before = relay.rss_kib()
        for _ in range(400):
            kept.append(relay.tls_wire(context))
            ask(kept[-1])
        each_kib = (relay.rss_kib() - before) / 400
        print(f"{each_kib:.1f} KiB each")
        assert each_kib < 40
        for wire in kept:
            wire.close()
