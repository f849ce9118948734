"""Errors that a user can cause and cure: one line that says what to do, no traceback, the right exit code.

Anything else that is raised is a bug: it crashes with its traceback and the service restarts.
"""

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_BAD_CONFIG = 78  # EX_CONFIG of sysexits.h; the systemd unit does not restart on it


def os_reason(error: OSError) -> str:
    """Return the system's reason for an error, in lower case, as in `no space left on device`."""
    return (error.strerror or str(error)).lower()


class UserError(Exception):
    """Something outside the program is wrong; the message is one line that says what to do."""

    exit_code = EXIT_FAILED


class SettingsError(UserError):
    """The settings cannot be used; the message has one line a mistake, each with file, line, column and key."""

    exit_code = EXIT_BAD_CONFIG


class ModelError(UserError):
    """A model file or its card is missing, broken, or the two do not belong together."""


class UnsafeModel(ModelError):  # noqa: N818 - it is named for what it says of the model
    """A model file that crashes or never ends what loads it; no restart makes it better."""

    exit_code = EXIT_BAD_CONFIG


class SourceError(UserError):
    """A camera, video or image folder cannot be read."""


class UnusableSource(SourceError):  # noqa: N818 - it is named for what it says of the source
    """A source that waiting will not cure: a file that is not there, a package that is not installed."""
