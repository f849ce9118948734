"""The preview as the daemon holds it: one thing to start, to show to, and to stop."""

import logging
import math
from typing import Protocol

from fer_edge.config.model import DecideSettings, PreviewSettings, Settings, Zone
from fer_edge.errors import UserError
from fer_edge.web.live_state import Stage
from fer_edge.web.server import Server, read_token
from fer_edge.web.stream import Pictures

logger = logging.getLogger(__name__)


class KeepsSettings(Protocol):
    """Where what is saved on the page goes; any thread may ask. Both say where it is kept, and raise UserError."""

    def keep(self, decide: DecideSettings, before: DecideSettings) -> str:
        """Thresholds, in the place of those in force."""

    def keep_zones(self, zones: tuple[Zone, ...]) -> str:
        """Blackout zones, for the next start."""


class Preview:
    """The live page with all that belongs to it. The main thread owns it.

    Raises:
        UserError: the extra is not installed, the port is taken, or a token is missing.
    """

    def __init__(self, settings: Settings, device: str, keeper: KeepsSettings) -> None:
        try:
            from fer_edge.web.app import Page  # noqa: PLC0415  Flask is optional
        except ImportError as error:
            raise UserError(f"the preview needs its extra: pip install 'fer-edge[preview]' ({error})") from error
        own: PreviewSettings = settings.preview
        token = read_token(own)
        self.stage = Stage(settings.decide, settings.track.lost_s, own.minutes)
        self._pictures = Pictures(self.stage, own.rate_hz, own.width)
        self._page = Page(
            device,
            self.stage,
            self._pictures,
            own.watchers,
            token,
            keeper.keep,
            keeper.keep_zones,
            settings.privacy.zones,
        )
        self._server = Server(self._page.application(), own)
        self.url = self._server.url

    def start(self) -> None:
        """Begins to serve."""
        self._pictures.start()
        self._server.start()

    def check(self, now: float) -> None:
        """Raise the exception that ended one of the threads, if there is one; and log tokens that were refused."""
        self._pictures.check()
        self._server.check()
        self._report(now)

    def stop(self) -> None:
        """Ends all streams and the server."""
        self._page.close()
        self._pictures.stop()
        self.stage.wake()
        self._server.stop()
        self._report(math.inf)

    @property
    def encoded(self) -> int:
        """Pictures that were encoded since the start."""
        return self._pictures.encoded

    def _report(self, now: float) -> None:
        for address, count in self._page.refused(now):
            logger.warning("preview: refused %d wrong token%s from %s", count, "s" if count > 1 else "", address)
