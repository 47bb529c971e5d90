"""The change events of Linux (inotify(7)), straight from the kernel: no thread, no polling, nothing to pay while nothing happens.

A binding of three functions of the C library and the layout of one record. It knows neither folders nor what events mean.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

# Bits of an event, as in <sys/inotify.h>.
ATTRIB: Final = 0x004
CLOSE_WRITE: Final = 0x008
MOVED_FROM: Final = 0x040
MOVED_TO: Final = 0x080
CREATE: Final = 0x100
DELETE: Final = 0x200
DELETE_SELF: Final = 0x400
MOVE_SELF: Final = 0x800
UNMOUNT: Final = 0x2000
OVERFLOW: Final = 0x4000
IGNORED: Final = 0x8000
ONLY_DIRECTORIES: Final = 0x0100_0000
IS_DIRECTORY: Final = 0x4000_0000

_RECORD: Final = struct.Struct("iIII")  # struct inotify_event: watch, mask, cookie, length of the name that follows
_BUFFER: Final = 64 * 1024  # some 1,000 events at a time


@dataclass(frozen=True, slots=True)
class KernelEvent:
    """Something happened to the folder of a watch, or to the entry ``name`` in it. An overflow has the watch -1."""

    watch: int
    mask: int
    name: str


class Inotify:
    """One queue of events. Raises OSError where there are none to be had: another system, or too many queues of this user."""

    def __init__(self) -> None:
        """Open the queue."""
        libc = ctypes.CDLL(None, use_errno=True)
        try:
            open_, self._add, self._remove = libc.inotify_init1, libc.inotify_add_watch, libc.inotify_rm_watch
        except AttributeError:
            raise OSError(errno.ENOSYS, "this system has no inotify") from None
        self._add.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)
        self._remove.argtypes = (ctypes.c_int, ctypes.c_int)
        self._fd = _checked(open_(os.O_NONBLOCK | os.O_CLOEXEC))

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when there are events."""
        return self._fd

    def watch(self, folder: str, mask: int) -> int:
        """Watch a folder, and return the number of the watch: the same for every path that leads to the folder."""
        return _checked(self._add(self._fd, os.fsencode(folder), mask | ONLY_DIRECTORIES))

    def unwatch(self, watch: int) -> None:
        """End a watch. One that the kernel ended already is left alone."""
        self._remove(self._fd, watch)

    def read(self) -> Iterator[KernelEvent]:
        """Yield the events that are there, oldest first."""
        while True:
            try:
                data = os.read(self._fd, _BUFFER)
            except BlockingIOError:
                return
            offset = 0
            while offset < len(data):
                watch, mask, _, length = _RECORD.unpack_from(data, offset)
                offset += _RECORD.size + length
                yield KernelEvent(watch, mask, os.fsdecode(data[offset - length : offset].rstrip(b"\0")))

    def close(self) -> None:
        """Close the queue, with all watches."""
        os.close(self._fd)


def _checked(result: int) -> int:
    """Return the result of a call, or raise what it failed with."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
