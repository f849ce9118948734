"""The page's addresses, asked directly."""

from collections.abc import Callable

import flask
import msgspec
import pytest
from flask.testing import FlaskClient

from fer_edge.config import DecideSettings, Zone
from fer_edge.errors import UserError
from fer_edge.preview.guard import COOKIE, ticket
from fer_edge.preview.page import Page
from fer_edge.preview.pictures import Pictures

OWN = {"X-Fer-Edge": "page"}
TOKEN = "0123456789abcdef"
DECIDE = {"smooth_s": 0.2, "enter": 0.6, "leave": 0.4, "dwell_s": 0.3, "arrive_s": 0.5, "emotions": {}}


class Keeper:
    """Where thresholds are kept; it can be full."""

    def __init__(self) -> None:
        self.kept: list[DecideSettings] = []
        self.zones: list[tuple[Zone, ...]] = []
        self.failure: str | None = None

    def __call__(self, decide: DecideSettings, before: DecideSettings) -> str:
        if self.failure:
            raise UserError(self.failure)
        self.kept.append(decide)
        return "config.yaml"

    def keep_zones(self, zones: tuple[Zone, ...]) -> str:
        if self.failure:
            raise UserError(self.failure)
        self.zones.append(zones)
        return "config.yaml"


@pytest.fixture
def keeper() -> Keeper:
    return Keeper()


@pytest.fixture
def client_of(play, keeper) -> Callable[..., FlaskClient]:
    def make(token: str | None = None, seats: int = 2) -> FlaskClient:
        stage = play().show(2.0, "happy").show(2.0, "sad").stage
        page = Page("kitchen", stage, Pictures(stage, 10.0, 960), seats, token, keeper, keeper.keep_zones)
        application: flask.Flask = page.application()
        return application.test_client()

    return make


def test_page_names_the_device_and_nothing_comes_from_another_host(client_of) -> None:
    answer = client_of().get("/")
    assert answer.status_code == 200
    assert "<h1>kitchen</h1>" in answer.text
    assert "http://" not in answer.text.replace("http://localhost", "")
    assert "https://" not in answer.text
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]


def test_request_under_a_foreign_name_is_refused(client_of) -> None:
    assert client_of().get("/", headers={"Host": "evil.example"}).status_code == 403
    assert client_of().get("/picture.mjpg", headers={"Host": "evil.example"}).status_code == 403


def test_order_without_the_page_s_own_header_is_refused_and_changes_nothing(client_of, keeper) -> None:
    assert client_of().post("/keep", json=DECIDE).status_code == 403
    assert keeper.kept == []


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
    assert "That is not the token" in wrong.text
    assert client.get_cookie(COOKIE) is None
    right = client.post("/enter", data={"token": TOKEN})
    assert (right.status_code, right.location) == (302, "/")
    cookie = client.get_cookie(COOKIE)
    assert cookie is not None
    assert (cookie.value, cookie.http_only, cookie.same_site) == (ticket(TOKEN), True, "Strict")
    assert client.get("/").status_code == 200


def test_token_in_the_address_is_taken_out_of_it(client_of) -> None:
    client = client_of(TOKEN)
    assert client.get(f"/?token={TOKEN}").location == "/"
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
    assert "1 are watching already" in refused.json["error"]
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
def test_absurd_draft_is_refused_with_its_key_and_kept_nowhere(client_of, keeper, change, word) -> None:
    for address in ("/try", "/keep"):
        answer = client_of().post(address, json={**DECIDE, **change}, headers=OWN)
        assert answer.status_code == 422
        assert word in answer.json["error"]
        assert "\n" not in answer.json["error"]
    assert keeper.kept == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"5", b"{" + b'"a":1,' * 9000, b"[" * 19000])
def test_body_that_is_no_draft_is_refused(client_of, body) -> None:
    answer = client_of().post("/keep", data=body, headers=OWN, content_type="application/json")
    assert answer.status_code in (400, 413, 422)
    assert answer.json["error"]


@pytest.mark.parametrize("address", ["/try", "/keep", "/zones"])
def test_body_that_is_nested_too_deeply_is_refused_as_one_that_cannot_be_read(client_of, address) -> None:
    answer = client_of().post(address, data=b"[" * 19000, headers=OWN, content_type="application/json")
    assert (answer.status_code, answer.json["error"]) == (400, "This is nested too deeply.")


def test_kept_thresholds_reach_the_keeper_and_its_failure_the_page(client_of, keeper) -> None:
    answer = client_of().post("/keep", json={**DECIDE, "enter": 0.7}, headers=OWN)
    assert answer.json == {"kept": "config.yaml"}
    assert [decide.enter for decide in keeper.kept] == [0.7]
    keeper.failure = "config.yaml: cannot be written: permission denied"
    refused = client_of().post("/keep", json=DECIDE, headers=OWN)
    assert (refused.status_code, refused.json["error"]) == (409, keeper.failure)


def test_zone_that_was_drawn_reaches_the_keeper_and_the_next_page(client_of, keeper) -> None:
    client = client_of()
    zone = [[0.0, 0.0], [0.5, 0.0], [0.5, 1.0]]
    assert client.post("/zones", json=[zone], headers=OWN).json == {"kept": "config.yaml"}
    assert keeper.zones == [(((0.0, 0.0), (0.5, 0.0), (0.5, 1.0)),)]
    assert "[[[0.0, 0.0], [0.5, 0.0], [0.5, 1.0]]]" in client.get("/").text
    assert client.post("/zones", json=[], headers=OWN).status_code == 200
    assert keeper.zones[-1] == ()


@pytest.mark.parametrize(
    ("zones", "word"),
    [
        ([[[0, 0], [1, 1]]], "length >= 3"),
        ([[[0, 0], [2, 0], [1, 1]]], "<= 1.0"),
        ([[[0, 0], [1, 0], ["a", 1]]], "float"),
        ([[[0, 0], [1, 1], [1, 0], [0, 1]]], "cross"),
        ([[[0, 0], [0.5, 0.5], [1, 1]]], "no area"),
        ({}, "array"),
    ],
)
def test_malformed_polygon_is_refused_with_the_reason_and_kept_nowhere(client_of, keeper, zones, word) -> None:
    answer = client_of().post("/zones", json=zones, headers=OWN)
    assert answer.status_code == 422
    assert word in answer.json["error"]
    assert "\n" not in answer.json["error"]
    assert keeper.zones == []
