import socket
import ssl
import subprocess

import pytest

from fer_edge.config.model import MqttSettings, TlsSettings
from fer_edge.errors import SettingsError
from fer_edge.mqtt.credentials import load_credentials


def test_password_is_the_first_line_of_its_file(tmp_path):
    path = tmp_path / "password"
    path.write_bytes("pass wörd \r\nsecond line\n".encode())
    loaded = load_credentials(MqttSettings(username="cam", password_file=str(path)), {})
    assert (loaded.username, loaded.password) == ("cam", "pass wörd")


def test_home_folder_is_put_into_the_path_of_the_password(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "password").write_bytes(b"\xef\xbb\xbfgeheim\r\n")
    assert load_credentials(MqttSettings(username="cam", password_file="~/password"), {}).password == "geheim"


@pytest.mark.parametrize("key", ["ca", "certificate", "key"])
def test_home_folder_is_put_into_the_path_of_each_tls_file(tmp_path, monkeypatch, certificates, key):
    good = {"ca": certificates.ca, "certificate": certificates.client, "key": certificates.client_key}
    files = {name: str(path) for name, path in good.items()}
    monkeypatch.setenv("HOME", str(good[key].parent))
    files[key] = f"~/{good[key].name}"
    assert load_credentials(MqttSettings(tls=TlsSettings(enabled=True, **files)), {}).tls is not None
    with pytest.raises(SettingsError, match=rf"^mqtt\.tls\.{key}: cannot read /dev/zero: not a regular file$"):
        load_credentials(MqttSettings(tls=TlsSettings(enabled=True, **files | {key: "/dev/zero"})), {})


def test_file_that_others_may_read_is_logged_once_and_not_at_each_connect(tmp_path, caplog):
    path = tmp_path / "password"
    path.write_text("geheim")
    path.chmod(0o644)
    settings = MqttSettings(username="cam", password_file=str(path))
    load_credentials(settings, {}, quiet=True)
    assert not caplog.messages
    load_credentials(settings, {})
    assert caplog.messages == [f"mqtt.password_file: others may read {path}, close it with: chmod 600 {path}"]


def test_password_is_in_no_representation(tmp_path):
    (tmp_path / "password").write_text("hunter2")
    loaded = load_credentials(MqttSettings(username="cam", password_file=str(tmp_path / "password")), {})
    assert loaded.password == "hunter2"
    assert "hunter2" not in repr(loaded)


def test_systemd_s_credential_is_taken_where_no_file_is_named(tmp_path):
    (tmp_path / "mqtt-password").write_text("from systemd\n")
    (tmp_path / "own").write_text("own\n")
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert load_credentials(MqttSettings(username="cam"), environment).password == "from systemd"
    named = MqttSettings(username="cam", password_file=str(tmp_path / "own"))
    assert load_credentials(named, environment).password == "own"
    assert load_credentials(MqttSettings(username="cam"), {}).password is None
    assert load_credentials(MqttSettings(), environment).password is None


def test_password_as_a_credential_without_a_user_name_is_not_sent_and_said_once(tmp_path, caplog):
    (tmp_path / "mqtt-password").write_text("geheim\n")
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert load_credentials(MqttSettings(), environment).password is None
    assert load_credentials(MqttSettings(), environment, quiet=True).password is None
    assert caplog.messages == ["credential mqtt-password is not used: set mqtt.username too"]


def test_empty_credential_which_the_unit_gives_where_there_is_no_password_file_is_none(tmp_path):
    (tmp_path / "mqtt-password").write_text("\n")
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert load_credentials(MqttSettings(username="cam"), environment).password is None


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (None, "cannot read {path}: No such file or directory"),
        (b"\nsecret\n", "the first line of {path} is empty, put the password there"),
        (b"\xff\xfe", "{path} is UTF-16 text, save it as UTF-8"),
        (b"caf\xe9", "{path} is not UTF-8 text"),
    ],
)
def test_unusable_password_file_is_one_line_with_the_key(tmp_path, content, line):
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        load_credentials(MqttSettings(username="cam", password_file=str(path)), {})
    assert str(caught.value) == "mqtt.password_file: " + line.format(path=path)
    assert caught.value.exit_code == 78


def test_tls_files_that_cannot_be_used_are_named(tmp_path, certificates):
    def load(**tls):
        load_credentials(MqttSettings(tls=TlsSettings(enabled=True, **tls)), {})

    empty = tmp_path / "empty.pem"
    empty.touch()
    good = {"certificate": str(certificates.client), "key": str(certificates.client_key)}
    load(ca=str(certificates.ca), **good)
    with pytest.raises(SettingsError, match=r"^mqtt\.tls\.ca: cannot read /nowhere/ca\.crt: No such file"):
        load(ca="/nowhere/ca.crt")
    with pytest.raises(SettingsError, match=r"^mqtt\.tls\.ca: .*empty\.pem holds no PEM certificate$"):
        load(ca=str(empty))
    with pytest.raises(SettingsError, match=r"^mqtt\.tls\.certificate: cannot read /nowhere/c\.crt"):
        load(**good | {"certificate": "/nowhere/c.crt"})
    with pytest.raises(SettingsError, match=r"^mqtt\.tls\.key: cannot read /nowhere/c\.key"):
        load(**good | {"key": "/nowhere/c.key"})
    with pytest.raises(SettingsError, match=r"^mqtt\.tls\.key: .*server\.key is not the unencrypted PEM key of"):
        load(**good | {"key": str(certificates.server_key)})


def test_no_tls_no_context():
    assert load_credentials(MqttSettings(tls=TlsSettings(ca="/nowhere")), {}).tls is None


@pytest.fixture
def as_python_3_13(monkeypatch):
    """Contexts are made strict, as by Python 3.13."""
    make = ssl.create_default_context

    def strict(**arguments):
        context = make(**arguments)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)


@pytest.mark.usefixtures("as_python_3_13")
def test_home_made_authorities_are_verified_without_the_strictness_of_python_3_13(certificates):
    context = load_credentials(MqttSettings(tls=TlsSettings(enabled=True, ca=str(certificates.ca))), {}).tls
    assert context is not None
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


@pytest.mark.system
@pytest.mark.usefixtures("as_python_3_13")
def test_certificates_as_the_manual_of_mosquitto_makes_them_are_taken_and_others_are_not(tmp_path, make_mosquitto):
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=tmp_path, check=True, capture_output=True)

    for name in ("ca", "other"):
        openssl("req", "-new", "-x509", "-days", "2", "-nodes", "-newkey", "rsa:2048", "-keyout", f"{name}.key",
                "-out", f"{name}.crt", "-subj", f"/CN={name}")  # fmt: skip
    openssl(
        "req", "-new", "-nodes", "-newkey", "rsa:2048", "-keyout", "s.key", "-out", "s.csr", "-subj", "/CN=localhost"
    )
    openssl("x509", "-req", "-in", "s.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-out", "s.crt",
            "-days", "2")  # fmt: skip
    broker = make_mosquitto("allow_anonymous true", f"certfile {tmp_path}/s.crt", f"keyfile {tmp_path}/s.key")
    broker.start()

    def handshake(ca, host):
        context = load_credentials(MqttSettings(tls=TlsSettings(enabled=True, ca=str(tmp_path / ca))), {}).tls
        with socket.create_connection(("127.0.0.1", broker.port)) as plain:
            context.wrap_socket(plain, server_hostname=host).close()

    handshake("ca.crt", "localhost")
    for ca, host in (("ca.crt", "elsewhere"), ("other.crt", "localhost")):
        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(ca, host)


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "/"])
def test_certificate_that_is_no_regular_file_is_refused(path):
    with pytest.raises(SettingsError, match=rf"mqtt\.tls\.ca: (cannot read )?{path}"):
        load_credentials(MqttSettings(tls=TlsSettings(enabled=True, ca=path)), {})
