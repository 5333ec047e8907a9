"""The recorded traffic of the Codex CLI (tests/captures), to be sent again."""
import base64
import json

from relaylib import REPOSITORY, TOKEN

DIRECTORY = REPOSITORY / "tests/captures"
BLOCK_BYTES = 128 << 10


def names():
    return sorted(path.stem for path in DIRECTORY.glob("*.json"))


def load(name):
    return json.loads((DIRECTORY / f"{name}.json").read_text(encoding="utf-8"))


def turns(name):
    """The recorded requests of POST …/responses."""
    return [entry for entry in load(name)["traffic"]
            if entry["kind"] == "http" and entry["method"] == "POST"
            and entry["path"] in ("/v1/responses", "/backend-api/codex/responses")]


def body_of(entry):
    """As the CLI writes JSON: no spaces, members in order, UTF-8."""
    return json.dumps(entry["body"], ensure_ascii=False, separators=(",", ":")).encode()


def headers_of(entry):
    return {name.lower(): value for name, value in entry["headers"]}


def zstd_stored(data):
    """A zstd frame with the data as it is (RFC 8878): size in 8 bytes, raw blocks."""
    frame = b"\x28\xb5\x2f\xfd\xe0" + len(data).to_bytes(8, "little")
    pieces = [data[at:at + BLOCK_BYTES] for at in range(0, len(data), BLOCK_BYTES)] or [b""]
    for number, piece in enumerate(pieces):
        is_last = number == len(pieces) - 1
        frame += (len(piece) << 3 | is_last).to_bytes(3, "little") + piece
    return frame


def chatgpt_token(account, expires=4102444800, **claims):
    """The CLI's own login: a JWT that nobody signed."""
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
    payload = {"exp": expires, "https://api.openai.com/auth": {"chatgpt_account_id": account}, **claims}
    return ".".join((part({"alg": "none", "typ": "JWT"}), part(payload), "c2ln"))


def bearer_for(entry):
    """What stands for the recorded token: the relay's, or a login of the same account."""
    account = headers_of(entry).get("chatgpt-account-id")
    return "Bearer " + (chatgpt_token(account) if account else TOKEN)


def request_bytes(entry, address):
    """The request as it was on the wire, for this address and with a token of now."""
    body = body_of(entry)
    if headers_of(entry).get("content-encoding") == "zstd":
        body = zstd_stored(body)
    ours = {"host": address, "content-length": str(len(body)), "authorization": bearer_for(entry)}
    lines = [f"{entry['method']} {entry['path']} HTTP/1.1"]
    lines += [f"{name}: {ours.get(name.lower(), value)}" for name, value in entry["headers"]]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
