"""What the daemon says of itself, as the keys of the `info` and `health` messages (docs/mqtt.md)."""

from typing import Any

import msgspec

from fer_edge import __version__
from fer_edge.capture.supervise import CameraState
from fer_edge.deliver.link import LinkState
from fer_edge.operate.health import Health
from fer_edge.vision.vision import Vision


def info_facts(vision: Vision) -> dict[str, Any]:
    """Program, network, detector and runtime."""
    card, runner = vision.classifier.card, vision.classifier.runner
    return {
        "version": __version__,
        "model": {"name": card.name, "sha256": card.sha256, "labels": card.emotions, "scores": card.scores},
        "runtime": runner.runtime,
        "xnnpack": runner.xnnpack,
        "detector": vision.detector.name,
    }


def health_figures(health: Health, camera: CameraState, link: LinkState, now: float) -> dict[str, Any]:
    """The figures of a window, the camera and the link."""
    return {
        **msgspec.to_builtins(health),
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
    }
