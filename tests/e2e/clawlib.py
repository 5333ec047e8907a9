"""The stand-in for the openclaw program, and what the legacy backends' tests share."""
import json
import os
import pathlib
import shutil
import tempfile

FAKE = pathlib.Path(__file__).with_name("fake_openclaw")


class Claw:
    """A stand-in with a script and a log of its own.

        with Claw() as claw:
            claw.says("status", output="Usage:\n  Codex\n    5h: 95% left\n")
            start_relay(config=claw.config(usage={"backend": "openclaw"}))
    """

    def __init__(self, **script):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="claw-e2e-"))
        self.binary = self.place / "openclaw"
        shutil.copy(FAKE, self.binary)
        self.script = script
        self._write()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        left = self.living()
        shutil.rmtree(self.place, ignore_errors=True)
        if exc[0] is None:
            assert not left, f"processes were left behind: {left}"

    def _write(self):
        fresh = self.place / "script.new"
        fresh.write_text(json.dumps(self.script))
        fresh.rename(self.place / "script.json")

    def says(self, command, **behavior):
        """What a command does from now on."""
        self.script[command] = behavior
        self._write()

    def config(self, **groups):
        return {"openclaw": {"command": str(self.binary), **groups.pop("openclaw", {})}, **groups}

    def log(self, event=None):
        path = self.place / "log.jsonl"
        if not path.exists():
            return []
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return [line for line in lines if event in (None, line["event"])]

    def runs(self, *words):
        """Runs whose arguments hold these words."""
        return [run for run in self.log("run") if all(word in run["argv"] for word in words)]

    def requests(self):
        return self.log("request")

    def pids(self):
        return {line["pid"] for line in self.log()} | {line["child"] for line in self.log("child")}

    def living(self):
        """Processes of this stand-in that still run."""
        found = {}
        for pid in self.pids():
            try:
                command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
                state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
            except OSError:
                continue
            if state not in "ZX" and (str(self.place).encode() in command or b"pause" in command):
                found[pid] = command
        return found

    def wait_gone(self, pid, timeout=20):
        """Until a process has ended."""
        import select
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            poll = select.poll()
            poll.register(fd, select.POLLIN)
            assert poll.poll(timeout * 1000), f"process {pid} did not end"
        finally:
            os.close(fd)


def rooms(relay):
    """Rooms that are there."""
    place = pathlib.Path(relay.path("run/openclaw"))
    return sorted(path.name for path in place.iterdir()) if place.exists() else []
