"""The live page in a real browser, served by the real daemon."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.films import scene_pictures
from tests.system.axe import faults
from tests.system.browser import Browser, chromium
from tests.system.harness import Daemon
from tests.system.mjpeg_camera import MjpegCamera
from tests.system.path_proxy import PathProxy

pytestmark = pytest.mark.system

# What the picture shows, as a number: it changes when the video moves.
PICTURE_SUM = """
const image = document.getElementById("picture"), canvas = document.createElement("canvas");
canvas.width = 64; canvas.height = 48;
const context = canvas.getContext("2d");
context.drawImage(image, 0, 0, 64, 48);
return context.getImageData(0, 0, 64, 48).data.reduce((sum, value, index) => (sum * 31 + value) % 1000000007, 0);
"""
DRAG = """
const slider = document.getElementById(arguments[0]);
slider.value = arguments[1];
slider.dispatchEvent(new Event("input", { bubbles: true }));
"""
# The table's counts added up, and the sum that it states.
REASON_SUMS = """
const counts = [...document.querySelectorAll("#why td:nth-child(2)")].map((cell) => Number(cell.textContent));
return [counts.reduce((sum, one) => sum + one, 0), Number(document.getElementById("why-sum").textContent)];
"""
# Four clicks at the corners of the picture.
CLICK_CORNERS = """
const zones = document.getElementById("zones"), box = zones.getBoundingClientRect();
for (const [x, y] of [[0, 0], [1, 0], [1, 1], [0, 1]]) {
  const clientX = box.left + x * box.width, clientY = box.top + y * box.height;
  zones.dispatchEvent(new MouseEvent("click", { clientX, clientY, bubbles: true }));
}
"""
BRIGHTEST = PICTURE_SUM.replace(
    "reduce((sum, value, index) => (sum * 31 + value) % 1000000007, 0)",
    "filter((value, index) => index % 4 !== 3).reduce((most, value) => Math.max(most, value), 0)",
)
TOKEN = "a-token-for-the-tests"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if chromium() is None:
        word = "chromium is not installed: apt install chromium chromium-driver"
        if os.environ.get("CI") == "true":
            pytest.fail(word)
        pytest.skip(word)
    one = Browser()
    yield one
    one.close()


@pytest.fixture(scope="module")
def camera() -> Iterator[MjpegCamera]:
    """Two people for as long as anybody looks: one smiles, then does not, and again."""
    one = MjpegCamera(scene_pictures(9.0, 16.0, 8.0))
    yield one
    one.switch_off()


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def serve(start: Callable[[dict[str, Any]], Daemon], camera: MjpegCamera, port: int) -> Callable[..., Daemon]:
    """Gives `serve(watchers=1, ...)`: a daemon with the page, which answers already."""

    def serve_page(**preview: object) -> Daemon:
        daemon = start(
            {
                "device": "kitchen",
                "camera": {"source": camera.url, "reopen_max_s": 1},
                "mqtt": {"host": "127.0.0.1", "port": 9, "reconnect_max_s": 3600},
                "preview": {"enabled": True, "port": port, **preview},
            }
        )
        daemon.wait_for_log("preview: http://")
        return daemon

    return serve_page


@pytest.fixture
def url(port: int) -> str:
    return f"http://127.0.0.1:{port}/"


def faces_are_there(browser: Browser) -> None:
    browser.wait(lambda one: one.run("return document.querySelectorAll('.face').length") > 0, "a face on the page")


def overrides(browser: Browser) -> dict[str, Any]:
    """The overrides that the page shows, once it shows some."""
    browser.wait(lambda one: one.text("#overrides-yaml") != "# none", "overrides on the page")
    settings: dict[str, Any] = yaml.safe_load(browser.text("#overrides-yaml"))
    return settings


def test_picture_and_bars_move_and_events_and_reasons_arrive(browser, serve, url) -> None:
    serve()
    browser.open(url)
    faces_are_there(browser)
    browser.wait_for_text("#camera-state", "running")
    before = browser.run(PICTURE_SUM)
    browser.wait(lambda one: one.run(PICTURE_SUM) != before, "another picture")
    width = "return [...document.querySelectorAll('.bar')].map((bar) => bar.style.width).join()"
    bars = browser.run(width)
    browser.wait(lambda one: one.run(width) not in ("", bars), "a bar that moved")
    browser.wait_for_text("#events", "appeared")
    sums = browser.run(REASON_SUMS)
    assert sums[0] == sums[1] > 0
    assert browser.text("#link-state").startswith("127.0.0.1:9")  # nobody answers there, and the page says so
    assert browser.complaints() == []


def test_threshold_is_dragged_tried_saved_in_force_shown_as_override_and_dropped(browser, serve, url) -> None:
    daemon = serve()
    before = daemon.config.read_text()
    browser.open(url)
    faces_are_there(browser)
    browser.wait_for_text("#events", "appeared")
    browser.run(DRAG, "tune-enter", 0.99)
    browser.wait_for_text("#tune-result", "events kept")
    assert faults(browser) == []
    assert browser.text("#overrides-yaml") == "# none"  # nothing is saved by dragging
    browser.run("document.getElementById('tune-save').click()")
    browser.wait_for_text("#tune-saved", "Saved")
    daemon.wait_for_log("settings changed on the live page: decide.enter")
    mark = "return (document.querySelector('.mark.enter') || {style: {}}).style.left"
    browser.wait(lambda one: one.run(mark) == "99%", "the mark of the new threshold")
    browser.wait(lambda one: one.text("#tune-enter-value") == "0.99", "the slider at the value in force")
    browser.wait_for_text("#overrides-yaml", "decide: {enter: 0.99}")
    browser.wait_for_text("#tune-enter-label", "enter *")
    assert faults(browser) == []
    browser.run("document.getElementById('overrides-drop').click()")
    browser.wait(lambda one: one.run(mark) == "50%", "the mark of the threshold in config.yaml")
    assert browser.text("#overrides-yaml") == "# none"
    assert daemon.config.read_text() == before


def test_contradiction_is_said_beside_the_sliders_and_nothing_is_saved(browser, serve, url) -> None:
    daemon = serve()
    before = daemon.config.read_text()
    browser.open(url)
    faces_are_there(browser)
    browser.run(DRAG, "tune-leave", 0.9)
    browser.wait_for_text("#tune-result", "decide.leave: must be at most decide.enter")
    browser.run("document.getElementById('tune-save').click()")
    browser.wait_for_text("#tune-saved", "must be at most")
    assert daemon.config.read_text() == before


def test_second_watcher_of_one_is_told_and_let_in_when_the_first_leaves(browser, serve, url) -> None:
    serve(watchers=1)
    browser.open(url)
    faces_are_there(browser)
    first = browser.driver.current_window_handle
    browser.driver.switch_to.new_window("tab")
    browser.open(url)
    browser.wait_for_text("#banner", "1 pages are open")
    assert faults(browser) == []
    second = browser.driver.current_window_handle
    browser.driver.switch_to.window(first)
    browser.open("about:blank")
    browser.driver.switch_to.window(second)
    faces_are_there(browser)
    browser.driver.close()
    browser.driver.switch_to.window(first)


def test_lost_camera_is_said_and_the_picture_returns_with_it(browser, serve, url, camera) -> None:
    serve()
    browser.open(url)
    faces_are_there(browser)
    camera.switch_off()
    browser.wait_for_text("#banner", "The camera is lost")
    browser.wait(lambda one: "good" not in one.run("return document.getElementById('camera-lamp').className"), "a lamp")
    browser.wait_for_text("#no-faces", "No faces")
    assert faults(browser) == []
    camera.switch_on()
    faces_are_there(browser)
    browser.wait(lambda one: not one.text("#banner"), "no banner")


def test_lost_daemon_is_said_and_the_page_returns_with_it(browser, serve, url) -> None:
    daemon = serve()
    browser.open(url)
    faces_are_there(browser)
    assert daemon.stop() == 0
    browser.wait_for_text("#banner", "daemon")
    serve()
    faces_are_there(browser)


def test_what_was_drawn_and_dragged_stays_while_the_daemon_is_away_and_is_saved_when_it_is_back(
    browser, serve, url
) -> None:
    daemon = serve()
    browser.open(url)
    faces_are_there(browser)
    browser.run(DRAG, "tune-enter", 0.99)
    browser.run("document.getElementById('zone-draw').click()")
    browser.run(CLICK_CORNERS)
    browser.run("document.getElementById('zone-draw').click()")
    assert daemon.stop() == 0
    for button, result in (("zone-save", "#zone-result"), ("tune-save", "#tune-saved")):
        browser.run("document.getElementById(arguments[0]).click()", button)
        browser.wait_for_text(result, "No response from the daemon. Nothing was saved")
    serve()
    faces_are_there(browser)
    for button, result in (("zone-save", "#zone-result"), ("tune-save", "#tune-saved")):
        browser.run("document.getElementById(arguments[0]).click()", button)
        browser.wait_for_text(result, "Saved")
    saved = overrides(browser)
    assert (saved["decide"]["enter"], len(saved["privacy"]["zones"])) == (0.99, 1)


def test_token_is_demanded_at_every_address_but_loopback(browser, serve, url, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    serve(address="0.0.0.0", token_file=str(tmp_path / "token"))
    browser.open(url)
    browser.run("document.getElementById('token').value = 'a guess, and a bad one'; document.forms[0].submit()")
    browser.wait_for_text(".banner", "Wrong token")
    browser.run(f"document.getElementById('token').value = '{TOKEN}'; document.forms[0].submit()")
    faces_are_there(browser)
    assert browser.driver.current_url == url


def test_page_that_is_open_says_that_the_token_has_changed(browser, serve, url, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    daemon = serve(token_file=str(tmp_path / "token"))
    browser.driver.delete_all_cookies()
    browser.open(f"{url}?token={TOKEN}")
    faces_are_there(browser)
    assert daemon.stop() == 0
    (tmp_path / "token").write_text(TOKEN[::-1])
    serve(token_file=str(tmp_path / "token"))
    browser.wait_for_text("#banner", "The token has changed")
    browser.open(f"{url}?token={TOKEN[::-1]}")
    faces_are_there(browser)


def test_page_works_below_a_path_behind_a_proxy_token_streams_and_saving_included(
    browser, serve, port, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    daemon = serve(token_file=str(tmp_path / "token"))
    browser.driver.delete_all_cookies()
    proxy = PathProxy(port)
    try:
        browser.open(proxy.url)
        browser.run(f"document.getElementById('token').value = '{TOKEN}'; document.forms[0].submit()")
        faces_are_there(browser)
        assert browser.driver.current_url == proxy.url
        before = browser.run(PICTURE_SUM)
        browser.wait(lambda one: one.run(PICTURE_SUM) != before, "another picture")
        browser.run(DRAG, "tune-enter", 0.99)
        browser.run("document.getElementById('tune-save').click()")
        browser.wait_for_text("#tune-saved", "Saved")
        browser.open(f"{proxy.url}?token={TOKEN}")
        faces_are_there(browser)
        assert browser.driver.current_url == proxy.url
        assert TOKEN not in daemon.log_path.read_text()
    finally:
        browser.open("about:blank")
        proxy.close()


def test_save_of_a_second_browser_is_refused_when_another_has_saved_since(browser, serve, url) -> None:
    serve()
    browser.driver.delete_all_cookies()
    browser.open(url)
    faces_are_there(browser)
    first = browser.driver.current_window_handle
    browser.run(DRAG, "tune-enter", 0.99)
    browser.driver.switch_to.new_window("tab")
    browser.open(url)
    faces_are_there(browser)
    browser.run(DRAG, "tune-dwell_s", 2.0)
    browser.run("document.getElementById('tune-save').click()")
    browser.wait_for_text("#tune-saved", "Saved")
    browser.driver.close()
    browser.driver.switch_to.window(first)
    browser.run("document.getElementById('tune-save').click()")
    browser.wait_for_text("#tune-saved", "have been changed since this page loaded them")
    browser.run("document.getElementById('tune-reset').click()")
    browser.run(DRAG, "tune-enter", 0.99)
    browser.run("document.getElementById('tune-save').click()")
    browser.wait_for_text("#tune-saved", "Saved")
    assert overrides(browser)["decide"] == {"enter": 0.99, "dwell_s": 2.0}


def test_narrow_screen_needs_no_sideways_scrolling_in_either_colour_scheme(browser, serve, url) -> None:
    serve()
    browser.open(url)
    faces_are_there(browser)
    try:
        for scheme in ("dark", "light"):
            browser.scheme(scheme)
            for width in (320, 400, 800, 1400):
                browser.size(width, 900)
                assert browser.run("return document.documentElement.scrollWidth <= innerWidth"), (scheme, width)
            assert faults(browser) == []
    finally:
        browser.size(1400, 1000)
        browser.scheme("light")


def test_door_has_no_serious_fault_for_people_with_disabilities(browser, serve, url, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    serve(token_file=str(tmp_path / "token"))
    browser.driver.delete_all_cookies()
    browser.open(url)
    for scheme in ("dark", "light"):
        browser.scheme(scheme)
        assert faults(browser) == []


def test_zone_is_drawn_saved_and_black_after_the_next_start(browser, serve, url) -> None:
    daemon = serve()
    browser.driver.delete_all_cookies()
    browser.open(url)
    faces_are_there(browser)
    browser.run("document.getElementById('zone-draw').click()")
    browser.run(CLICK_CORNERS)
    browser.run("document.getElementById('zone-draw').click()")
    assert faults(browser) == []
    browser.run("document.getElementById('zone-save').click()")
    browser.wait_for_text("#zone-result", "Saved")
    (zone,) = overrides(browser)["privacy"]["zones"]
    rounded = [tuple(round(value, 1) for value in point) for point in zone]
    assert rounded == [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
    daemon.stop()
    command = [Path(sys.executable).parent / "fer-edge", "run", "--config", daemon.config]
    environment = {**os.environ, "STATE_DIRECTORY": str(daemon.state)}
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment) as again:
        try:
            browser.wait(lambda one: one.text("#page-state") == "live", "the page of the next daemon")
            browser.wait(lambda one: one.run(BRIGHTEST) < 40, "a black picture")  # 40: JPEG's noise
            assert browser.run("return document.querySelectorAll('.face').length") == 0
        finally:
            again.kill()
