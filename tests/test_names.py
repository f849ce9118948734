"""Names and first lines: retired identifiers do not come back, docstrings begin with a noun phrase or an imperative."""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGES = ("fer_edge", "converter")

# Names of an earlier vocabulary, each with the field's word that took its place.
RETIRED = {
    "Attendant": "CommandHandler",
    "CameraWatch": "CameraMonitor",
    "DetectorRecipe": "DetectorTrainConfig",
    "Doorbell": "Wakeup",
    "Drafts": "WhatIf",
    "EventLine": "EventQueue",
    "Evidence": "EmaState",
    "Heard": "ReceivedMessage",
    "Inbox": "RequestQueue",
    "Keeper": "CommandQueue",
    "Kernels": "DelegateInfo",
    "Ledger": "Journal",
    "Letters": "MessageQueue",
    "Listening": "Subscription",
    "LiveSettings": "RuntimeConfig",
    "Mailbox": "LatestFrame",
    "Mirror": "Journal",
    "Moments": "SseFeed",
    "Once": "ConnectionLog",
    "Overlay": "Overrides",
    "OwnDetector": "TfliteDetector",
    "Pace": "PlaybackClock",
    "Parcel": "InFlight",
    "Past": "Recovery",
    "Patience": "Timeouts",
    "Recipe": "TrainConfig",
    "Reporter": "MqttPublisher",
    "Runner": "Interpreter",
    "Seats": "StreamLimit",
    "CaptureControl": "Camera.pause, Camera.resume",
    "Shutter": "Camera.pause, Camera.resume",
    "Spill": "Spooler",
    "Story": "Provenance",
    "Tally": "Statistics",
    "Trouble": "BrokerError",
    "Unscored": "RejectReason",
    "Verdict": "FaceState, FrameAction",
    "Visit": "TrackState",
    "Vitals": "HealthReporter",
    "Wish": "Options",
    "Witness": "PipelineObserver",
    "Zones": "PrivacyMask",
    "why_not": "diagnose",
    "believed": "apply_hysteresis",
    "ask_tflite": "run_tflite",
    "black_out": "apply",
    "due_by": "deadline",
}
# File names of that vocabulary, without suffix.
RETIRED_FILES = {
    "advice",
    "ask_keras",
    "attendant",
    "belief",
    "beside",
    "blackout",
    "camera_watch",
    "cells",
    "decider",
    "doorbell",
    "drafts",
    "ending",
    "event_line",
    "evidence",
    "facts",
    "find_layout",
    "findings",
    "folded",
    "forget",
    "gates",
    "guard",
    "inbox",
    "keeper",
    "kernels",
    "ledger",
    "leftovers",
    "lend",
    "letters",
    "live_settings",
    "mailbox",
    "main_loop",
    "mirror",
    "moments",
    "once",
    "own",
    "pace",
    "page",
    "parcel",
    "past",
    "places",
    "preconditions",
    "put",
    "quantize_job",
    "reach",
    "reading",
    "recipe_file",
    "reduce",
    "replay_pace",
    "reporter",
    "rounding",
    "runner",
    "seats",
    "settings_layers",
    "settings_leaf",
    "settings_walk",
    "shutter",
    "spelling",
    "spill",
    "spread",
    "stage",
    "supervise",
    "tally",
    "traces",
    "train_story",
    "upright",
    "visit",
    "vitals",
    "withdraw",
    "written",
}
STORYTELLING = re.compile(r"(What|Whether|How|Who|Where|Why)\b")


def modules() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((REPOSITORY / package).rglob("*.py"))]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_docstring_begins_with_a_noun_phrase_or_an_imperative(path: Path) -> None:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node) or ""
            if STORYTELLING.match(text):
                found.append(text.splitlines()[0])
    assert not found


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_retired_names_do_not_come_back(path: Path) -> None:
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
    found = {token.string for token in tokens if token.type == tokenize.NAME} & set(RETIRED)
    assert not {name: RETIRED[name] for name in found}
    assert path.stem not in RETIRED_FILES


def test_root_of_the_package_has_at_most_a_dozen_modules() -> None:
    loose = [path.name for path in (REPOSITORY / "fer_edge").glob("*.py") if path.name != "__init__.py"]
    assert len(loose) <= 12, loose


def test_module_below_forty_lines_is_one_of_those_that_are_defended() -> None:
    defended = {
        "__init__.py",
        "__main__.py",
        "errors.py",
        "emotions.py",
        "backoff.py",
        "amqtt_broker.py",  # the entry point of a process of its own
        "geometry.py",  # box arithmetic that detectors, tracker and quality filter share
        "json_schema.py",  # one output format of the settings
        "logs.py",  # the log format, set up before anything else
    }
    small = [path for path in modules() if len(path.read_text().splitlines()) < 40 and path.name not in defended]
    assert not [str(path.relative_to(REPOSITORY)) for path in small]
