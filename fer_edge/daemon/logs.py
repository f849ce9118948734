"""Log output: stderr, in the format of journald or of a terminal."""

import faulthandler
import logging
import os
import sys

from fer_edge.terminal import escaped

# sd-daemon(3): a line that begins with <n> is filed by journald under that syslog level.
SYSLOG_LEVELS = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}
CONTINUED = "\n  "  # before the second and further lines of a message


class PlainFormatter(logging.Formatter):
    """Formatter for terminals and files: no message moves the cursor or looks like another record.

    Unprintable characters are escaped, further lines of a message are indented.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the record with its traceback, if any, in printable characters and line feeds."""
        return escaped(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """Return the record's first lines, before a traceback."""
        return super().formatMessage(record).replace("\n", CONTINUED)


class JournalFormatter(PlainFormatter):
    """Formatter for journald, which adds the time: each line begins with the record's level."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record with its level before each line."""
        level = SYSLOG_LEVELS.get(record.levelno, 6)
        return "\n".join(f"<{level}>{line}" for line in super().format(record).split("\n"))


def enable_crash_traces() -> None:
    """Write each thread's stack to stderr when SIGSEGV or the like, or systemd's watchdog, ends the process.

    Uses a duplicate of descriptor 2, which vision/interpreter.py redirects while a library is loaded.
    """
    try:
        faulthandler.enable(os.dup(2))
    except OSError:
        return  # a process without stderr


def escape_warnings() -> None:
    """Format warnings of commands that set up no log, which go to stderr, by PlainFormatter."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(PlainFormatter())


def set_up_logging(level: str) -> None:
    """Log this program's records from ``level`` on and libraries' from warning on to stderr."""
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
    """Change this program's log level."""
    logging.getLogger("fer_edge").setLevel(level.upper())
