"""MQTT credentials: user name, password, TLS certificates. Read from files, never logged."""

import logging
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fer_edge.config.model import MqttSettings, TlsSettings
from fer_edge.errors import SettingsError
from fer_edge.files import user_path
from fer_edge.untrusted import read_password, read_regular

LONGEST_PEM = 10_000_000  # bytes; all authorities that Debian trusts have 0.2 MB
CREDENTIAL = "mqtt-password"  # its name in systemd's LoadCredential=, see systemd.exec(5)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Credentials:
    """User name, password and TLS context of a connection."""

    username: str
    password: str | None = field(repr=False)
    tls: ssl.SSLContext | None = field(repr=False)


def load_credentials(
    settings: MqttSettings, environment: Mapping[str, str] = os.environ, *, quiet: bool = False
) -> Credentials:
    """Load the files that the settings name; ``quiet`` suppresses warnings that were logged before.

    Raises:
        SettingsError: a file is missing, unreadable or not what it should be; one line that names the key.
    """
    password = read_password(settings.password_file, CREDENTIAL, "mqtt.password_file", environment, quiet=quiet)
    if password is not None and not settings.username:
        if not quiet:
            logger.warning("credential %s is not used: set mqtt.username too", CREDENTIAL)
        password = None
    return Credentials(
        username=settings.username,
        password=password,
        tls=_context(settings.tls) if settings.tls.enabled else None,
    )


def _context(settings: TlsSettings) -> ssl.SSLContext:
    ca = _readable(settings.ca, "mqtt.tls.ca") if settings.ca else None
    try:
        context = ssl.create_default_context(cafile=ca)
    except (ssl.SSLError, ValueError) as error:
        raise SettingsError(f"mqtt.tls.ca: {ca} holds no PEM certificate") from error
    # Python 3.13 sets this flag, which rejects what private authorities lack: an authority key identifier, a
    # critical basic constraint, version 3. Chain, dates and host name are verified without it,
    # as mosquitto's clients and Python 3.11 do.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if settings.certificate:
        certificate = _readable(settings.certificate, "mqtt.tls.certificate")
        key = _readable(settings.key, "mqtt.tls.key")
        try:
            # Without a password OpenSSL would prompt for one on the terminal.
            context.load_cert_chain(certificate, key, password="")
        except (ssl.SSLError, ValueError) as error:
            raise SettingsError(f"mqtt.tls.key: {key} is not the unencrypted PEM key of {certificate}") from error
    return context


def _readable(named: str, key: str) -> Path:
    """Return the path of a readable file that a setting names: OpenSSL's own error does not name the file."""
    path = user_path(named)
    try:
        read_regular(path, LONGEST_PEM)
    except OSError as error:
        raise SettingsError(f"{key}: cannot read {path}: {error.strerror}") from error
    return path
