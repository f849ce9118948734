"""What the service manager is told, by the protocol of sd_notify(3): one datagram of KEY=value lines."""

import os
import socket


class Notifier:
    """Talks to systemd where it listens, and says nothing elsewhere. The main thread owns it."""

    def __init__(self) -> None:
        # Taken out of the environment so that no child speaks in our name.
        address = os.environ.pop("NOTIFY_SOCKET", "")
        self._socket: socket.socket | None = None
        if address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.connect("\0" + address[1:] if address.startswith("@") else address)

    def tell(self, **values: str | int) -> None:
        """Sends ``READY=1``, ``STATUS=...`` and the like; keys are systemd's own, in capitals."""
        if self._socket is not None:
            self._socket.sendall("\n".join(f"{key}={value}" for key, value in values.items()).encode())

    def close(self) -> None:
        """Ends the talk."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
