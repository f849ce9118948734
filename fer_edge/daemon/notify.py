"""What the service manager is told, by the protocol of sd_notify(3): one datagram of KEY=value lines."""

import logging
import os
import socket

logger = logging.getLogger(__name__)


class Notifier:
    """Talks to systemd where it listens, and says nothing elsewhere. The main thread owns it."""

    def __init__(self) -> None:
        # Taken out of the environment so that no child speaks in our name.
        address = os.environ.pop("NOTIFY_SOCKET", "")
        self._socket: socket.socket | None = None
        self._complained = False
        if address:
            kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
            self._socket = socket.socket(socket.AF_UNIX, kind)
            self._socket.connect("\0" + address[1:] if address.startswith("@") else address)

    def tell(self, **values: str | int) -> None:
        """Sends ``READY=1``, ``STATUS=...`` and the like; keys are systemd's own, in capitals.

        A manager that is away or too busy to listen is no reason to stop: the word is lost, and that is logged.
        """
        if self._socket is None:
            return
        lines = (f"{key}={' '.join(str(value).split())}" for key, value in values.items())
        try:
            self._socket.send("\n".join(lines).encode())
        except OSError as error:
            if not self._complained:
                logger.warning("the service manager does not listen (%s); the daemon works on", error.strerror)
            self._complained = True
        else:
            self._complained = False

    def close(self) -> None:
        """Ends the talk."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
