"""What `fer-edge check` says of the preview: its extra, its token and its port, each as the daemon will want it."""

import importlib.util
import socket

from fer_edge.config.model import PreviewSettings
from fer_edge.errors import UserError
from fer_edge.web.server import read_token

EXTRA = ("flask", "waitress")


def check_preview(settings: PreviewSettings) -> str:
    """Where the page will be and who may look, in one line; nothing is served.

    Raises:
        UserError: the daemon would refuse to start with it.
    """
    missing = [name for name in EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"the preview needs its extra: pip install 'fer-edge[preview]' (no {', '.join(missing)})")
    token = read_token(settings)
    place = f"{settings.address}:{settings.port}"
    try:
        _listen(settings.address, settings.port)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        what = "unless the daemon that runs has it, set preview.port to another"
        raise UserError(f"cannot listen on {place}: {reason}; {what}") from error
    return f"free to listen on {place}, {'with a token' if token else 'for this machine alone'}"


def _listen(address: str, port: int) -> None:
    """Takes the port for a moment."""
    family, kind, protocol, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does: no wait for old connections
        probe.bind(place)
