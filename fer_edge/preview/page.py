"""The page's addresses: the page itself, the moving picture, what is live beside it, thresholds to try and to keep."""

import time
from collections.abc import Callable, Iterator

import flask
from werkzeug.exceptions import BadRequest, HTTPException
from werkzeug.wrappers.response import Response

from fer_edge.config import DecideSettings, Zone
from fer_edge.drawing.colours import HEX
from fer_edge.errors import UserError
from fer_edge.labels import EMOTIONS
from fer_edge.preview.drafts import DraftError, Drafts, settings_from, zones_from
from fer_edge.preview.guard import COOKIE, OWN_HEADER, host_is_ours, is_token, may_look, ticket
from fer_edge.preview.moments import LIVE_HZ, Moments
from fer_edge.preview.pictures import BOUNDARY, Pictures
from fer_edge.preview.seats import Seats
from fer_edge.preview.stage import Stage

MOST_BYTES = 20_000  # of what a page may send
SECURITY = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

# Keeps thresholds in the place of those in force where they outlive the daemon, and says where; UserError
Keep = Callable[[DecideSettings, DecideSettings], str]


KeepZones = Callable[[tuple[Zone, ...]], str]  # the same for blackout zones, in force at the next start


class Page:
    """What the addresses need; made once."""

    def __init__(  # noqa: PLR0913, PLR0917 - what stands behind the page, one by one
        self,
        device: str,
        stage: Stage,
        pictures: Pictures,
        seats: int,
        token: str | None,
        keep: Keep,
        keep_zones: KeepZones,
        zones: tuple[Zone, ...] = (),
    ) -> None:
        self._device = device
        self._stage = stage
        self._pictures = pictures
        self._drafts = Drafts(stage)
        self._moments_of = Moments(stage, lambda: self._live_seats.taken)
        self._picture_seats, self._live_seats = Seats(seats), Seats(seats)
        self._token = token
        self._keep, self._keep_zones = keep, keep_zones
        self._zones = zones
        self._closing = False

    def close(self) -> None:
        """Ends the live streams."""
        self._closing = True

    def application(self) -> flask.Flask:
        """The WSGI application."""
        app = flask.Flask("fer_edge.preview")
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

    def _at_the_door(self) -> flask.typing.ResponseReturnValue | None:
        request = flask.request
        if not host_is_ours(request.host, self._token):
            return "This page answers to localhost only.\n", 403
        if request.endpoint in ("static", "_enter"):
            return None
        if request.endpoint == "_page" and self._token and is_token(self._token, request.args.get("token", "")):
            return self._let_in()
        if not may_look(self._token, request.cookies, request.headers.get("Authorization", "")):
            return flask.render_template("token.html", wrong="token" in request.args), 401
        if request.method == "POST" and OWN_HEADER not in request.headers:
            return "Only the page itself may send this.\n", 403
        return None

    def _let_in(self) -> Response:
        """To the page, without the token in the address, where it would stay in the browser's history."""
        assert self._token is not None
        answer = flask.redirect(flask.url_for("_page"))
        answer.set_cookie(COOKIE, ticket(self._token), httponly=True, samesite="Strict")
        return answer

    def _enter(self) -> flask.typing.ResponseReturnValue:
        if self._token is None or is_token(self._token, flask.request.form.get("token", "").strip()):
            return self._let_in() if self._token else flask.redirect(flask.url_for("_page"))
        return flask.render_template("token.html", wrong=True), 401

    def _page(self) -> str:
        return flask.render_template(
            "page.html", device=self._device, emotions=EMOTIONS, colours=HEX, zones=self._zones
        )

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
        except DraftError as error:
            return {"error": str(error)}, 422

    def _keep_it(self) -> flask.typing.ResponseReturnValue:
        try:
            in_force, _ = self._stage.rules
            return {"kept": self._keep(settings_from(_body()), in_force)}
        except DraftError as error:
            return {"error": str(error)}, 422
        except UserError as error:
            return {"error": str(error)}, 409

    def _keep_them(self) -> flask.typing.ResponseReturnValue:
        try:
            zones = zones_from(_body())
            kept = self._keep_zones(zones)
        except DraftError as error:
            return {"error": str(error)}, 422
        except UserError as error:
            return {"error": str(error)}, 409
        self._zones = zones
        return {"kept": kept}


def _body() -> object:
    """What the page sent, as JSON.

    Raises:
        HTTPException: it is none, or nested so deeply that nobody can read it.
    """
    try:
        return flask.request.get_json()
    except RecursionError as error:
        raise BadRequest("This is nested too deeply.") from error


def _seated(seats: Seats, stream: Iterator[bytes], kind: str) -> flask.typing.ResponseReturnValue:
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
