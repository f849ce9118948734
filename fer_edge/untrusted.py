"""Bounded reading and decoding of untrusted input: messages, files, secrets.

For any input, each function returns a value or raises the one error in its docstring.
"""

import codecs
import errno
import logging
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec

from fer_edge.errors import SettingsError
from fer_edge.files import user_path

logger = logging.getLogger(__name__)

MAX_SECRET_BYTES = 65_535  # the longest password of MQTT
OTHERS_MAY_READ = stat.S_IRGRP | stat.S_IROTH

_T = TypeVar("_T")


class DecodeError(ValueError):
    """Unexpected input; the message is one line without bytes of the input."""


class SecretError(SettingsError):
    """A file with a password or token cannot be used; the message names the file and what to do."""


def decode_json(data: bytes | str, expected: type[_T]) -> _T:
    """Decode JSON text into ``expected``.

    Raises:
        DecodeError: not JSON, not UTF-8, too deeply nested, or of another type. msgspec raises UnicodeDecodeError,
            RecursionError and ValueError besides its own MsgspecError.
    """
    try:
        return msgspec.json.decode(data, type=expected)
    except msgspec.MsgspecError as error:
        raise DecodeError(str(error)) from error
    except UnicodeError as error:
        raise DecodeError("not UTF-8 text") from error
    except RecursionError as error:
        raise DecodeError("nested too deeply") from error
    except (ValueError, OverflowError) as error:
        raise DecodeError("a value is out of range") from error


def decode_object(data: bytes | str, max_levels: int) -> dict[str, Any]:
    """Decode a JSON object with at most ``max_levels`` nested objects and lists, itself included.

    The limit makes later recursive processing safe: repr, comparison and encoding.

    Raises:
        DecodeError: as `decode_json`, or it has more levels.
    """
    decoded: dict[str, Any] = decode_json(data, dict[str, Any])
    level: list[Any] = [decoded]
    for _ in range(max_levels):
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
        level = [one for one in level if isinstance(one, dict | list)]
    if level:
        raise DecodeError("nested too deeply")
    return decoded


def read_regular(path: Path, max_bytes: int) -> bytes:
    """Read a whole regular file of at most ``max_bytes``; a device, FIFO or socket is rejected without blocking.

    Raises:
        OSError: it cannot be read, is not a regular file, or is larger; ``strerror`` says which.
    """
    with open_regular(path) as file:
        content = file.read(max_bytes + 1) if os.fstat(file.fileno()).st_size <= max_bytes else None
    if content is None or len(content) > max_bytes:
        raise OSError(errno.EFBIG, f"larger than {max_bytes} bytes", os.fspath(path))
    return content


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file to read; a device, FIFO or socket is rejected without blocking.

    Raises:
        OSError: it cannot be opened or is not a regular file; ``strerror`` says which.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except ValueError as error:  # a null byte, or a character that the file system cannot encode
        raise OSError(errno.EINVAL, "not a path", str(path)) from error
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return open(handle, "rb")  # noqa: PTH123  opens a descriptor; the caller closes it
    os.close(handle)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))


def read_password(
    named: str, credential: str, key: str, environment: Mapping[str, str] = os.environ, *, quiet: bool = False
) -> str | None:
    """Return the password in the file ``named``, the value of the setting ``key``.

    If that is empty, return the systemd credential ``credential`` (systemd.exec(5), LoadCredential=), or None without
    one. ``quiet``: see `read_secret`.

    Raises:
        SecretError: the file cannot be read, is not UTF-8 text, or has an empty first line.
    """
    if named:
        path = user_path(named)
        password = read_secret(path, key, quiet=quiet)
        if not password:
            raise SecretError(f"{key}: the first line of {path} is empty, put the password there")
        return password
    folder = environment.get("CREDENTIALS_DIRECTORY")
    if folder and (path := Path(folder, credential)).exists():
        # The unit passes an empty credential if there is no password file. systemd sets its mode.
        return read_secret(path, f"credential {credential}", quiet=True) or None
    return None


def read_secret(path: Path, key: str, *, quiet: bool = False) -> str:
    """Return the first line of a secret file, without byte order mark and surrounding blanks; may be empty.

    ``key`` is the setting that names the file and begins each message. A file that is readable by group or
    others is logged with the chmod to fix it, unless ``quiet``: for a secret that is read at each connection attempt.

    Raises:
        SecretError: the file cannot be read, or is not UTF-8 text.
    """
    try:
        content = read_regular(path, MAX_SECRET_BYTES)
        mode = path.stat().st_mode
    except OSError as error:
        raise SecretError(f"{key}: cannot read {path}: {error.strerror}") from error
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise SecretError(f"{key}: {path} is UTF-16 text, save it as UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SecretError(f"{key}: {path} is not UTF-8 text") from error
    if mode & OTHERS_MAY_READ and not quiet:
        logger.warning("%s: others may read %s, close it with: chmod 600 %s", key, path, path)
    return text.split("\n", 1)[0].strip()
