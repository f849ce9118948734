"""Command line: options and help of each command, which calls its implementation."""

import json
import math
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from fer_edge import __version__
from fer_edge.config.loader import Document, load_document, load_settings, usual_file
from fer_edge.config.model import TOPIC_LEVEL, Settings
from fer_edge.config.rules import SINGLE_FACES
from fer_edge.errors import SettingsError


class FiniteRange(click.FloatRange):
    """Range of finite numbers: rejects nan and infinity."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


def _device_name(_context: click.Context, _parameter: click.Parameter, name: str | None) -> str | None:
    """Return a device name valid in config.yaml, or + for all."""
    if name is None or name == "+":
        return name
    try:
        named = msgspec.convert({"device": name}, Settings).device
    except msgspec.ValidationError:
        named = ""
    if not named:
        raise click.BadParameter(f"must be + for all devices, or a name: {TOPIC_LEVEL}.")
    return named


def _settings_file(path: Path | None) -> Path | None:
    """Return the settings file to use; for the service's own, also use the service's password and state."""
    from fer_edge.service.paths import use_service_folders  # noqa: PLC0415

    path = path or usual_file()
    use_service_folders(path)
    return path


config_option = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Settings file. Default: ./config.yaml, then /etc/fer-edge/config.yaml, then built-in defaults.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="fer-edge", message="%(prog)s %(version)s")
def commands() -> None:
    """Read facial expressions from a camera and publish them as events over MQTT."""


@commands.command(short_help="Run the daemon.")
@config_option
@click.option("--preview", is_flag=True, help="Serve the live page even if preview.enabled is false.")
def run(path: Path | None, *, preview: bool) -> None:
    """Run the daemon until SIGTERM, Ctrl-C or the end of a video file."""
    from fer_edge.daemon.app import App  # noqa: PLC0415  loads OpenCV and the runtime
    from fer_edge.daemon.directories import runtime_folder, state_folder  # noqa: PLC0415

    path = path or usual_file()
    document = load_document(path) if path else Document(Settings(), {})
    if preview and document.settings.privacy.mode == "aggregate":
        raise SettingsError(f"--preview {SINGLE_FACES}")
    state, runtime = state_folder(), runtime_folder()
    sys.exit(App(document.settings, path, document=document, state=state, runtime=runtime, preview=preview).run())


@commands.command(short_help="Analyse saved videos.")
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@config_option
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=".",
    metavar="FOLDER",
    help="Output folder, created if missing. Default: the current folder.",
)
@click.option(
    "--write",
    "kinds",
    metavar="KINDS",
    default="video,events,scores,timeline",
    show_default=True,
    help="Outputs: annotated video (H.264), events (JSON lines), scores (CSV), timeline (PNG); or none.",
)
@click.option("--jobs", type=click.IntRange(min=1), help="Videos analysed at a time. Default: one per core.")
@click.option("--cluster", metavar="ADDRESS", help="Analyse on the workers of this Dask scheduler, tcp://host:8786.")
@click.option("--json", "as_json", is_flag=True, help="Print figures as JSON instead of a table.")
def video(  # noqa: PLR0913 - options
    *,
    sources: tuple[Path, ...],
    path: Path | None,
    folder: Path,
    kinds: str,
    jobs: int | None,
    cluster: str | None,
    as_json: bool,
) -> None:
    """Analyse every frame of saved videos with the daemon's pipeline and thresholds. A folder means all videos in it.

    clip.mp4 gives clip.annotated.mp4, clip.events.jsonl, clip.scores.csv and clip.timeline.png.
    """
    from rich.console import Console  # noqa: PLC0415

    from fer_edge.video.command import analyze_videos  # noqa: PLC0415
    from fer_edge.video.jobs import plan, wanted  # noqa: PLC0415

    path = path or usual_file()
    settings = load_settings(path) if path else Settings()
    planned = plan(sources, folder, wanted(kinds))
    sys.exit(analyze_videos(planned, settings, Console(), processes=jobs, cluster=cluster, as_json=as_json))


@commands.command(short_help="Check settings, model, camera and broker.")
@config_option
def check(path: Path | None) -> None:
    """Check settings, model, detector, camera and broker, and report OK or a suggested fix for each.

    Also checks the live page and the recording of scores, if enabled.
    """
    from rich.console import Console  # noqa: PLC0415  2 MiB that the daemon does not need

    from fer_edge.cli.check import check_all  # noqa: PLC0415
    from fer_edge.daemon.directories import state_folder  # noqa: PLC0415

    path = _settings_file(path)
    sys.exit(check_all(path, Console(), state_folder()))


@commands.command(short_help="Measure the speed of this device.")
@config_option
@click.option(
    "--for",
    "seconds",
    type=FiniteRange(min=1.0),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="Duration of the measurement.",
)
@click.option("--json", "as_json", is_flag=True, help="Print figures as JSON instead of a table.")
def bench(path: Path | None, seconds: float, *, as_json: bool) -> None:
    """Measure detection and classification on this device, with the models and sizes of the settings.

    Needs no camera and no broker. Stop a running daemon first, it distorts the result.
    """
    from rich.console import Console  # noqa: PLC0415

    from fer_edge.cli.bench import bench as run_bench  # noqa: PLC0415

    path = path or usual_file()
    settings = load_settings(path) if path else Settings()
    sys.exit(run_bench(settings, seconds, Console(highlight=False), as_json=as_json))


@commands.command(short_help="Replay recorded scores with other thresholds.")
@click.argument("sources", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="SCORES...")
@click.option(
    "--config", "path", type=click.Path(path_type=Path), metavar="FILE", help="Replay with the thresholds of this file."
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="KEY=VALUE",
    help="Replay with this threshold, e.g. enter=0.6 or happy.enter=0.7.",
)
@click.option(
    "--at-most",
    "per_hour",
    type=FiniteRange(min=0.0),
    metavar="N",
    help="Propose thresholds for at most N events per hour.",
)
@click.option(
    "--labels",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Propose thresholds with the best F1 on labels from_s,to_s,emotion.",
)
@click.option(
    "-o",
    "--picture",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Plot the number of events against thresholds.",
)
@click.option("--json", "as_json", is_flag=True, help="Print all differences and figures as JSON.")
def tune(sources: tuple[Path, ...], path: Path | None, **options: Any) -> None:
    """Show which events other thresholds would have produced, from recorded scores.

    Scores come from `fer-edge video` or from a daemon's record folder.

    \b
    fer-edge tune clip.scores.csv --set happy.enter=0.7
    fer-edge tune /var/lib/fer-edge/record --at-most 20 -o sweep.png
    """  # noqa: D301 - click wants the character itself
    from rich.console import Console  # noqa: PLC0415

    from fer_edge.tuning import command  # noqa: PLC0415

    decide = load_settings(path).decide if path else None
    sys.exit(command.tune(sources, command.TuneOptions(decide=decide, **options), Console()))


@commands.command(short_help="Show published events, or audit them for losses.")
@config_option
@click.option(
    "--device",
    metavar="NAME",
    callback=_device_name,
    help="Device to show; + for all devices. Default: this device; for files, all.",
)
@click.option("--all", "everything", is_flag=True, help="Also show state, health, info and availability.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines, which --audit accepts as FILE.")
@click.option(
    "--audit",
    is_flag=True,
    help="Audit the events: exit 0 if none was lost unannounced, altered or reordered, else 1.",
)
@click.option(
    "--from-start", is_flag=True, help="For --audit: fail unless event 1 arrives. Subscribe before the daemon starts."
)
@click.option(
    "--for", "for_s", type=FiniteRange(min=0.0), metavar="SECONDS", help="Stop after this time; not for files."
)
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="Stop after N events.")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE]...")
def events(path: Path | None, device: str | None, files: tuple[Path, ...], **options: Any) -> None:
    """Subscribe and show events until Ctrl-C, or read them from FILEs of recorded JSON lines.

    \b
    fer-edge events --audit --for 3600              audit one hour
    fer-edge events --json > events.jsonl           record
    fer-edge events --audit events.jsonl            audit a recording
    """  # noqa: D301 - click wants the character itself
    import signal  # noqa: PLC0415
    import socket  # noqa: PLC0415

    from rich.console import Console  # noqa: PLC0415

    from fer_edge.subscriber.command import (  # noqa: PLC0415
        EventsOptions,
        follow,
        read_recorded,
    )

    console = Console(highlight=False)
    if files:
        if options["for_s"] is not None:
            raise click.UsageError("--for cannot be used with FILEs, which are read to their end.")
        sys.exit(read_recorded(files, device, EventsOptions(**{**options, "for_s": math.inf}), console))
    if options["for_s"] is None:
        options["for_s"] = math.inf
    path = _settings_file(path)
    settings = load_settings(path) if path else Settings()
    device = device or settings.device or socket.gethostname()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop for `timeout` and systemd as for Ctrl-C
    sys.exit(follow(settings.mqtt, device, EventsOptions(**options), console, Console(stderr=True, highlight=False)))


@commands.command(short_help="Print the JSON schema of config.yaml.")
def schema() -> None:
    """Print the JSON schema of config.yaml, for completion and checks in editors."""
    from fer_edge.config.json_schema import settings_schema  # noqa: PLC0415

    click.echo(json.dumps(settings_schema(), indent=2))


@commands.command(short_help="Run a demo without a camera or broker.")
def demo() -> None:
    """Run half a minute of a staged scene through the pipeline, without a camera or broker."""
    from rich.console import Console  # noqa: PLC0415

    from fer_edge.demo.command import show_demo  # noqa: PLC0415

    sys.exit(show_demo(Console(highlight=False)))


@commands.group(short_help="Install, inspect or remove the systemd service.")
def service() -> None:
    """Install, inspect or remove the systemd service."""


@service.command("install", short_help="Install or upgrade the service and start it.")
def service_install() -> None:
    """Install or upgrade the service, start it, and print camera and broker status. Needs root."""
    from fer_edge.service.install import install  # noqa: PLC0415

    install(load_settings, click.echo)


@service.command("status", short_help="Show service status.")
def service_status() -> None:
    """Show service status; exit 0 if it runs, else 1."""
    from fer_edge.service.status import status  # noqa: PLC0415

    sys.exit(status(click.echo))


@service.command("uninstall", short_help="Stop and remove the service.")
@click.option("--purge", is_flag=True, help="Also remove settings, password, state and the service's user.")
def service_uninstall(*, purge: bool) -> None:
    """Stop and remove the service; keep settings and state. Needs root."""
    from fer_edge.service.install import uninstall  # noqa: PLC0415

    uninstall(click.echo, purge=purge)


@commands.group("home-assistant", short_help="Manage the Home Assistant device.")
def home_assistant() -> None:
    """Manage the Home Assistant device; home_assistant.discovery in config.yaml adds it."""


@home_assistant.command(short_help="Remove the device and its entities.")
@config_option
def remove(path: Path | None) -> None:
    """Remove the device and its entities from Home Assistant, by clearing its retained discovery message."""
    import socket  # noqa: PLC0415

    from fer_edge.homeassistant.discovery import removal  # noqa: PLC0415
    from fer_edge.mqtt.probe import clear_retained  # noqa: PLC0415
    from fer_edge.mqtt.topics import Topics  # noqa: PLC0415

    path = _settings_file(path)
    settings = load_settings(path) if path else Settings()
    topics = Topics(settings.mqtt.prefix, settings.device or socket.gethostname())
    message = removal(topics, settings.home_assistant.prefix)
    broker = clear_retained(settings.mqtt, topics.device, message)
    click.echo(f"{message.topic} cleared on {broker}: Home Assistant removes {topics.device}.")
    if settings.home_assistant.discovery:
        click.echo(
            "A running daemon publishes it again: set home_assistant.discovery to false, then restart it.", err=True
        )
