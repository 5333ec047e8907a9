"""Watches directories with inotify: what happened to their files, without polling."""
import ctypes
import os
import select
import struct
import time

MODIFY, CLOSE_WRITE, MOVED_TO, CREATE, DELETE = 0x2, 0x8, 0x80, 0x100, 0x200
CLOSE_NOWRITE = 0x10  # somebody has read it
CHANGES = MODIFY | CLOSE_WRITE | MOVED_TO | CREATE | DELETE

_libc = ctypes.CDLL(None, use_errno=True)


class Watch:
    """Changes of files below directories (not deeper), from now on; or what mask asks for."""

    def __init__(self, *directories, mask=CHANGES):
        self._fd = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._names = {}
        for directory in directories:
            wd = _libc.inotify_add_watch(self._fd, os.fsencode(directory), mask)
            if wd < 0:
                raise OSError(ctypes.get_errno(), "inotify_add_watch", directory)
            self._names[wd] = directory

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        os.close(self._fd)

    def changes(self, timeout=0):
        """(path, mask) of what happened; waits for the first one up to timeout seconds."""
        if not select.select([self._fd], [], [], timeout)[0]:
            return []
        data, found, at = os.read(self._fd, 1 << 16), [], 0
        while at < len(data):
            wd, mask, _, size = struct.unpack_from("iIII", data, at)
            name = data[at + 16:at + 16 + size].rstrip(b"\0").decode()
            found.append((os.path.join(self._names[wd], name), mask))
            at += 16 + size
        return found

    def wait_read(self, path, timeout=60):
        """Waits until somebody has opened and closed path to read it (mask=CLOSE_NOWRITE)."""
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            if any(p == path and mask & CLOSE_NOWRITE for p, mask in self.changes(left)):
                return
        raise AssertionError(f"{path} was not read")

    def wait_replaced(self, path, timeout=60):
        """Waits until a file was renamed to path."""
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            if any(p == path and mask & MOVED_TO for p, mask in self.changes(left)):
                return
        raise AssertionError(f"{path} was not written")
