"""The page's addresses: the page itself, the moving picture, what is live beside it, thresholds to try and to keep."""

import math
import time
from collections.abc import Callable, Iterator
from threading import Lock

import flask
import msgspec
from werkzeug.exceptions import BadRequest, HTTPException, UnsupportedMediaType
from werkzeug.wrappers.response import Response

from fer_edge.annotate import HEX
from fer_edge.config.model import DecideSettings, Zone
from fer_edge.emotions import EMOTIONS
from fer_edge.errors import UserError
from fer_edge.untrusted import DecodeError, decode_json
from fer_edge.web.auth import COOKIE, OWN_HEADER, Door, Verdict, host_is_ours
from fer_edge.web.live_state import LiveState
from fer_edge.web.stream import BOUNDARY, LIVE_HZ, MjpegEncoder, SseFeed, StreamLimit
from fer_edge.web.whatif import WhatIf, WhatIfError, converted, settings_from, zones_from

MOST_BYTES = 20_000  # of what a page may send
SECURITY = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx hands a stream on as it comes
}
# Below the page's own address, whatever path a proxy has put before it.
HOME = "./"
FOREIGN_HOST = "This page answers under localhost only: set preview.token_file, or see docs/watch.md for a proxy.\n"
SAVING_S = 3.0  # wait for another browser's save; a save that is stuck may not take all threads of the server
SAVED_BY_ANOTHER = "have been changed since this page took them"

# Stores thresholds in place of those in force; the place where they are stored. Raises UserError.
Keep = Callable[[DecideSettings, DecideSettings], str]
KeepZones = Callable[[tuple[Zone, ...]], str]  # the same for blackout zones, in force at the next start


class WebApp:
    """What the addresses need; made once."""

    def __init__(  # noqa: PLR0913, PLR0917 - what stands behind the page, one by one
        self,
        device: str,
        stage: LiveState,
        pictures: MjpegEncoder,
        seats: int,
        token: str | None,
        keep: Keep,
        keep_zones: KeepZones,
        zones: tuple[Zone, ...] = (),
    ) -> None:
        self._device = device
        self._stage = stage
        self._pictures = pictures
        self._drafts = WhatIf(stage)
        self._moments_of = SseFeed(stage, lambda: self._live_seats.taken)
        self._picture_seats, self._live_seats = StreamLimit(seats), StreamLimit(seats)
        self._door = Door(token) if token else None
        self._saving, self._judging = Lock(), Lock()
        self._keep, self._keep_zones = keep, keep_zones
        self._zones = zones
        self._closing = False

    def close(self) -> None:
        """Ends the live streams."""
        self._closing = True

    def application(self) -> flask.Flask:
        """The WSGI application."""
        app = flask.Flask("fer_edge.web")
        app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES
        app.before_request(self._at_the_door)
        app.after_request(_secured)
        app.register_error_handler(HTTPException, _plainly)
        app.add_url_rule("/", view_func=self._page)
        app.add_url_rule("/enter", view_func=self._enter, methods=["POST"])
        app.add_url_rule("/seats", view_func=self._seats)
        app.add_url_rule("/picture.mjpg", view_func=self._moving_picture)
        app.add_url_rule("/live", view_func=self._live)
        app.add_url_rule("/try", view_func=self._try, methods=["POST"])
        app.add_url_rule("/keep", view_func=self._keep_it, methods=["POST"])
        app.add_url_rule("/zones", view_func=self._keep_them, methods=["POST"])
        return app

    def refused(self, now: float) -> list[tuple[str, int]]:
        """The (address, refused tokens) of each burst of them that is over or long, once."""
        with self._judging:
            return self._door.bursts(now) if self._door else []

    def _at_the_door(self) -> flask.typing.ResponseReturnValue | None:
        request = flask.request
        if not host_is_ours(request.host, has_token=self._door is not None):
            return FOREIGN_HOST, 403
        if request.endpoint == "static":
            return None
        if self._door is not None:
            refusal = self._authenticate(self._door)
            if refusal is not None:
                return refusal
        if request.method == "POST" and OWN_HEADER not in request.headers and request.endpoint != "_enter":
            return "Only the page itself may send this.\n", 403
        return None

    def _authenticate(self, door: Door) -> flask.typing.ResponseReturnValue | None:
        """Refuse a request without the token, or one by which the token was shown and is now a cookie."""
        request, now = flask.request, time.monotonic()
        address, cookie = request.remote_addr or "", request.cookies.get(COOKIE, "")
        shown = _shown()
        with self._judging:
            verdict, wait_s = door.judge(shown, cookie, address, now), math.ceil(door.wait_s(address, now))
        if verdict is Verdict.OPEN:
            # Without the token in the address, where it would stay in the browser's history.
            return self._let_in() if request.endpoint == "_page" and "token" in request.args else None
        waits = verdict is Verdict.WAIT
        body = flask.render_template("token.html", wrong=verdict is Verdict.WRONG, wait_s=wait_s if waits else 0)
        answer = flask.make_response(body, 429 if waits else 401)
        if waits:
            answer.headers["Retry-After"] = str(wait_s)
        if cookie and verdict is Verdict.WRONG:
            answer.delete_cookie(COOKIE, path=None)  # that of an earlier token: it would be counted with each request
        return answer

    def _let_in(self) -> Response:
        answer = flask.redirect(HOME)
        self._give_cookie(answer)
        return answer

    def _give_cookie(self, answer: Response) -> None:
        """Set the cookie for the page's own folder, which may be one of several behind a proxy."""
        if self._door is not None:
            answer.set_cookie(COOKIE, self._door.cookie, path=None, httponly=True, samesite="Strict")

    def _enter(self) -> Response:
        return self._let_in()

    def _page(self) -> Response:
        answer = flask.make_response(
            flask.render_template("page.html", device=self._device, emotions=EMOTIONS, colours=HEX, zones=self._zones)
        )
        self._give_cookie(answer)
        return answer

    def _seats(self) -> dict[str, int]:
        return {"taken": self._live_seats.taken, "limit": self._live_seats.limit}

    def _moving_picture(self) -> flask.typing.ResponseReturnValue:
        kind = f"multipart/x-mixed-replace; boundary={BOUNDARY.decode()}"
        return _seated(self._picture_seats, self._pictures.watch(), kind)

    def _live(self) -> flask.typing.ResponseReturnValue:
        return _seated(self._live_seats, self._moments(), "text/event-stream")

    def _moments(self) -> Iterator[bytes]:
        """What is seen, five times a second, as server-sent events; the first line has all events that are kept."""
        yield self._moments_of.line(every_event=True)
        while not self._closing:
            time.sleep(1.0 / LIVE_HZ)
            yield self._moments_of.line()

    def _try(self) -> flask.typing.ResponseReturnValue:
        try:
            return self._drafts.tried(settings_from(_body()))
        except WhatIfError as error:
            return {"error": str(error)}, 422

    def _keep_it(self) -> flask.typing.ResponseReturnValue:
        def save(body: object) -> str:
            kept = converted(body, _Kept)
            decide, was = settings_from(kept.decide), settings_from(kept.was)
            in_force, _ = self._stage.rules
            if was != in_force:
                raise UserError(f"the thresholds {SAVED_BY_ANOTHER}: undo yours, and set them anew")
            return self._keep(decide, in_force)

        return self._saved(save)

    def _keep_them(self) -> flask.typing.ResponseReturnValue:
        def save(body: object) -> str:
            kept = converted(body, _KeptZones)
            zones, were = zones_from(kept.zones), zones_from(kept.were)
            if were != self._zones:
                raise UserError(f"the zones {SAVED_BY_ANOTHER}: load it again, and draw yours anew")
            place = self._keep_zones(zones)
            self._zones = zones
            return place

        return self._saved(save)

    def _saved(self, save: Callable[[object], str]) -> flask.typing.ResponseReturnValue:
        """Save one at a time: two browsers that began from the same settings would undo each other's."""
        body = _body()
        if not self._saving.acquire(timeout=SAVING_S):
            return {"error": "another browser is saving at this moment: try again"}, 409
        try:
            return {"kept": save(body)}
        except WhatIfError as error:
            return {"error": str(error)}, 422
        except UserError as error:
            return {"error": str(error)}, 409
        finally:
            self._saving.release()


class _Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `keep`."""

    decide: object
    was: object
    """The settings in force when the draft was begun."""


class _KeptZones(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `zones`."""

    zones: object
    were: object
    """The zones that the page was loaded with."""


def _shown() -> str:
    """The token that a request shows, empty where there is none."""
    request = flask.request
    if request.endpoint == "_enter":
        return request.form.get("token", "").strip()
    if request.endpoint == "_page" and "token" in request.args:
        return request.args["token"].strip()
    authorization = request.headers.get("Authorization", "")
    return authorization.removeprefix("Bearer ").strip() if authorization.startswith("Bearer ") else ""


def _body() -> object:
    """The request's body, which must be JSON.

    Raises:
        HTTPException: it is something else, or too long.
    """
    if flask.request.mimetype != "application/json":
        raise UnsupportedMediaType("Content-Type must be application/json.")
    try:
        return decode_json(flask.request.get_data(), object)
    except DecodeError as error:
        raise BadRequest(f"This cannot be read as JSON: {error}.") from error


def _seated(seats: StreamLimit, stream: Iterator[bytes], kind: str) -> flask.typing.ResponseReturnValue:
    """A stream for as long as it is read, or a refusal where all seats are taken."""
    if not seats.take():
        return {"error": f"{seats.limit} are watching already; preview.watchers allows no more"}, 503
    response = flask.Response(stream, mimetype=kind)  # not direct_passthrough: that would leave out `call_on_close`
    response.call_on_close(seats.leave)
    return response


def _secured(response: flask.Response) -> flask.Response:
    response.headers.update(SECURITY)
    return response


def _plainly(error: HTTPException) -> flask.typing.ResponseReturnValue:
    return {"error": error.description}, error.code or 500
