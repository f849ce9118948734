"""Allowed imports between folders. A new import changes this table in the same commit and says why."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent

# What every folder may import: types, class labels, user errors, settings, paths, bounded reading, escaping.
BASE = {"types", "emotions", "errors", "config", "files", "terminal", "untrusted"}

# folder or top-level module of fer_edge -> what else of fer_edge it may import
ALLOWED: dict[str, set[str]] = {
    "types": set(),
    "emotions": set(),
    "errors": set(),
    "backoff": set(),
    "files": {"errors", "terminal"},
    "untrusted": {"errors", "files"},
    "masks": {"types", "config"},
    "terminal": {"errors"},
    "annotate": {"types", "emotions"},
    "config": {"emotions", "errors", "files", "untrusted"},
    "capture": BASE | {"", "backoff", "masks"},
    "vision": BASE | {"masks", "models"},
    "events": {"types", "emotions", "config"},
    "pipeline": {"types", "events"},
    "mqtt": BASE | {"backoff"},
    "homeassistant": BASE | {"mqtt"},
    "subscriber": BASE | {"mqtt"},
    "recording": BASE | {"events"},  # the recorder is a pipeline observer: it receives decisions
    "tuning": BASE | {"annotate", "events", "recording"},
    # A video's events have the payload keys of the MQTT contract.
    "video": BASE | {"annotate", "capture", "events", "masks", "mqtt", "pipeline", "recording", "vision"},
    # The page replays recorded scores; it reaches no camera, no model and no broker.
    "web": BASE | {"annotate", "events", "recording", "tuning"},
    "daemon": BASE
    | {"", "capture", "events", "homeassistant", "masks", "mqtt", "pipeline", "recording", "vision", "web"},
    "service": BASE | {"", "daemon"},  # daemon: the parts of its status line
    "demo": BASE | {"capture", "daemon", "mqtt", "subscriber"},
    "models": set(),
    "cli": BASE
    | {"", "capture", "daemon", "demo", "homeassistant", "mqtt", "recording", "service", "subscriber"}
    | {"tuning", "video", "vision", "web"},
    # Signals are held and output errors caught before the command line is even loaded.
    "__main__": {"cli", "daemon", "errors", "terminal"},
    "": set(),  # fer_edge/__init__.py
}

# No clock, file, thread or library that has one: time is a parameter, in monotonic seconds.
PURE = (
    *("backoff.py", "emotions.py", "pipeline.py", "types.py"),
    *("config/model.py", "config/rules.py"),
    *("capture/supervisor.py",),
    *(f"events/{name}.py" for name in ("hysteresis", "lifecycle", "smoothing", "summary")),
    *(f"homeassistant/{name}.py" for name in ("discovery", "entities")),
    *(f"mqtt/{name}.py" for name in ("messages", "payloads", "publisher", "topics")),
    *("subscriber/audit.py", "subscriber/format.py"),
    *(f"tuning/{name}.py" for name in ("replay", "search")),
    *("video/statistics.py",),
    *(f"vision/{name}.py" for name in ("box_decoding", "geometry", "tracker")),
    *("web/auth.py",),
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


def folder(module: str) -> str:
    """`fer_edge.vision.tracker` -> `vision`; fer_edge itself and its constants -> the empty name."""
    name = [*module.split("."), ""][1]
    package = REPOSITORY / "fer_edge"
    return name if (package / name).is_dir() or (package / f"{name}.py").exists() else ""


def sources(package: str) -> list[Path]:
    return sorted((REPOSITORY / package).rglob("*.py"))


@pytest.mark.parametrize("path", sources("fer_edge"), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_folders_import_only_what_the_table_allows(path: Path) -> None:
    parts = path.relative_to(REPOSITORY / "fer_edge").with_suffix("").parts
    here = "" if parts == ("__init__",) else parts[0]
    used = {folder(module) for module in imports(path) if module.startswith("fer_edge.")}
    assert here in ALLOWED, f"{here} is new: add to the table what it may import"
    assert used - {here} <= ALLOWED[here]


def test_table_has_no_cycle() -> None:
    """Removing folders that import nothing of what is left must end with nothing left."""
    left = {name: set(others) for name, others in ALLOWED.items()}
    while leaves := {name for name, others in left.items() if not others & set(left)}:
        left = {name: others for name, others in left.items() if name not in leaves}
    assert not left


def test_edge_never_imports_the_converter_or_a_training_framework() -> None:
    for path in sources("fer_edge"):
        roots = {module.partition(".")[0] for module in imports(path)}
        assert not roots & {"converter", "tensorflow", "keras", "tf_keras", "torch", "jax"}, path


@pytest.mark.parametrize("name", PURE)
def test_pure_module_reads_no_clock_opens_no_file_and_knows_no_thread(name: str) -> None:
    roots = {module.partition(".")[0] for module in imports(REPOSITORY / "fer_edge" / name)}
    assert not roots & SHELL


def test_help_loads_neither_opencv_nor_the_runtime() -> None:
    script = (
        "import sys, fer_edge.cli.main\n"
        "loaded = {'cv2', 'ai_edge_litert', 'paho', 'numpy', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {loaded}' if loaded else 0)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_daemon_starts_without_what_it_does_not_need() -> None:
    script = (
        "import sys, fer_edge.daemon.app\n"
        "from fer_edge.vision.analyzer import load_classifier, model_path\n"
        "load_classifier(model_path('small'))\n"
        "needed_by_others = {'paho', 'rich', 'click', 'matplotlib', 'flask', 'email', 'importlib.metadata'}\n"
        "loaded = needed_by_others & set(sys.modules)\n"
        "sys.exit(f'loaded: {loaded}' if loaded else 0)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
