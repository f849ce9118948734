"""The page's addresses, asked directly."""

import json
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

import flask
import msgspec
import pytest
from flask.testing import FlaskClient

from fer_edge.config.loader import parse_settings
from fer_edge.config.model import DecideSettings, Zone
from fer_edge.config.runtime import amended, overlaid
from fer_edge.errors import UserError
from fer_edge.web.app import WebApp
from fer_edge.web.auth import COOKIE
from fer_edge.web.live_state import LiveState
from fer_edge.web.stream import MjpegEncoder

OWN = {"X-Fer-Edge": "page"}
TOKEN = "0123456789abcdef"
DECIDE = {"smooth_s": 0.2, "enter": 0.6, "leave": 0.4, "dwell_s": 0.3, "arrive_s": 0.5, "emotions": {}}
ZONE = [[0.0, 0.0], [0.5, 0.0], [0.5, 1.0]]
OTHER_ZONE = [[0.6, 0.0], [0.9, 0.0], [0.9, 1.0]]


def kept(decide: object, was: object = DECIDE) -> dict[str, object]:
    return {"decide": decide, "was": was}


def zones(now: object, before: object = ()) -> dict[str, object]:
    return {"zones": now, "were": before}


class Store:
    """Store of overrides; it can fail."""

    def __init__(self) -> None:
        self.changes: list[dict[str, Any]] = []
        self.stage: LiveState | None = None
        self.failure: str | None = None

    def submit(self, change: Mapping[str, Any]) -> None:
        if self.failure:
            raise UserError(self.failure)
        self.changes.append(dict(change))
        if self.stage is not None:
            decide, lost_s = self.stage.rules
            values = amended(self.stage.overrides.values, change)
            in_force = overlaid(msgspec.to_builtins(decide), values.get("decide", {}))
            self.stage.reconfigure(msgspec.convert(in_force, DecideSettings), lost_s)
            zones = msgspec.convert(values.get("privacy", {}).get("zones", []), tuple[Zone, ...])
            self.stage.set_overrides(values, zones, "porch.json")


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def client_of(play, store) -> Callable[..., FlaskClient]:
    def make(token: str | None = None, seats: int = 2) -> FlaskClient:
        stage = play().show(2.0, "happy").show(2.0, "sad").stage
        store.stage = stage
        page = WebApp("kitchen", stage, MjpegEncoder(stage, 10.0, 960), seats, token, store.submit)
        application: flask.Flask = page.application()
        return application.test_client()

    return make


def test_page_names_the_device_and_nothing_comes_from_another_host(client_of) -> None:
    answer = client_of().get("/")
    assert answer.status_code == 200
    assert "<h1>kitchen</h1>" in answer.text
    assert "http://" not in answer.text.replace("http://localhost", "")
    assert "https://" not in answer.text


@pytest.mark.parametrize("address", ["/", "/seats", "/static/page.js", "/no-such-page", "/live"])
def test_every_answer_has_the_headers_that_browsers_enforce(client_of, address) -> None:
    for token in (None, TOKEN):
        answer = client_of(token).get(address, buffered=False)
        answer.close()
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"  # a token in an address goes nowhere
        assert answer.headers["Cache-Control"] == "no-store"


def test_request_under_a_foreign_name_is_refused(client_of) -> None:
    assert client_of().get("/", headers={"Host": "evil.example"}).status_code == 403
    assert client_of().get("/picture.mjpg", headers={"Host": "evil.example"}).status_code == 403


def test_order_without_the_page_s_own_header_is_refused_and_changes_nothing(client_of, store) -> None:
    assert client_of().post("/keep", json=DECIDE).status_code == 403
    assert store.changes == []


def test_everything_but_the_door_demands_the_token(client_of) -> None:
    client = client_of(TOKEN)
    for address in ("/", "/seats", "/live", "/picture.mjpg"):
        assert client.get(address).status_code == 401, address
    for address in ("/try", "/keep"):
        assert client.post(address, json=DECIDE, headers=OWN).status_code == 401, address
    style = client.get("/static/page.css")  # the door is made of it
    assert style.status_code == 200
    style.close()


def test_wrong_token_is_said_and_the_right_one_becomes_a_ticket(client_of) -> None:
    client = client_of(TOKEN)
    wrong = client.post("/enter", data={"token": TOKEN[:-1]})
    assert wrong.status_code == 401
    assert "Wrong token" in wrong.text
    assert client.get_cookie(COOKIE) is None
    right = client.post("/enter", data={"token": TOKEN})
    assert (right.status_code, right.location) == (302, "./")
    cookie = client.get_cookie(COOKIE)
    assert cookie is not None
    assert (cookie.http_only, cookie.same_site) == (True, "Strict")
    assert TOKEN not in cookie.value
    assert client.get("/").status_code == 200


def test_token_in_the_address_is_taken_out_of_it(client_of) -> None:
    client = client_of(TOKEN)
    assert client.get(f"/?token={TOKEN}").location == "./"
    assert client.get("/").status_code == 200
    assert client_of(TOKEN).get("/?token=wrong").status_code == 401


def test_live_line_holds_faces_scores_thresholds_events_and_health(client_of) -> None:
    answer = client_of().get("/live", buffered=False)
    first = next(iter(answer.response))
    moment = msgspec.json.decode(first.removeprefix(b"data: ").strip())
    (face,) = moment["faces"]
    assert (face["face"], face["emotion"]) == (1, "sad")
    assert len(face["scores"]) == 7
    assert moment["rules"]["enters"] == [0.6] * 7
    assert [event["type"] for event in moment["events"]] == ["face_appeared", "emotion_changed"]
    assert moment["figures"]["faces_seen"] == sum(moment["figures"]["faces"].values()) == 40
    answer.close()


def test_watcher_beyond_the_limit_is_told_so_until_one_leaves(client_of) -> None:
    client = client_of(seats=1)
    first = client.get("/live", buffered=False)
    next(iter(first.response))
    refused = client.get("/live")
    assert refused.status_code == 503
    assert "1 pages are open, the limit of preview.watchers" in refused.json["error"]
    assert client.get("/seats").json == {"taken": 1, "limit": 1}
    first.close()
    assert client.get("/seats").json == {"taken": 0, "limit": 1}


def test_draft_tells_which_events_of_the_last_minutes_would_go(client_of) -> None:
    same = client_of().post("/try", json=DECIDE, headers=OWN).json
    assert same["counts"] == {"kept": 2, "moved": 0, "new": 0, "gone": 0}
    never = {"emotions": {"sad": {"enter": 0.95, "leave": 0.94}}}
    other = client_of().post("/try", json={**DECIDE, **never}, headers=OWN).json
    assert other["counts"]["gone"] == 1  # the change to sad
    assert [row["emotion"] for row in other["events"] if row["fate"] == "gone"] == ["sad"]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"enter": 7}, "enter"),
        ({"enter": -0.1}, "enter"),
        ({"enter": "high"}, "enter"),
        ({"dwell_s": 1e9}, "dwell_s"),
        ({"leave": 0.9}, "must be at most decide.enter"),
        ({"emotions": {"bored": {"enter": 0.5}}}, "bored"),
        ({"entre": 0.5}, "entre"),
    ],
)
def test_absurd_draft_is_refused_with_its_key_and_kept_nowhere(client_of, store, change, word) -> None:
    draft = {**DECIDE, **change}
    for address, body in (("/try", draft), ("/keep", kept(draft))):
        answer = client_of().post(address, json=body, headers=OWN)
        assert answer.status_code == 422
        assert word in answer.json["error"]
        assert "\n" not in answer.json["error"]
    assert store.changes == []


LONE = b'"\\ud800"'  # a lone surrogate, as JSON writes it
BODIES = [
    b"",
    b"{",
    b"[]",
    b"5",
    b"NaN",
    LONE,
    b"\xff\xfe{}",
    b"\xed\xa0\x80",
    b'{"was": {}, "decide": {"enter": NaN}}',
    b'{"was": {}, "decide": {"enter": 1e999}}',
    b'{"was": {}, "decide": {"enter": ' + b"9" * 5000 + b"}}",
    b'{"was": {}, "decide": {"emotions": {' + LONE + b": {}}}}",
    b'{"was": {}, "decide": {' + LONE + b": 1}}",
    b'{"were": [], "zones": [[[1, 2, 3]]]}',
    b'{"were": [], "zones": [[[' + b"9" * 400 + b", 0], [0, 1], [1, 1]]]}",
    b"{" + b'"a":1,' * 9000,
    b"[" * 19000,
]


@pytest.mark.parametrize("address", ["/try", "/keep", "/zones", "/drop"])
@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:24]))
def test_malformed_body_is_refused_and_no_exception_is_logged(client_of, store, caplog, address, body) -> None:
    answer = client_of().post(address, data=body, headers=OWN, content_type="application/json")
    assert answer.status_code in (400, 413, 422)
    assert answer.json["error"]
    assert store.changes == []
    assert caplog.records == []


def test_body_of_another_type_is_refused(client_of, store) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "", "\xff/\x00; charset=utf-7"):
        answer = client_of().post("/keep", data=json.dumps(kept(DECIDE)), headers=OWN, content_type=kind)
        assert answer.status_code == 415
    assert store.changes == []


HOSTILE = [
    "\ud800",
    "\udcff",
    "\xff\xfe",
    "\ufeff",
    "\x00",
    "%ED%A0%80",
    "%FF",
    "x" * 5000,
    "../../etc/passwd",
    '"',
    "; =",
]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_hostile_text_in_query_form_header_cookie_path_or_host_is_refused_as_any_wrong_token(
    client_of, caplog, text
) -> None:
    wire = text.encode(errors="surrogatepass").decode("latin-1")  # as a server hands bytes to an application
    client = client_of(TOKEN)
    answers = [
        client.get("/", query_string=f"token={wire}"),
        client.post("/enter", data=f"token={wire}".encode("latin-1"), content_type="application/x-www-form-urlencoded"),
        client.get("/", environ_overrides={"HTTP_AUTHORIZATION": f"Bearer {wire}"}),
        client.get("/", environ_overrides={"HTTP_COOKIE": f"{COOKIE}={wire}"}),
        client.get("/", environ_overrides={"HTTP_HOST": wire}),
        client.get("/", environ_overrides={"PATH_INFO": f"/static/{wire}"}),
    ]
    assert {answer.status_code for answer in answers} <= {400, 401, 403, 404, 429}
    assert caplog.records == []


def test_wrong_tokens_are_limited_and_the_browser_is_told_for_how_long(client_of) -> None:
    client = client_of(TOKEN)
    for _ in range(5):
        assert client.post("/enter", data={"token": "wrong"}).status_code == 401
    refused = client.post("/enter", data={"token": TOKEN})
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert "Try again in 1 s" in refused.text
    assert client.get("/").status_code == 401  # without a token there is nothing to guess
    other = {"REMOTE_ADDR": "192.0.2.9"}
    assert client.post("/enter", data={"token": TOKEN}, environ_overrides=other).status_code == 302


def test_cookie_of_an_earlier_token_is_taken_away_and_counts_once(client_of) -> None:
    client = client_of(TOKEN)
    client.set_cookie(COOKIE, "of-an-earlier-token")
    assert [client.get("/seats").status_code for _ in range(20)] == [401] * 20
    assert client.post("/enter", data={"token": TOKEN}).status_code == 302


def test_page_and_door_ask_for_everything_below_their_own_address(client_of) -> None:
    for page in (client_of().get("/"), client_of(TOKEN).get("/")):
        addresses = re.findall(r'(?:href|src|action)="([^"]*)"', page.text)
        assert addresses
        assert [address for address in addresses if address.startswith("/") or ":" in address] == []


def test_kept_thresholds_reach_the_store_and_its_failure_the_page(client_of, store) -> None:
    client = client_of()
    answer = client.post("/keep", json=kept({**DECIDE, "enter": 0.7}), headers=OWN)
    assert answer.json == {"saved": True}
    assert store.changes == [{"decide": {"enter": 0.7, "emotions": {}}}]
    store.failure = "porch.json: cannot be written: permission denied"
    refused = client.post("/keep", json=kept(DECIDE, {**DECIDE, "enter": 0.7}), headers=OWN)
    assert (refused.status_code, refused.json["error"]) == (409, store.failure)


def test_second_of_two_browsers_that_began_from_the_same_settings_is_refused_with_the_reason(client_of, store) -> None:
    client = client_of()
    first, second = {**DECIDE, "enter": 0.7}, {**DECIDE, "leave": 0.3}
    assert client.post("/keep", json=kept(first), headers=OWN).status_code == 200
    refused = client.post("/keep", json=kept(second), headers=OWN)
    assert refused.status_code == 409
    assert "have been changed since this page loaded them" in refused.json["error"]
    both = {**first, "leave": 0.3}
    assert client.post("/keep", json=kept(both, first), headers=OWN).status_code == 200
    assert [change["decide"] for change in store.changes] == [
        {"enter": 0.7, "emotions": {}},
        {"leave": 0.3, "emotions": {}},
    ]
    assert client.post("/zones", json=zones([ZONE]), headers=OWN).status_code == 200
    refused = client.post("/zones", json=zones([OTHER_ZONE]), headers=OWN)
    assert refused.status_code == 409
    assert "reload it and draw" in refused.json["error"]
    assert client.post("/zones", json=zones([ZONE, OTHER_ZONE], [ZONE]), headers=OWN).status_code == 200
    assert [len(change["privacy"]["zones"]) for change in store.changes[2:]] == [1, 2]


def test_of_saves_at_one_moment_exactly_one_is_kept_and_every_other_is_refused(client_of, store) -> None:
    application = client_of().application
    barrier = threading.Barrier(8)
    statuses: list[int] = []

    def save(number: int) -> None:
        barrier.wait(20)
        body = kept({**DECIDE, "enter": 0.7 + number / 100})
        statuses.append(application.test_client().post("/keep", json=body, headers=OWN).status_code)

    threads = [threading.Thread(target=save, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(statuses) == [200] + [409] * 7
    assert len(store.changes) == 1


def test_zone_that_was_drawn_reaches_the_store_and_the_next_page(client_of, store) -> None:
    client = client_of()
    assert client.post("/zones", json=zones([ZONE]), headers=OWN).json == {"saved": True}
    assert store.changes == [{"privacy": {"zones": [ZONE]}}]
    assert "[[[0.0, 0.0], [0.5, 0.0], [0.5, 1.0]]]" in client.get("/").text
    assert client.post("/zones", json=zones([], [ZONE]), headers=OWN).status_code == 200
    assert store.changes[-1] == {"privacy": {"zones": []}}


@pytest.mark.parametrize(
    ("drawn", "word"),
    [
        ([[[0, 0], [1, 1]]], "length >= 3"),
        ([[[0, 0], [2, 0], [1, 1]]], "<= 1.0"),
        ([[[0, 0], [1, 0], ["a", 1]]], "float"),
        ([[[0, 0], [1, 1], [1, 0], [0, 1]]], "cross"),
        ([[[0, 0], [0.5, 0.5], [1, 1]]], "no area"),
        ({}, "array"),
    ],
)
def test_malformed_polygon_is_refused_with_the_reason_and_kept_nowhere(client_of, store, drawn, word) -> None:
    answer = client_of().post("/zones", json=zones(drawn), headers=OWN)
    assert answer.status_code == 422
    assert word in answer.json["error"]
    assert "\n" not in answer.json["error"]
    assert store.changes == []


def test_overrides_are_shown_as_yaml_to_paste_with_their_place_and_dropped_by_one_request(client_of, store) -> None:
    client = client_of()
    assert client.get("/overrides").json == {"revision": 0, "yaml": "", "place": ""}
    assert client.post("/keep", json=kept({**DECIDE, "enter": 0.7}), headers=OWN).status_code == 200
    shown = client.get("/overrides").json
    assert (shown["yaml"], shown["place"]) == ("decide: {enter: 0.7}\n", "porch.json")
    settings, mistakes = parse_settings(shown["yaml"])
    assert settings is not None, mistakes
    live = client.get("/live", buffered=False)
    moment = msgspec.json.decode(next(iter(live.response)).removeprefix(b"data: ").strip())
    live.close()
    assert moment["overrides"] == {"revision": shown["revision"], "keys": ["decide.enter"]}
    stale = client.post("/drop", json={"revision": 0}, headers=OWN)
    assert stale.status_code == 409
    assert client.get("/overrides").json == shown
    assert client.post("/drop", json={"revision": shown["revision"]}, headers=OWN).status_code == 200
    assert client.get("/overrides").json["yaml"] == ""


def test_own_threshold_that_a_draft_takes_back_is_set_to_the_general_one(client_of, store) -> None:
    client = client_of()
    own = {**DECIDE, "emotions": {"sad": {"enter": 0.9}}}
    assert client.post("/keep", json=kept(own), headers=OWN).status_code == 200
    assert client.post("/keep", json=kept({**DECIDE, "enter": 0.7}, own), headers=OWN).status_code == 200
    assert [change["decide"]["emotions"] for change in store.changes] == [
        {"sad": {"enter": 0.9}},
        {"sad": {"enter": 0.7}},
    ]
