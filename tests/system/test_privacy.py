"""Privacy: masked areas reach nobody, and aggregate mode publishes nothing about single faces."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paho.mqtt import publish

from fer_edge.config.model import CameraSettings, MqttSettings, PrivacySettings, PublishSettings, Settings
from fer_edge.demo.broker import Broker
from fer_edge.types import Image
from tests.system.harness import DEVICE, Daemon, Subscriber

pytestmark = pytest.mark.system

Start = Callable[[dict[str, Any]], Daemon]

LEFT_HALF = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
WHOLE = [[0, 0], [1, 0], [1, 1], [0, 1]]
CORNER = [[0, 0], [0.05, 0], [0.05, 0.05], [0, 0.05]]


def settings(port: int, clip: Path, **more: Any) -> dict[str, Any]:
    return {
        "device": DEVICE,
        "camera": {"source": str(clip), "loop": True},
        "mqtt": {"host": "127.0.0.1", "port": port},
        "publish": {"health_s": 1, **more.pop("publish", {})},
        **more,
    }


class Planted:
    """Ten pictures of noise whose left half is a pattern that no noise and no message has by chance."""

    live, rate_hz, format, position_s = False, 10.0, "test", 0.0

    def __init__(self) -> None:
        self._left = 10
        self._noise = np.random.default_rng(1)

    def read(self) -> Image | None:
        self._left -= 1
        if self._left < 0:
            return None
        image = self._noise.integers(1, 255, (120, 160, 3), np.uint8)
        image[:, :80] = np.frombuffer(PATTERN, np.uint8)
        return image

    def close(self) -> None:
        pass


PATTERN = b"\x5a\xa5\x3c"


def test_pattern_in_a_zone_reaches_neither_the_detector_nor_a_message_nor_a_file(
    broker: Broker, subscriber: Subscriber, tmp_path: Path
) -> None:
    from fer_edge.daemon.app import App  # noqa: PLC0415

    looked_at: list[Image] = []

    class Spying(App):
        """The daemon as it is, and what its detector is given: from outside nobody can tell that it saw nothing."""

        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            detect = self._vision.detector.detect

            def spy(image: Image) -> Any:
                looked_at.append(image.copy())
                return detect(image)

            self._vision.detector.detect = spy

    def run(*zones: Any) -> None:
        looked_at.clear()
        Spying(
            Settings(
                device=DEVICE,
                camera=CameraSettings(source="planted.mp4"),
                mqtt=MqttSettings(host="127.0.0.1", port=broker.port),
                publish=PublishSettings(health_s=1),
                privacy=PrivacySettings(zones=zones),
            ),
            opener=lambda _: Planted(),
            state=tmp_path,
            runtime=tmp_path,
        ).run()

    run()
    assert looked_at
    assert all(PATTERN * 60 in image.tobytes() for image in looked_at), "it is there for whoever looks without a zone"
    run(LEFT_HALF)
    assert looked_at
    for image in looked_at:
        assert not image[:, :80].any()
        assert image[:, 84:].all(), "the other half is as it was"
    subscriber.wait_for(lambda heard: heard.of("info")[-1:] and heard.of("info")[-1]["privacy"]["zones"], "info")
    heard = repr(subscriber.heard).encode()
    files = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert len(files) > 0
    assert PATTERN not in files
    assert PATTERN not in heard


def test_face_behind_a_zone_is_never_told_and_one_beside_it_is(
    broker: Broker, subscriber: Subscriber, start: Start, data: Path
) -> None:
    clip = data / "videos" / "single_face.mp4"
    hidden = start(settings(broker.port, clip, privacy={"zones": [WHOLE]}))
    subscriber.wait_for(lambda heard: sum(one["frames"] for one in heard.of("health")) > 60, "sixty pictures")
    assert hidden.stop() == 0
    assert subscriber.of("event") == []
    assert all(one["faces_seen"] == 0 for one in subscriber.of("health"))
    start(settings(broker.port, clip, privacy={"zones": [CORNER]}))
    subscriber.wait_for(lambda heard: heard.of("event"), "the face")


def test_aggregate_tells_of_nobody_and_takes_back_what_was_told(
    broker: Broker, subscriber: Subscriber, start: Start, data: Path
) -> None:
    clip = data / "videos" / "single_face.mp4"
    publish.single(f"fer_edge/{DEVICE}/state", b"{}", 1, True, port=broker.port)  # what a run in the other mode left
    daemon = start(settings(broker.port, clip, privacy={"mode": "aggregate"}, publish={"summary_s": 60}))
    subscriber.wait_for(lambda heard: sum(one["faces_seen"] for one in heard.of("health")) > 60, "faces in health")
    assert subscriber.answer("snapshot-state")["mistakes"][0].startswith("privacy.mode is aggregate")
    assert daemon.stop() == 0
    subscriber.wait_for(lambda heard: heard.of("availability")[-1:] == ["offline"], "the end")
    told = {name for name, _ in subscriber.heard} - {"response/snapshot-state"}
    assert told == {"availability", "health", "info", "settings", "state"}, "no window was as long as a minute"
    assert subscriber.of("state") == [{}, ""], "ours and its end"
    assert list(daemon.state.glob("*.db")) == []


def test_full_mode_tells_a_summary_as_well(broker: Broker, subscriber: Subscriber, start: Start, data: Path) -> None:
    start(settings(broker.port, data / "videos" / "single_face.mp4", publish={"summary_s": 10}))
    subscriber.wait_for(lambda heard: len(heard.of("summary")) >= 2, "two windows")
    first, second = subscriber.of("summary")[:2]
    assert first["id"].rpartition("-")[2] == "s1"
    assert second["id"].rpartition("-")[2] == "s2"
    assert 10 <= second["window_s"] < 11
    assert sum(second["dwell_s"].values()) + second["unsure_s"] > 5
    assert second["faces"] >= 1
    assert not {"face", "box", "scores"} & set(second)
    assert subscriber.of("event")
