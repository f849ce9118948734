"""Errors that a user can cause and fix: a one-line message with what to do, no traceback, an exit code.

Any other exception is a bug: it crashes with its traceback and the service restarts.
"""

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_BAD_CONFIG = 78  # EX_CONFIG of sysexits.h; the systemd unit does not restart on it


def os_reason(error: OSError) -> str:
    """Return the system's reason for an error, in lower case, as in `no space left on device`."""
    return (error.strerror or str(error)).lower()


class UserError(Exception):
    """Error outside the program; the message is one line with what to do."""

    exit_code = EXIT_FAILED


class SettingsError(UserError):
    """Invalid settings; the message has one line per mistake, each with file, line, column and key."""

    exit_code = EXIT_BAD_CONFIG


class ModelError(UserError):
    """A model file or its card is missing or broken, or they do not match."""


class UnsafeModel(ModelError):  # noqa: N818 - named after the state of the model
    """A model file that crashes or blocks the runtime; a restart does not help."""

    exit_code = EXIT_BAD_CONFIG


class SourceError(UserError):
    """A camera, video or image folder cannot be read."""


class UnusableSource(SourceError):  # noqa: N818 - named after the state of the source
    """A source for which a retry does not help: a missing file, a package that is not installed."""
