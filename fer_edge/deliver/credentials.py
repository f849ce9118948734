"""What proves who is who: the password, the certificates. Read from files, never shown."""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fer_edge.config import MqttSettings, TlsSettings
from fer_edge.errors import SettingsError

CREDENTIAL = "mqtt-password"  # its name in systemd's LoadCredential=, see systemd.exec(5)
LONGEST_PASSWORD = 65535  # bytes, the MQTT limit; also bounds what a wrong path makes us read


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a connection is opened with."""

    username: str
    password: str | None = field(repr=False)
    tls: ssl.SSLContext | None = field(repr=False)


def load_credentials(settings: MqttSettings, environment: Mapping[str, str] = os.environ) -> Credentials:
    """Everything that the settings name, read now.

    Raises:
        SettingsError: a file is missing, unreadable or not what it should be; one line that names the key.
    """
    return Credentials(
        username=settings.username,
        password=_password(settings, environment) if settings.username else None,
        tls=_context(settings.tls) if settings.tls.enabled else None,
    )


def _password(settings: MqttSettings, environment: Mapping[str, str]) -> str | None:
    """The first line of the file, or of systemd's credential; None where neither is there."""
    if settings.password_file:
        password = _first_line(Path(settings.password_file), "mqtt.password_file")
        if not password:
            name = settings.password_file
            raise SettingsError(f"mqtt.password_file: the first line of {name} is empty, put the password there")
        return password
    folder = environment.get("CREDENTIALS_DIRECTORY")
    if folder and (path := Path(folder, CREDENTIAL)).exists():
        # The unit gives an empty one where the user has no password file: the same as none.
        return _first_line(path, f"credential {CREDENTIAL}") or None
    return None


def _first_line(path: Path, key: str) -> str:
    try:
        with path.open("rb") as file:
            return file.readline(LONGEST_PASSWORD + 2).rstrip(b"\r\n").decode()
    except OSError as error:
        raise SettingsError(f"{key}: cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{key}: {path} is not UTF-8 text") from error


def _context(settings: TlsSettings) -> ssl.SSLContext:
    if settings.ca:
        _readable(settings.ca, "mqtt.tls.ca")
    try:
        context = ssl.create_default_context(cafile=settings.ca or None)
    except (ssl.SSLError, ValueError) as error:
        raise SettingsError(f"mqtt.tls.ca: {settings.ca} holds no PEM certificate") from error
    if settings.certificate:
        _readable(settings.certificate, "mqtt.tls.certificate")
        _readable(settings.key, "mqtt.tls.key")
        try:
            # A password is never asked for: a daemon has nobody to ask, OpenSSL would wait at the terminal.
            context.load_cert_chain(settings.certificate, settings.key, password="")
        except (ssl.SSLError, ValueError) as error:
            raise SettingsError(
                f"mqtt.tls.key: {settings.key} is not the unencrypted PEM key of {settings.certificate}"
            ) from error
    return context


def _readable(path: str, key: str) -> None:
    """Says which file it is that cannot be read; OpenSSL's own error names none."""
    try:
        Path(path).open("rb").close()
    except OSError as error:
        raise SettingsError(f"{key}: cannot read {path}: {error.strerror}") from error
