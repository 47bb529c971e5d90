"""Logging of the command line: an event name and its facts on one line of standard error."""

from __future__ import annotations

import logging
from typing import Final

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class KeyValueFormatter(logging.Formatter):
    """Writes ``12:00:01 warning meshctl.xds nack proxy=gw.istio-system type=LDS``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record, with its traceback if it has one."""
        facts = " ".join(f"{name}={_shown(value)}" for name, value in vars(record).items() if name not in _STANDARD)
        head = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname.lower()} {record.name} {record.getMessage()}"
        line = f"{head} {facts}" if facts else head
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        return f"{line}\n{record.exc_text}" if record.exc_text else line


def _shown(value: object) -> str:
    text = str(value)
    return repr(text) if " " in text or not text else text


def configure_logging(level: str) -> None:
    """Log our events from a level on, and those of libraries from warnings on, to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(KeyValueFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("meshctl").setLevel(level.upper())
