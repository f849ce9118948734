"""Home Assistant entities of the device, each a dict of its MQTT platform's keys. Pure.

https://www.home-assistant.io/integrations/mqtt/ explains the keys; docs/home-assistant.md shows the entities.
"""

from typing import Any, Literal

from msgspec import Struct, inspect

from fer_edge.config.model import DecideSettings, GateSettings
from fer_edge.emotions import EMOTIONS
from fer_edge.mqtt.topics import Topics
from fer_edge.types import EventKind, Outcome

Entity = dict[str, Any]

NOBODY = "none"  # state of the dominant emotion without a face; Home Assistant's `unknown` means: not received
DIAGNOSTIC: Entity = {"entity_category": "diagnostic"}
CONFIG: Entity = {"entity_category": "config"}


class Figure(Struct, frozen=True):
    """One metric of `health`."""

    key: str  # suffix of the entity id, and the key in the payload unless `path` is set
    name: str
    unit: str | None = None
    path: str = ""  # dotted
    kind: str | None = None  # device class
    total: bool = False  # monotonically increasing while the daemon runs
    shown: bool = True  # enabled by default


FIGURES = (
    Figure("frame_rate", "Frame rate", "Hz", "frame_rate_hz", "frequency"),
    Figure("latency_p50", "Latency p50", "ms", "latency_ms.p50", "duration", shown=False),
    Figure("latency_p95", "Latency p95", "ms", "latency_ms.p95", "duration"),
    Figure("latency_p99", "Latency p99", "ms", "latency_ms.p99", "duration", shown=False),
    Figure("frames", "Frames processed", shown=False),
    Figure("dropped", "Frames dropped", shown=False),
    Figure("skipped", "Frames skipped (temperature)", shown=False),
    Figure("faces_seen", "Faces processed", shown=False),
    Figure("memory", "Memory", "MiB", "rss_mib", "data_size"),
    Figure("cpu", "CPU usage", "%", "cpu_percent"),
    Figure("temperature", "CPU temperature", "°C", "soc_temperature_c", "temperature"),
    Figure("uptime", "Uptime", "s", "uptime_s", "duration", shown=False),
    Figure("reopened", "Camera reopened", path="camera.reopened", total=True, shown=False),
    Figure("connects", "Broker connections", path="link.connects", total=True, shown=False),
    Figure("waiting", "Events waiting", path="outbox.depth"),
    Figure("acknowledged", "Events delivered", path="outbox.acknowledged", total=True, shown=False),
    Figure("lost", "Events dropped", path="outbox.dropped", total=True),
    Figure("refused", "Events rejected by the broker", path="outbox.refused", total=True, shown=False),
    Figure("stored", "Events on disk", path="outbox.stored", shown=False),
    Figure("share", "Accelerated operations", path="kernels.share", shown=False),
    Figure("face_ms", "Inference time per face", "ms", "kernels.face_ms", "duration", shown=False),
    Figure("requests_done", "Requests completed", path="requests.done", total=True, shown=False),
    Figure("requests_refused", "Requests rejected", path="requests.refused", total=True, shown=False),
    Figure("requests_dropped", "Requests dropped", path="requests.dropped", total=True, shown=False),
    *(
        Figure(f"faces_{outcome}", f"Faces {outcome.replace('_', ' ')}", path=f"faces.{outcome}", shown=False)
        for outcome in Outcome
    ),
)

NUMBERS = {
    "enter": "Enter threshold",
    "leave": "Leave threshold",
    "dwell_s": "Dwell time",
    "arrive_s": "Arrival time",
    "smooth_s": "Smoothing time",
    "min_width_px": "Minimum face width",
    "min_brightness": "Minimum brightness",
    "min_sharpness": "Minimum sharpness",
    "min_inside": "Minimum visible face",
}
UNITS = {"s": "s", "px": "px"}
FRACTION_STEP = 0.01
STEP = 0.1


def observations(topics: Topics, phases: tuple[str, ...]) -> dict[str, Entity]:
    """Return the entities for faces; ``phases`` are the camera states in which frames are processed."""
    seeing = ", ".join(f"'{phase}'" for phase in phases)
    camera = {
        "topic": topics.state,
        "value_template": f"{{{{ 'online' if value_json.camera in [{seeing}] else 'offline' }}}}",
    }
    available = {"availability": [{"topic": topics.availability}, camera], "availability_mode": "all"}
    return {
        "dominant_emotion": {
            "platform": "sensor",
            "name": "Dominant emotion",
            "icon": "mdi:emoticon-outline",
            "device_class": "enum",
            "options": [*EMOTIONS, NOBODY],
            "state_topic": topics.state,
            "value_template": f"{{{{ value_json.dominant.emotion if value_json.dominant else '{NOBODY}' }}}}",
            "json_attributes_topic": topics.state,
            "json_attributes_template": "{{ value_json.dominant | tojson if value_json.dominant else '{}' }}",
            **available,
        },
        "faces": {
            "platform": "sensor",
            "name": "Faces",
            "icon": "mdi:account-group-outline",
            "state_class": "measurement",
            "state_topic": topics.state,
            "value_template": "{{ value_json.faces | count }}",
            **available,
        },
        "face": {
            "platform": "event",
            "name": "Face",
            "icon": "mdi:face-recognition",
            "event_types": [kind.value for kind in EventKind],
            "state_topic": topics.event,
            # Replayed events must not trigger automations hours later.
            "value_template": "{{ '' if value_json.replayed else value }}",
        },
    }


def summaries(topics: Topics, *, shown: bool) -> dict[str, Entity]:
    """Return the entities for the latest summary; ``shown``: enabled by default."""
    common: Entity = {"platform": "sensor", "state_class": "measurement", "state_topic": topics.summary}
    if not shown:
        common["enabled_by_default"] = False
    dwell: Entity = {"unit_of_measurement": "s", "device_class": "duration", **common}
    found: dict[str, Entity] = {
        "summary_faces": {"name": "Summary faces", "value_template": "{{ value_json.faces }}", **common},
        "summary_coverage": {
            "name": "Summary coverage",
            "unit_of_measurement": "%",
            "value_template": "{{ 100 * value_json.coverage }}",
            **common,
        },
        "summary_unsure": {"name": "Summary unsure", "value_template": "{{ value_json.unsure_s }}", **dwell},
    }
    for emotion in EMOTIONS:
        value = f"{{{{ value_json.dwell_s.{emotion} }}}}"
        found[f"summary_{emotion}"] = {"name": f"Summary {emotion}", "value_template": value, **dwell}
    return found


def diagnostics(topics: Topics, phases: tuple[str, ...]) -> dict[str, Entity]:
    """Return the diagnostic entities, available in every camera state; ``phases`` are the possible camera states."""
    camera: Entity = {
        "platform": "sensor",
        "name": "Camera",
        "icon": "mdi:webcam",
        "device_class": "enum",
        "options": list(phases),
        "state_topic": topics.health,
        "value_template": "{{ value_json.camera.state }}",
        "json_attributes_topic": topics.health,
        "json_attributes_template": "{{ value_json.camera | tojson }}",
        **DIAGNOSTIC,
    }
    throttled: Entity = {
        "platform": "binary_sensor",
        "name": "Throttled",
        "device_class": "problem",
        "state_topic": topics.health,
        "value_template": "{{ 'None' if value_json.throttled is none else 'ON' if value_json.throttled else 'OFF' }}",
        **DIAGNOSTIC,
    }
    return {"camera": camera, "throttled": throttled, **{figure.key: _figure(figure, topics) for figure in FIGURES}}


def controls(topics: Topics) -> dict[str, Entity]:
    """Return the entities that send requests."""
    pause: Entity = {
        "platform": "switch",
        "name": "Pause",
        "icon": "mdi:eye-off-outline",
        "command_topic": topics.request("pause"),
        "payload_on": '{"paused":true}',
        "payload_off": '{"paused":false}',
        "state_topic": topics.settings,
        "value_template": "{{ 'ON' if value_json.paused else 'OFF' }}",
        "state_on": "ON",
        "state_off": "OFF",
        "qos": 1,
    }
    reset: Entity = {
        "platform": "button",
        "name": "Reset thresholds",
        "icon": "mdi:restore",
        "command_topic": topics.request("settings"),
        "payload_press": '{"decide":null,"gates":null}',
        "qos": 1,
        **CONFIG,
    }
    return {"pause": pause, "reset_thresholds": reset, **_numbers(topics), **_own_thresholds(topics)}


def _figure(figure: Figure, topics: Topics) -> Entity:
    path = figure.path or figure.key
    # A metric that the device cannot measure is null, or its object is: Home Assistant shows it as unknown.
    top, _, inner = path.partition(".")
    value = f"value_json.{path}" if not inner else f"(value_json.{top} or {{}}).get('{inner}')"
    entity: Entity = {
        "platform": "sensor",
        "name": figure.name,
        "state_class": "total_increasing" if figure.total else "measurement",
        "state_topic": topics.health,
        "value_template": f"{{{{ {value} }}}}",
        **DIAGNOSTIC,
    }
    if figure.unit is not None:
        entity["unit_of_measurement"] = figure.unit
    if figure.kind is not None:
        entity["device_class"] = figure.kind
    if not figure.shown:
        entity["enabled_by_default"] = False
    return entity


def _numbers(topics: Topics) -> dict[str, Entity]:
    """Return one number entity for each threshold, with the range of the settings model."""
    found: dict[str, Entity] = {}
    for section, settings in (("decide", DecideSettings), ("gates", GateSettings)):
        described = inspect.type_info(settings)
        assert isinstance(described, inspect.StructType)
        for field in described.fields:
            if field.name in NUMBERS:
                entity = _number(field.type, f'{{"{section}":{{"{field.name}":%s}}}}', topics)
                entity["name"] = NUMBERS[field.name]
                entity["value_template"] = f"{{{{ value_json.settings.{section}.{field.name}.value }}}}"
                unit = UNITS.get(field.name.rpartition("_")[2])
                found[field.name] = entity if unit is None else {**entity, "unit_of_measurement": unit}
    return found


def _own_thresholds(topics: Topics) -> dict[str, Entity]:
    """Return one number entity for each emotion: its own threshold, or the general one if it has none."""
    kind = inspect.type_info(float)
    found: dict[str, Entity] = {}
    for emotion in EMOTIONS:
        entity = _number(kind, f'{{"decide":{{"emotions":{{"{emotion}":{{"enter":%s}}}}}}}}', topics, most=1.0)
        own = f"value_json.settings.decide.emotions.{emotion}.enter.value"
        general = "value_json.settings.decide.enter.value"
        entity["name"] = f"Enter threshold {emotion}"
        entity["value_template"] = f"{{{{ {general} if {own} is none else {own} }}}}"
        found[f"enter_{emotion}"] = {**entity, "enabled_by_default": False}
    return found


def _number(kind: inspect.Type, command: str, topics: Topics, most: float | None = None) -> Entity:
    """Return a number entity that sends ``command``, JSON with `%s` as the placeholder of the value."""
    assert isinstance(kind, inspect.IntType | inspect.FloatType)
    most = kind.le if most is None else most
    mode: Literal["slider", "box"] = "slider" if most == 1.0 else "box"
    step = 1 if isinstance(kind, inspect.IntType) else FRACTION_STEP if mode == "slider" else STEP
    return {
        "platform": "number",
        "command_topic": topics.request("settings"),
        "command_template": command % "{{ value }}",
        "state_topic": topics.settings,
        "min": kind.ge or 0,
        "max": most,
        "step": step,
        "mode": mode,
        "qos": 1,
        **CONFIG,
    }
