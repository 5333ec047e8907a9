"""Runs commands as people and scripts do: on a pseudo-terminal of a given width, or with pipes."""
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import unicodedata

TIMEOUT = 30
OK, FAILED, USAGE, CONFIG, NOT_FOUND = range(5)


def environment(**extra):
    """Ours without what would change the output; None as a value takes a variable out."""
    env = {k: v for k, v in os.environ.items()
           if not k.startswith("CODEX_SLOT_RELAY_") and k not in ("NO_COLOR", "TERM", "COLUMNS")
           and not k.lower().endswith("_proxy")}
    env |= {"TERM": "xterm", "LC_ALL": "C.UTF-8"} | extra
    return {k: v for k, v in env.items() if v is not None}


class Done:
    def __init__(self, status, text, errors):
        self.status = status
        self.text = text  # standard output
        self.errors = errors

    @property
    def plain(self):
        return re.sub(r"\033\[[0-9;]*m", "", self.text)


def on_terminal(command, columns=160, env=None, typed=None):
    """typed: what is typed on the terminal that is standard input then; it must end the line."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    child = subprocess.Popen(command, stdout=theirs, stderr=subprocess.PIPE,
                             stdin=theirs if typed else subprocess.DEVNULL,
                             env=environment(**(env or {})))
    os.close(theirs)
    asked = b""
    if typed:  # not before it asks: by then echo is off
        while not asked.endswith(b": "):
            piece = child.stderr.read1()
            assert piece, asked
            asked += piece
        os.write(ours, typed.encode())
    seen = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        seen += piece
    os.close(ours)
    errors = (asked + child.stderr.read()).decode()
    child.stderr.close()
    return Done(child.wait(TIMEOUT), seen.decode().replace("\r\n", "\n"), errors)


def with_pipes(command, env=None, typed=""):
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, input=typed,
                          env=environment(**(env or {})))
    return Done(done.returncode, done.stdout, done.stderr)


def columns_of(line):
    """How many columns a terminal needs for it."""
    return sum(0 if unicodedata.combining(c) or c == "\u200d"
               else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)
