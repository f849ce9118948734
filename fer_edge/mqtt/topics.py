"""MQTT topics, `<prefix>/<device>/<name>`, and the client id."""

import hashlib

import msgspec

# MQTT 3.1.1 requires brokers to accept 23 characters; those in use accept far more. 64 keeps a name readable.
CLIENT_ID_MAX = 64
DIGEST_CHARACTERS = 8


class Topics(msgspec.Struct, frozen=True):
    """Topics of one device."""

    prefix: str  # without `/` at its start, `#` and `+`
    device: str  # one level: without `/`, `#`, `+`

    @property
    def base(self) -> str:
        """Common prefix of all topics of this device, without a trailing `/`."""
        return f"{self.prefix.rstrip('/')}/{self.device}"

    @property
    def availability(self) -> str:
        """`online` or `offline`; also the topic of the last will."""
        return f"{self.base}/availability"

    @property
    def event(self) -> str:
        """One message per event."""
        return f"{self.base}/event"

    @property
    def state(self) -> str:
        """Faces in front of the camera now."""
        return f"{self.base}/state"

    @property
    def health(self) -> str:
        """Runtime metrics of the daemon."""
        return f"{self.base}/health"

    @property
    def summary(self) -> str:
        """Statistics of a time window, without single faces."""
        return f"{self.base}/summary"

    @property
    def settings(self) -> str:
        """Current values of the settings that can change at runtime, with their sources."""
        return f"{self.base}/settings"

    @property
    def requests(self) -> str:
        """Topic filter of all requests to this device."""
        return f"{self.base}/request/+"

    def request(self, verb: str) -> str:
        """Return the topic of the request ``verb``."""
        return f"{self.base}/request/{verb}"

    def response(self, verb: str) -> str:
        """Return the default topic of the response to ``verb``."""
        return f"{self.base}/response/{verb}"

    @property
    def info(self) -> str:
        """Version, model and runtime of the daemon."""
        return f"{self.base}/info"

    @property
    def published(self) -> tuple[str, ...]:
        """Topics that `fer-edge events --all` subscribes to."""
        return self.availability, self.event, self.state, self.health, self.info


def client_id(prefix: str, device: str) -> str:
    """Return `prefix-device`, the same at every start, so that a broker replaces the session of a killed daemon.

    With a random id the will of the old session would overwrite the `online` of the new one minutes later. A name that
    is too long is truncated and gets a digest of the whole, so that two long names stay different.
    """
    name = f"{prefix.strip('/').replace('/', '-')}-{device}"
    if len(name.encode()) <= CLIENT_ID_MAX:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:DIGEST_CHARACTERS]
    kept = name.encode()[: CLIENT_ID_MAX - DIGEST_CHARACTERS - 1].decode(errors="ignore")
    return f"{kept}-{digest}"
