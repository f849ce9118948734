"""Who may import whom. A new arrow changes this table in the same commit and says why."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent

VALUES = {"values", "labels", "errors", "config", "user_path", "untrusted"}  # what everybody may read

# room or module of fer_edge -> what of fer_edge it may import
ALLOWED: dict[str, set[str]] = {
    "values": set(),
    "labels": set(),
    "errors": set(),
    "untrusted": {"errors", "user_path"},  # whoever reads a message, a file or a secret from outside
    "backoff": set(),
    "polygons": set(),
    "user_path": set(),
    "source_scheme": set(),
    "config": {"labels"},
    "settings_rules": {"config", "polygons", "source_scheme"},
    # What nobody is to see: capture blacks it out, vision counts the faces behind it.
    "zones": VALUES | {"polygons"},
    "windows": VALUES | {"decide"},
    "spelling": set(),
    "settings_leaf": set(),
    "settings_walk": {"config", "settings_leaf", "settings_rules", "spelling"},
    "settings_file": {"config", "errors", "settings_rules", "settings_walk", "untrusted"},
    "settings_layers": {"config", "labels", "reload", "settings_walk"},
    # Settings that change while the daemon runs: the pure layers, and where they are kept.
    "live_settings": {"config", "errors", "operate", "reload", "settings_file", "settings_layers", "settings_rules"}
    | {"settings_save", "settings_walk"},
    # Answers requests: it stands between what is heard and what the daemon is made of.
    "attendant": VALUES | {"deliver", "live_settings", "plain_text", "settings_save"},
    "schema": {"config"},
    "capture": VALUES
    | {"backoff", "plain_text", "source_scheme", "zones", ""},  # the largest picture, fer_edge.MAX_PIXELS
    "vision": VALUES | {"models", "zones"},
    "decide": VALUES,
    "deliver": VALUES | {"backoff", "plain_text", "spelling"},  # a broker's words go into errors
    "operate": VALUES | {"", "plain_text"},  # the log, and a status that may hold words from outside
    "models": set(),
    "pipeline": VALUES | {"decide"},
    "drawing": VALUES,
    "record": VALUES | {"decide"},  # the recorder is shown decisions
    # The events of a video have the keys of the contract, so deliver's payloads; its other modules are not touched.
    "video": VALUES
    | {"zones", "capture", "vision", "decide", "deliver", "pipeline", "drawing", "record", "plain_text"},
    "tune": VALUES | {"decide", "record", "drawing", "plain_text", "settings_layers", "settings_walk"},
    # The page shows what the daemon saw and replays its last minutes; it reaches no camera, no model and no broker.
    "preview": VALUES | {"decide", "record", "drawing", "settings_rules", "tune"},
    "settings_save": {"config", "errors", "settings_file", "untrusted"},
    "keeper": {"config", "errors", "settings_save"},
    "facts": VALUES | {"capture", "deliver", "operate", "vision", ""},
    "reload": VALUES,
    # The main thread's work, in three: what goes round, what of it is told of the camera, and what of the daemon.
    "camera_watch": {"capture", "deliver", "pipeline"},
    "vitals": VALUES
    | {"capture", "decide", "deliver", "facts", "live_settings", "operate", "preview", "record", "vision"},
    "main_loop": {"errors", "attendant", "camera_watch", "capture", "deliver", "keeper", "operate", "pipeline"}
    | {"preview", "record", "vitals", "windows"},
    "app": VALUES
    | {"capture", "vision", "decide", "deliver", "operate"}
    | {
        "attendant",
        "pipeline",
        "settings_file",
        "settings_rules",
        "live_settings",
        "facts",
        "keeper",
        "preview",
        "record",
    }
    | {"camera_watch", "main_loop", "vitals", "windows", "zones"},
    "plain_text": set(),
    "output": {"errors"},
    "check": VALUES
    | {
        "capture",
        "vision",
        "deliver",
        "settings_file",
        "settings_rules",
        "check_preview",
        "check_record",
        "plain_text",
    },
    "check_preview": VALUES | {"preview"},
    "check_record": VALUES | {"record"},
    "bench": VALUES | {"operate", "plain_text", "vision"},
    "event_time": set(),
    "events": VALUES | {"deliver", "event_time", "plain_text"},
    "events_recorded": VALUES | {"deliver", "events", "plain_text"},
    "demo": VALUES | {"app", "capture", "deliver", "events"},
    "cli": VALUES
    | {"deliver"}  # `home-assistant remove`
    | {"app", "bench", "check", "demo", "events", "events_recorded", "schema", "settings_file", "settings_rules"}
    | {"tune", "video", ""}
    | {"operate"},  # `service`, and where `run` keeps what outlives it
    # What must be so before the command line is even loaded: signals wait, and a full disk is told in one line.
    "__main__": {"cli", "errors", "operate", "output", "plain_text"},
    "": set(),  # fer_edge/__init__.py
}

# The core reads no clock, opens no file, knows no thread and no library that does.
PURE = ("decide", "pipeline", "values", "labels")
PURE_MODULES = (
    *(f"deliver/{name}.py" for name in ("messages", "payloads", "topics", "describe", "rounding", "state_pace")),
    *(f"deliver/{name}.py" for name in ("parcel", "versions", "once", "requests")),
    *(f"deliver/{name}.py" for name in ("audit", "audit_boot")),
    *(f"deliver/{name}.py" for name in ("home_assistant", "ha_entities")),
    "capture/supervise.py",
    "capture/pace.py",
    "vision/track.py",
    "vision/box.py",
    "vision/cells.py",
    "record/steps.py",
    "drawing/colours.py",
    "video/tally.py",
    "tune/replay.py",
    "tune/compare.py",
    "tune/sweep.py",
    "tune/propose.py",
    "tune/choose.py",
    "preview/guard.py",
    "video/traces.py",
    "reload.py",
    "polygons.py",
    "windows.py",
    "event_time.py",
    "plain_text.py",
    "settings_layers.py",
    "backoff.py",
)
SHELL = {"time", "threading", "socket", "subprocess", "pathlib", "os", "cv2", "paho", "queue", "asyncio", "io"}


def imports(path: Path) -> set[str]:
    """Every module that the file imports, dotted, wherever in it the import stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room(module: str) -> str:
    """`fer_edge.vision.track` -> `vision`; fer_edge itself -> the empty name."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def sources(package: str) -> list[Path]:
    return sorted((REPOSITORY / package).rglob("*.py"))


@pytest.mark.parametrize("path", sources("fer_edge"), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_rooms_import_only_what_the_table_allows(path: Path) -> None:
    parts = path.relative_to(REPOSITORY / "fer_edge").with_suffix("").parts
    here = "" if parts == ("__init__",) else parts[0]
    rooms = {"__version__": "", "MAX_PIXELS": ""}
    used = {rooms.get(room(module), room(module)) for module in imports(path) if module.startswith("fer_edge.")}
    assert here in ALLOWED, f"{here} is new: say in the table what it may import"
    assert used - {here} <= ALLOWED[here]


def test_edge_never_imports_the_converter_or_a_training_framework() -> None:
    for path in sources("fer_edge"):
        roots = {module.partition(".")[0] for module in imports(path)}
        assert not roots & {"converter", "tensorflow", "keras", "tf_keras", "torch", "jax"}, path


def test_pure_core_reads_no_clock_opens_no_file_and_knows_no_thread() -> None:
    files = [path for name in PURE for path in sources(f"fer_edge/{name}")]
    files += [
        REPOSITORY / "fer_edge" / f"{name}.py" for name in PURE if (REPOSITORY / "fer_edge" / f"{name}.py").exists()
    ]
    files += [REPOSITORY / "fer_edge" / name for name in PURE_MODULES]
    for path in files:
        roots = {module.partition(".")[0] for module in imports(path)}
        assert not roots & SHELL, path


def test_command_line_s_help_loads_neither_opencv_nor_the_runtime() -> None:
    script = (
        "import sys, fer_edge.cli\n"
        "loaded = {'cv2', 'ai_edge_litert', 'paho', 'numpy', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {loaded}' if loaded else 0)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_daemon_s_start_leaves_out_what_it_does_not_need() -> None:
    script = (
        "import sys, fer_edge.app\n"
        "from fer_edge.vision.vision import load_classifier, model_path\n"
        "load_classifier(model_path('small'))\n"
        "wanted_by_others = {'paho', 'rich', 'click', 'matplotlib', 'flask', 'email', 'importlib.metadata'}\n"
        "loaded = wanted_by_others & set(sys.modules)\n"
        "sys.exit(f'loaded: {loaded}' if loaded else 0)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
