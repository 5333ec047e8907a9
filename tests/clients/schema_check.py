"""Reads answers as JSON lines, and says of each whether it is what the API descriptions promise."""
import base64
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))

import schemalib  # noqa: E402  pylint: disable=wrong-import-position
import simlib  # noqa: E402  pylint: disable=wrong-import-position


def verdict(question):
    reply = simlib.Reply(question["status"], question["headers"])
    reply.body, reply.cut = base64.b64decode(question["body"]), question["cut"]
    try:
        schemalib.check_reply(question["path"], question["request_headers"], reply)
    except Exception as error:  # pylint: disable=broad-except
        return f"{type(error).__name__}: {error}"
    return None


for line in sys.stdin:
    print(json.dumps({"error": verdict(json.loads(line))}), flush=True)
