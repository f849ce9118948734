"""Where things are published: `<prefix>/<device>/<name>`, and who says so: the client id."""

import hashlib

import msgspec

# MQTT 3.1.1 obliges a broker to take 23 characters and no more; those in use take far more. 64 keeps a name readable.
CLIENT_ID_MAX = 64
DIGEST_CHARACTERS = 8


class Topics(msgspec.Struct, frozen=True):
    """The topics of one device."""

    prefix: str  # without `/` at its start, `#` and `+`
    device: str  # one level: without `/`, `#`, `+`

    @property
    def base(self) -> str:
        """What all topics of this device begin with, without the last `/`."""
        return f"{self.prefix.rstrip('/')}/{self.device}"

    @property
    def availability(self) -> str:
        """`online` or `offline`; the last will speaks here."""
        return f"{self.base}/availability"

    @property
    def event(self) -> str:
        """One message an event."""
        return f"{self.base}/event"

    @property
    def state(self) -> str:
        """What is seen now."""
        return f"{self.base}/state"

    @property
    def health(self) -> str:
        """How the daemon is doing."""
        return f"{self.base}/health"

    @property
    def summary(self) -> str:
        """What a window of time amounts to, without saying who."""
        return f"{self.base}/summary"

    @property
    def settings(self) -> str:
        """What can be changed while the daemon runs, as it is, and where each value came from."""
        return f"{self.base}/settings"

    @property
    def requests(self) -> str:
        """The filter of all that may be asked of this device."""
        return f"{self.base}/request/+"

    def request(self, verb: str) -> str:
        """Where ``verb`` is asked for."""
        return f"{self.base}/request/{verb}"

    def response(self, verb: str) -> str:
        """Where the answer to ``verb`` comes, unless the request says otherwise."""
        return f"{self.base}/response/{verb}"

    @property
    def info(self) -> str:
        """What is running: version, model, runtime."""
        return f"{self.base}/info"

    @property
    def published(self) -> tuple[str, ...]:
        """All that a listener may want to see."""
        return self.availability, self.event, self.state, self.health, self.info


def client_id(prefix: str, device: str) -> str:
    """`prefix-device`, the same at every start, so that a broker replaces the session of a daemon that died.

    With a random id the old session's will would be sent minutes later, over the `online` of the new one. A name that
    is too long is cut and gets a digest of the whole, so that two long names stay two.
    """
    name = f"{prefix.strip('/').replace('/', '-')}-{device}"
    if len(name.encode()) <= CLIENT_ID_MAX:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:DIGEST_CHARACTERS]
    kept = name.encode()[: CLIENT_ID_MAX - DIGEST_CHARACTERS - 1].decode(errors="ignore")
    return f"{kept}-{digest}"
