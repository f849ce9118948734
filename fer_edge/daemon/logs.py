"""Where the log goes: stderr, one line a record, in the form that whoever reads it expects."""

import faulthandler
import logging
import os
import sys

from fer_edge.terminal import escaped

# sd-daemon(3): a line that begins with <n> is filed by journald under that syslog level.
SYSLOG_LEVELS = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}
CONTINUED = "\n  "  # before the second and further lines of a message


class PlainFormatter(logging.Formatter):
    """Formatter for terminals and files: nothing in a message moves the cursor or looks like another record.

    What cannot be printed is written out, and lines of a message after its first are indented.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the record with its traceback, if any, in printable characters and line feeds."""
        return escaped(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """Return the record's first lines, before a traceback."""
        return super().formatMessage(record).replace("\n", CONTINUED)


class JournalFormatter(PlainFormatter):
    """Formatter for journald, which knows the time itself: each line begins with the record's level."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record, each of its lines behind its level."""
        level = SYSLOG_LEVELS.get(record.levelno, 6)
        return "\n".join(f"<{level}>{line}" for line in super().format(record).split("\n"))


def enable_crash_traces() -> None:
    """Have each thread's place written to stderr when SIGSEGV or the like, or systemd's watchdog, ends the process.

    To a descriptor of its own: while a library is loaded, descriptor 2 is caught (vision/native_stderr.py), and a crash
    in it would be written where nobody reads it.
    """
    try:
        faulthandler.enable(os.dup(2))
    except OSError:
        return  # a process without stderr


def escape_warnings() -> None:
    """Have warnings of a command that sets up no log, which go to stderr as they are, formatted by PlainFormatter."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(PlainFormatter())


def set_up_logging(level: str) -> None:
    """Sends this program's records of ``level`` and above to stderr; libraries speak from warning on."""
    handler = logging.StreamHandler(sys.stderr)
    if os.environ.get("JOURNAL_STREAM"):
        handler.setFormatter(JournalFormatter("%(name)s: %(message)s"))
    else:
        handler.setFormatter(PlainFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    set_level(level)


def set_level(level: str) -> None:
    """Changes how much this program says, at any time."""
    logging.getLogger("fer_edge").setLevel(level.upper())
