"""Real brokers, a subscriber that is always there, and a device that has something to say."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import numpy as np
import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from fer_edge.config.model import MqttSettings
from fer_edge.emotions import EMOTIONS
from fer_edge.mqtt.connect import Timeouts
from fer_edge.mqtt.delivery import Delivery, Folders
from fer_edge.mqtt.link import Link
from fer_edge.mqtt.messages import Clocks, Messages
from fer_edge.mqtt.outbox import Outbox
from fer_edge.mqtt.requests import Subscription
from fer_edge.mqtt.topics import Topics
from fer_edge.subscriber.audit import Audit
from fer_edge.types import Box, Event, EventKind

LOOPBACK = "127.0.0.1"
TOPICS = Topics("fer_edge", "porch")
MODEL = "0123456789abcdef"
GIVE_UP_S = 60.0  # far beyond what anything here takes, even where ten other things run
NOWHERE = Folders()
SHORT = Timeouts(connect_s=1.0, answer_s=0.5, first_retry_s=0.05, steady_s=0.5, offline_s=0.5, unsubscribed_s=0.1)


@pytest.fixture(scope="session")
def mosquitto_program() -> str:
    """The path of mosquitto; skips where it is not installed, fails in CI."""
    program = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")  # Debian's sbin is not in a user's PATH
    if program is None:
        cannot_run("mosquitto is not installed: apt install mosquitto")
    return program


@dataclass
class Mosquitto:
    """A mosquitto of our own on a free port of loopback; every start is a start without memory."""

    program: str
    folder: Path
    options: list[str]
    port: int = field(init=False)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.port = free_port()

    def start(self) -> None:
        user = ["user root"] if os.geteuid() == 0 else []  # it would become a user who cannot read the test's folder
        lines = [f"listener {self.port} {LOOPBACK}", "persistence false", *user, *self.options]
        config = self.folder / "mosquitto.conf"
        config.write_text("\n".join(lines) + "\n")
        with (self.folder / "mosquitto.log").open("ab") as log:
            self.process = subprocess.Popen([self.program, "-c", str(config)], stdout=log, stderr=log)
        eventually(self._accepts, "mosquitto listens")

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _accepts(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "mosquitto.log").read_text()
        with socket.socket() as client:
            return client.connect_ex((LOOPBACK, self.port)) == 0


@pytest.fixture
def make_mosquitto(mosquitto_program: str, tmp_path: Path) -> Iterator[Callable[..., Mosquitto]]:
    """Return `make(*lines of its configuration)`; what it made is not started yet, and is killed at the end."""
    made: list[Mosquitto] = []

    def make(*options: str) -> Mosquitto:
        folder = tmp_path / f"broker{len(made)}"
        folder.mkdir()
        made.append(Mosquitto(mosquitto_program, folder, list(options or ("allow_anonymous true",))))
        return made[-1]

    yield make
    for one in made:
        one.kill()


@pytest.fixture
def mosquitto(make_mosquitto: Callable[..., Mosquitto]) -> Mosquitto:
    """A running mosquitto that lets everybody in."""
    broker = make_mosquitto()
    broker.start()
    return broker


@pytest.fixture
def guarded(make_mosquitto: Callable[..., Mosquitto]) -> Callable[..., Mosquitto]:
    """Return `guarded(access list)`: a running broker that knows the users cam and viewer, with the password `secret`.

    Its folder holds the access list as `acl`.
    """

    def make(access: str | None = None) -> Mosquitto:
        broker = make_mosquitto("allow_anonymous false")
        users = broker.folder / "users"
        users.touch(mode=0o600)
        for user in ("cam", "viewer"):
            subprocess.run(["mosquitto_passwd", "-b", users, user, "secret"], check=True, capture_output=True)
        broker.options.append(f"password_file {users}")
        if access is not None:
            (broker.folder / "acl").write_text(access)
            (broker.folder / "acl").chmod(0o600)
            broker.options.append(f"acl_file {broker.folder / 'acl'}")
        broker.start()
        return broker

    return make


class Relay:
    """Carries connections to the broker's port, and can be cut: the network between device and broker."""

    def __init__(self, broker_port: int) -> None:
        self.port = free_port()
        self._broker_port = broker_port
        self._server: socket.socket | None = None
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def join(self) -> None:
        """Connections go through from now on."""
        self._server = socket.create_server((LOOPBACK, self.port))
        self._begin(self._accept, self._server)

    def cut(self) -> None:
        """End every connection and refuse new ones."""
        if self._server is not None:
            self._server.shutdown(socket.SHUT_RDWR)
            self._server.close()
            self._server = None
        for end in self._ends:
            with contextlib.suppress(OSError):  # the other side may have ended it
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in self._ends:
            end.close()
        self._ends, self._threads = [], []

    def _accept(self, server: socket.socket) -> None:
        with contextlib.suppress(OSError):  # how `cut` ends it
            while True:
                client, _ = server.accept()
                self._ends.append(client)
                try:
                    broker = socket.create_connection((LOOPBACK, self._broker_port))
                except ConnectionRefusedError:
                    client.shutdown(socket.SHUT_RDWR)
                    continue
                self._ends.append(broker)
                self._begin(self._carry, client, broker)
                self._begin(self._carry, broker, client)

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_RDWR)

    def _begin(self, target: Callable[..., None], *arguments: socket.socket) -> None:
        self._threads.append(threading.Thread(target=target, args=arguments))
        self._threads[-1].start()


@pytest.fixture
def make_relay() -> Iterator[Callable[[int], Relay]]:
    """Return `make(port of the broker)`: a relay that is joined."""
    with ExitStack() as stack:

        def make(port: int) -> Relay:
            relay = Relay(port)
            relay.join()
            stack.callback(relay.cut)
            return relay

        yield make


@dataclass(frozen=True)
class Received:
    """One message as a subscriber got it."""

    topic: str
    payload: bytes
    retain: bool
    expiry_s: int | None
    correlation: bytes | None = None

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.payload)


class Listener:
    """Subscriber to all topics of the device. It is connected when it is made."""

    def __init__(self, port: int, username: str = "", password: str = "") -> None:
        self.received: list[Received] = []
        self._ready = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        if username:
            self._client.username_pw_set(username, password)
        self._client.on_connect = lambda *_: self._client.subscribe(f"{TOPICS.base}/#", qos=1) and None
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._on_message
        self._client.connect(LOOPBACK, port)
        self._client.loop_start()
        assert self._ready.wait(GIVE_UP_S), "the listener could not subscribe"

    def of(self, topic: str) -> list[Received]:
        return [message for message in list(self.received) if message.topic == topic]

    def gets(self, count: int, topic: str = TOPICS.event) -> None:
        """Wait until at least that many messages of the topic are here."""
        eventually(lambda: len(self.of(topic)) >= count, f"{count} messages on {topic}")

    def seqs(self) -> list[int]:
        """The seq of every event, as they came."""
        return [int(event.json["id"].rpartition("-")[2]) for event in self.of(TOPICS.event)]

    def audit(self) -> Audit:
        """Return the audit of `fer-edge events --audit --from-start`."""
        audit = Audit(from_start=True)
        for event in self.of(TOPICS.event):
            audit.take(event.json)
        return audit

    def availability(self) -> list[str]:
        return [message.payload.decode() for message in self.of(TOPICS.availability)]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        expiry_s = getattr(message.properties, "MessageExpiryInterval", None)
        correlation = getattr(message.properties, "CorrelationData", None)
        self.received.append(Received(message.topic, message.payload, message.retain, expiry_s, correlation))


@pytest.fixture
def listen() -> Iterator[Callable[..., Listener]]:
    """Return `listen(port, username, password)`."""
    with ExitStack() as stack:

        def make(*arguments: Any) -> Listener:
            listener = Listener(*arguments)
            stack.callback(listener.close)
            return listener

        yield make


@dataclass
class Device:
    """All between an event and the broker, as the daemon puts it together."""

    delivery: Delivery
    made: int = 0  # events

    @property
    def link(self) -> Link:
        return self.delivery.link

    @property
    def outbox(self) -> Outbox:
        return self.delivery.outbox

    @property
    def messages(self) -> Messages:
        return self.delivery.messages

    def say(self, count: int) -> None:
        """Publish that many events."""
        for _ in range(count):
            self.made += 1
            # Each has a face of its own, so that no two events are alike.
            self.delivery.event(an_event(at=time.monotonic(), face=self.made))

    def settles(self) -> None:
        """Wait until the broker has everything."""
        eventually(lambda: self.link.state(time.monotonic()).connected and self.outbox.idle(), "all is acknowledged")

    def connects(self, times: int = 1) -> None:
        """Wait for that many connections since the start."""
        eventually(lambda: self.state().connects >= times and self.state().connected, f"connection {times}")

    def state(self) -> Any:
        self.link.check()
        return self.link.state(time.monotonic())


@pytest.fixture
def make_device(settings_for: Callable[..., MqttSettings]) -> Iterator[Callable[..., Device]]:
    """Return `make(port, subscription, folders, **settings)`, in memory alone without folders; stopped at the end."""
    with ExitStack() as stack:

        def make(
            port: int,
            subscription: Subscription | None = None,
            folders: Folders = NOWHERE,
            unsubscribed_s: float = SHORT.unsubscribed_s,
            **others: Any,
        ) -> Device:
            timeouts = msgspec.structs.replace(SHORT, unsubscribed_s=unsubscribed_s)
            settings = settings_for(port, **others)
            clocks = Clocks(time.time, time.monotonic, lambda: True)
            # The jitter is the test's own: waits are short, and the same in each run.
            draw = random.Random(1).random
            delivery = Delivery(
                settings, TOPICS, MODEL, clocks, draw, folders=folders, timeouts=timeouts, subscription=subscription
            )
            stack.callback(delivery.stop, 1.0)
            delivery.start()
            return Device(delivery)

        yield make


@pytest.fixture
def settings_for() -> Callable[..., MqttSettings]:
    """Return `settings(port, **others)` with waits that suit a test."""

    def make(port: int, **others: Any) -> MqttSettings:
        return MqttSettings(**{"host": LOOPBACK, "port": port, "reconnect_max_s": 0.2, "replay_hz": 5000.0, **others})

    return make


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Return `small_disk(options of the mount)`: a file system of its own, for as long as the test runs."""
    with ExitStack() as stack:

        def make(options: str) -> Path:
            folder = tmp_path / "disk"
            folder.mkdir()
            command = ["mount", "-t", "tmpfs", "-o", options, "fer-edge-test", folder]
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            if done.returncode:
                cannot_run(f"this test needs to mount a tmpfs, as root: {done.stderr.strip()}")
            stack.callback(subprocess.run, ["umount", "-l", folder], check=True)
            return folder

        yield make


@dataclass(frozen=True)
class Certificates:
    """PEM files made for this run."""

    ca: Path
    server: Path
    server_key: Path
    expired: Path  # for the server, with the same key
    stranger: Path  # for another name than the server's, with the same key
    client: Path
    client_key: Path
    other_ca: Path


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """An authority, a broker on loopback, a client; and an authority that signed nothing."""
    folder = tmp_path_factory.mktemp("certificates")
    if shutil.which("openssl") is None:
        cannot_run("openssl is not installed: apt install openssl")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    def authority(name: str) -> None:
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", f"/CN={name}",
                "-addext", "keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip

    def signed(name: str, key: str, days: str, extensions: str) -> None:
        (folder / f"{name}.ext").write_text(f"{extensions}\nauthorityKeyIdentifier=keyid\nbasicConstraints=CA:FALSE\n")
        if not (folder / key).exists():
            openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        openssl("req", "-new", "-key", key, "-subj", f"/CN={name}", "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", days, "-extfile", f"{name}.ext", "-out", f"{name}.crt")  # fmt: skip

    authority("ca")
    authority("other")
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    signed("server", "server.key", "2", names)
    signed("expired", "server.key", "-1", names)
    signed("stranger", "server.key", "2", "subjectAltName=DNS:elsewhere")
    signed("client", "client.key", "2", "extendedKeyUsage=clientAuth")
    files = (
        "ca.crt",
        "server.crt",
        "server.key",
        "expired.crt",
        "stranger.crt",
        "client.crt",
        "client.key",
        "other.crt",
    )
    return Certificates(*(folder / name for name in files))


def an_event(kind: EventKind = EventKind.CHANGED, at: float = 0.0, **others: Any) -> Event:
    """A happy face, unless said otherwise."""
    scores = np.array([0.01, 0.0, 0.01, 0.93, 0.01, 0.02, 0.02], np.float32)
    assert len(EMOTIONS) == len(scores)
    known = {"face": 17, "box": Box(0.1, 0.2, 0.3, 0.4), "emotion": "happy", "confidence": 0.93, "scores": scores}
    return Event(kind=kind, at=at, **{**known, **others})


@pytest.fixture(name="an_event")
def _an_event() -> Callable[..., Event]:
    return an_event


def eventually(holds: Callable[[], object], what: str) -> None:
    """Wait until something that happens outside of this process, or in another thread, has happened."""
    deadline = time.monotonic() + GIVE_UP_S
    while not holds():
        assert time.monotonic() < deadline, f"it never came to this: {what}"
        time.sleep(0.01)


@pytest.fixture(name="eventually")
def _eventually() -> Callable[[Callable[[], object], str], None]:
    return eventually


def cannot_run(reason: str) -> NoReturn:
    """Skip the test with a reason; fail in CI, where all tools are installed."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind((LOOPBACK, 0))
        return int(asked.getsockname()[1])


@pytest.fixture(name="free_port")
def _free_port() -> Callable[[], int]:
    return free_port
