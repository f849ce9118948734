"""What the daemon says of itself: the keys of the `info` and `health` messages (docs/mqtt.md), the service's status."""

from collections.abc import Mapping
from typing import Any

import msgspec

from fer_edge import __version__
from fer_edge.capture.supervisor import CameraState, Phase
from fer_edge.config.model import PrivacySettings, Settings
from fer_edge.daemon.health import Health
from fer_edge.daemon.status import Part, Pictures
from fer_edge.homeassistant.discovery import Discovery
from fer_edge.mqtt.link import LinkState
from fer_edge.mqtt.topics import Topics
from fer_edge.vision.analyzer import Vision
from fer_edge.vision.delegate import Kernels

WELL = (Phase.RUNNING, Phase.ENDED, Phase.PAUSED)  # how a camera may be without anything being wrong


def info_facts(vision: Vision, kernels: Kernels, privacy: PrivacySettings) -> dict[str, Any]:
    """Program, network, detector and runtime, and what is not told or not seen."""
    card, runner = vision.classifier.card, vision.classifier.runner
    return {
        "version": __version__,
        "model": {"name": card.name, "sha256": card.sha256, "labels": card.emotions, "scores": card.scores},
        "runtime": runner.runtime,
        "xnnpack": kernels.xnnpack,
        "detector": vision.detector.name,
        "privacy": {"mode": privacy.mode, "zones": len(privacy.zones)},
    }


def discovery_of(settings: Settings, topics: Topics, vision: Vision) -> Discovery:
    """The device as Home Assistant is to show it."""
    return Discovery(
        topics,
        settings.home_assistant.prefix,
        __version__,
        vision.classifier.card.name,
        tuple(Phase),
        (Phase.RUNNING,),
        aggregate=settings.privacy.mode == "aggregate",
    )


def health_figures(  # noqa: PLR0913, PLR0917 - each of the parts of a running daemon
    health: Health,
    kernels: Kernels,
    camera: CameraState,
    link: LinkState,
    now: float,
    requests: dict[str, int],
    recording: dict[str, str],
) -> dict[str, Any]:
    """The figures of a window, what runs the network, the camera, the link, the requests and the recording."""
    return {
        **msgspec.to_builtins(health),
        "kernels": msgspec.to_builtins(kernels),
        "camera": {
            "state": camera.phase,
            "reason": camera.reason,
            "for_s": round(max(0.0, now - camera.since), 1),
            "reopened": camera.reopened,
        },
        "link": {
            "state": link.text,
            "protocol": link.protocol,
            "connects": link.connects,
        },
        "outbox": msgspec.to_builtins(link.outbox),
        "requests": requests,
        "record": recording,
    }


def recording_state(failure: str | None) -> dict[str, str]:
    """State of the recorded scores; ``failure`` is why they are lost just now, None where none are recorded."""
    if failure is None:
        return {"state": "off", "reason": ""}
    return {"state": "failing" if failure else "running", "reason": failure}


def status_of(camera: CameraState, link: LinkState, pictures: Pictures, troubles: Mapping[str, str]) -> list[Part]:
    """How the daemon is, for `systemctl status`; ``troubles`` names what else may be wrong, empty while it is not."""
    parts = [
        Part("camera", camera.phase in WELL, _joined(camera.phase, camera.reason)),
        Part("broker", link.connected, link.text),
        Part("pictures", pictures.any or camera.phase is Phase.PAUSED, _told(pictures)),
    ]
    return parts + [Part(name, ok=False, text=trouble) for name, trouble in troubles.items() if trouble]


def _told(pictures: Pictures) -> str:
    if not pictures.any:
        return "none yet"
    rate = "" if pictures.rate_hz is None else f"{pictures.rate_hz:.1f} a second, "
    return f"{rate}{pictures.faces} face{'' if pictures.faces == 1 else 's'} in view"


def _joined(phase: Phase, reason: str) -> str:
    return f"{phase}: {reason}" if reason else str(phase)
