"""Where the log goes: stderr, one line a record, in the form that whoever reads it expects."""

import logging
import os
import sys

# sd-daemon(3): a line that begins with <n> is filed by journald under that syslog level.
SYSLOG_LEVELS = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}


class JournalFormatter(logging.Formatter):
    """Level as journald's prefix; journald knows the time itself. A traceback's lines all carry the level."""

    def format(self, record: logging.LogRecord) -> str:
        """The record, each of its lines behind its level."""
        level = SYSLOG_LEVELS.get(record.levelno, 6)
        return "\n".join(f"<{level}>{line}" for line in super().format(record).splitlines())


def set_up_logging(level: str) -> None:
    """Sends this program's records of ``level`` and above to stderr; libraries speak from warning on."""
    handler = logging.StreamHandler(sys.stderr)
    if os.environ.get("JOURNAL_STREAM"):
        handler.setFormatter(JournalFormatter("%(name)s: %(message)s"))
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    set_level(level)


def set_level(level: str) -> None:
    """Changes how much this program says, at any time."""
    logging.getLogger("fer_edge").setLevel(level.upper())
