"""Flask application of the page: the page, its streams, and requests to try and save settings."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from threading import Lock
from typing import Any

import flask
import msgspec
import yaml
from werkzeug.exceptions import BadRequest, HTTPException, UnsupportedMediaType
from werkzeug.wrappers.response import Response

from fer_edge.annotate import HEX
from fer_edge.config.runtime import DROP_ALL, ZONES, ZONES_SECTION
from fer_edge.emotions import EMOTIONS
from fer_edge.errors import UserError
from fer_edge.untrusted import DecodeError, decode_json
from fer_edge.web.auth import COOKIE, OWN_HEADER, Authenticator, AuthResult, host_is_ours
from fer_edge.web.live_state import LiveState
from fer_edge.web.stream import BOUNDARY, LIVE_HZ, MjpegEncoder, SseFeed, StreamLimit
from fer_edge.web.whatif import WhatIf, WhatIfError, change_between, converted, settings_from, zones_from

MOST_BYTES = 20_000  # of a request body
SECURITY = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx must not buffer the streams
}
# Relative, so that the page works below any path of a proxy.
HOME = "./"
FOREIGN_HOST = "This page is served under localhost only. Set preview.token_file, or see docs/watch.md for a proxy.\n"
SAVING_S = 3.0  # wait for another browser's save; a stuck save must not occupy all threads
STALE = "have been changed since this page loaded them"

# Puts a change of the overrides in force and returns. Raises UserError.
Submit = Callable[[Mapping[str, Any]], None]


class WebApp:
    """State of the page, shared by its request handlers; created once."""

    def __init__(  # noqa: PLR0913, PLR0917 - one parameter per component
        self,
        device: str,
        stage: LiveState,
        pictures: MjpegEncoder,
        seats: int,
        token: str | None,
        submit: Submit,
    ) -> None:
        self._device = device
        self._stage = stage
        self._pictures = pictures
        self._whatif = WhatIf(stage)
        self._feed = SseFeed(stage, lambda: self._live_limit.taken)
        self._picture_limit, self._live_limit = StreamLimit(seats), StreamLimit(seats)
        self._auth = Authenticator(token) if token else None
        self._saving, self._auth_lock = Lock(), Lock()
        self._submit = submit
        self._closing = False

    def close(self) -> None:
        """End the live streams."""
        self._closing = True

    def application(self) -> flask.Flask:
        """Return the WSGI application."""
        app = flask.Flask("fer_edge.web")
        app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES
        app.before_request(self._check_request)
        app.after_request(_with_headers)
        app.register_error_handler(HTTPException, _json_error)
        app.add_url_rule("/", view_func=self._page)
        app.add_url_rule("/enter", view_func=self._enter, methods=["POST"])
        app.add_url_rule("/seats", view_func=self._seats)
        app.add_url_rule("/picture.mjpg", view_func=self._moving_picture)
        app.add_url_rule("/live", view_func=self._live)
        app.add_url_rule("/try", view_func=self._try, methods=["POST"])
        app.add_url_rule("/overrides", view_func=self._overrides)
        app.add_url_rule("/drop", view_func=self._drop, methods=["POST"])
        app.add_url_rule("/keep", view_func=self._keep_it, methods=["POST"])
        app.add_url_rule("/zones", view_func=self._keep_them, methods=["POST"])
        return app

    def rejected(self, now: float) -> list[tuple[str, int]]:
        """Return the (address, rejected tokens) of each burst that ended or is long, once."""
        with self._auth_lock:
            return self._auth.bursts(now) if self._auth else []

    def _check_request(self) -> flask.typing.ResponseReturnValue | None:
        request = flask.request
        if not host_is_ours(request.host, has_token=self._auth is not None):
            return FOREIGN_HOST, 403
        if request.endpoint == "static":
            return None
        if self._auth is not None:
            refusal = self._authenticate(self._auth)
            if refusal is not None:
                return refusal
        if request.method == "POST" and OWN_HEADER not in request.headers and request.endpoint != "_enter":
            return "This request must come from the page itself.\n", 403
        return None

    def _authenticate(self, auth: Authenticator) -> flask.typing.ResponseReturnValue | None:
        """Return a refusal, a redirect that replaces the token in the URL by the cookie, or None for access."""
        request, now = flask.request, time.monotonic()
        address, cookie = request.remote_addr or "", request.cookies.get(COOKIE, "")
        token = _token()
        with self._auth_lock:
            result, wait_s = auth.authenticate(token, cookie, address, now), math.ceil(auth.wait_s(address, now))
        if result is AuthResult.OPEN:
            # The token must not stay in the URL and the browser's history.
            return self._granted() if request.endpoint == "_page" and "token" in request.args else None
        waits = result is AuthResult.WAIT
        body = flask.render_template("token.html", wrong=result is AuthResult.WRONG, wait_s=wait_s if waits else 0)
        answer = flask.make_response(body, 429 if waits else 401)
        if waits:
            answer.headers["Retry-After"] = str(wait_s)
        if cookie and result is AuthResult.WRONG:
            answer.delete_cookie(COOKIE, path=None)  # of an earlier token: it would count as wrong with each request
        return answer

    def _granted(self) -> Response:
        answer = flask.redirect(HOME)
        self._set_cookie(answer)
        return answer

    def _set_cookie(self, answer: Response) -> None:
        """Set the cookie for the page's own path; a proxy may serve several pages."""
        if self._auth is not None:
            answer.set_cookie(COOKIE, self._auth.cookie, path=None, httponly=True, samesite="Strict")

    def _enter(self) -> Response:
        return self._granted()

    def _page(self) -> Response:
        answer = flask.make_response(
            flask.render_template(
                "page.html", device=self._device, emotions=EMOTIONS, colours=HEX, zones=self._stage.overrides.zones
            )
        )
        self._set_cookie(answer)
        return answer

    def _seats(self) -> dict[str, int]:
        return {"taken": self._live_limit.taken, "limit": self._live_limit.limit}

    def _moving_picture(self) -> flask.typing.ResponseReturnValue:
        kind = f"multipart/x-mixed-replace; boundary={BOUNDARY.decode()}"
        return _limited(self._picture_limit, self._pictures.watch(), kind)

    def _live(self) -> flask.typing.ResponseReturnValue:
        return _limited(self._live_limit, self._moments(), "text/event-stream")

    def _moments(self) -> Iterator[bytes]:
        """Yield server-sent events at LIVE_HZ; the first has all kept events."""
        yield self._feed.line(every_event=True)
        while not self._closing:
            time.sleep(1.0 / LIVE_HZ)
            yield self._feed.line()

    def _try(self) -> flask.typing.ResponseReturnValue:
        try:
            return self._whatif.compare(settings_from(_body()))
        except WhatIfError as error:
            return {"error": str(error)}, 422

    def _keep_it(self) -> flask.typing.ResponseReturnValue:
        def save(body: object) -> None:
            kept = converted(body, _Kept)
            decide, was = settings_from(kept.decide), settings_from(kept.was)
            in_force, _ = self._stage.rules
            if was != in_force:
                raise UserError(f"the thresholds {STALE}: undo your changes and set them again")
            self._submit(change_between(in_force, decide))

        return self._saved(save)

    def _keep_them(self) -> flask.typing.ResponseReturnValue:
        def save(body: object) -> None:
            kept = converted(body, _KeptZones)
            zones, were = zones_from(kept.zones), zones_from(kept.were)
            if were != self._stage.overrides.zones:
                raise UserError(f"the zones {STALE}: reload it and draw your zones again")
            self._submit({ZONES_SECTION: {ZONES: [[list(point) for point in zone] for zone in zones]}})

        return self._saved(save)

    def _overrides(self) -> dict[str, object]:
        overrides = self._stage.overrides
        text = (
            yaml.safe_dump(dict(overrides.values), default_flow_style=None, sort_keys=False) if overrides.values else ""
        )
        return {"revision": overrides.revision, "yaml": text, "place": overrides.place}

    def _drop(self) -> flask.typing.ResponseReturnValue:
        def drop(body: object) -> None:
            if converted(body, _Drop).revision != self._stage.overrides.revision:
                raise UserError(f"the overrides {STALE}: reload it")
            self._submit(DROP_ALL)

        return self._saved(drop)

    def _saved(self, save: Callable[[object], None]) -> flask.typing.ResponseReturnValue:
        """Save one at a time, so that the check for stale settings holds."""
        body = _body()
        if not self._saving.acquire(timeout=SAVING_S):
            return {"error": "another browser is saving: try again"}, 409
        try:
            save(body)
        except WhatIfError as error:
            return {"error": str(error)}, 422
        except UserError as error:
            return {"error": str(error)}, 409
        finally:
            self._saving.release()
        return {"saved": True}


class _Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `keep`."""

    decide: object
    was: object
    """Settings in force when the draft was started."""


class _Drop(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `drop`."""

    revision: int
    """Revision of the overrides that the page shows."""


class _KeptZones(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `zones`."""

    zones: object
    were: object
    """Zones that the page was loaded with."""


def _token() -> str:
    """Return the token in a request, empty without one."""
    request = flask.request
    if request.endpoint == "_enter":
        return request.form.get("token", "").strip()
    if request.endpoint == "_page" and "token" in request.args:
        return request.args["token"].strip()
    authorization = request.headers.get("Authorization", "")
    return authorization.removeprefix("Bearer ").strip() if authorization.startswith("Bearer ") else ""


def _body() -> object:
    """Return the request's body, decoded from JSON.

    Raises:
        HTTPException: it is not JSON, or too long.
    """
    if flask.request.mimetype != "application/json":
        raise UnsupportedMediaType("Content-Type must be application/json.")
    try:
        return decode_json(flask.request.get_data(), object)
    except DecodeError as error:
        raise BadRequest(f"The body is not JSON: {error}.") from error


def _limited(limit: StreamLimit, stream: Iterator[bytes], kind: str) -> flask.typing.ResponseReturnValue:
    """Return a stream, or 503 at the limit."""
    if not limit.acquire():
        return {"error": f"{limit.limit} pages are open, the limit of preview.watchers"}, 503
    response = flask.Response(stream, mimetype=kind)  # not direct_passthrough, which skips `call_on_close`
    response.call_on_close(limit.release)
    return response


def _with_headers(response: flask.Response) -> flask.Response:
    response.headers.update(SECURITY)
    return response


def _json_error(error: HTTPException) -> flask.typing.ResponseReturnValue:
    return {"error": error.description}, error.code or 500
