"""The command line: each command reads its options, says what it is for, and calls the piece that does it."""

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
    """Numbers of a range, without the two that are none of it: nan and infinity."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


def _device_name(_context: click.Context, _parameter: click.Parameter, name: str | None) -> str | None:
    """A device's name by the rule of config.yaml, or + for all."""
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
    """The settings file that is meant; with the service's own, a command finds what systemd gives the service."""
    from fer_edge.service.paths import use_service_folders  # noqa: PLC0415

    path = path or usual_file()
    use_service_folders(path)
    return path


config_option = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Settings file. Without it: ./config.yaml, then /etc/fer-edge/config.yaml, then all defaults.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="fer-edge", message="%(prog)s %(version)s")
def commands() -> None:
    """Read facial expressions from a camera and publish them as events over MQTT."""


@commands.command(short_help="Run the daemon.")
@config_option
@click.option("--preview", is_flag=True, help="Serve the live page, whatever preview.enabled says.")
def run(path: Path | None, *, preview: bool) -> None:
    """Run the daemon until it is told to end (SIGTERM, Ctrl-C) or a video file is over."""
    from fer_edge.daemon.app import App  # noqa: PLC0415  OpenCV and the runtime load only for what needs them
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
    help="Where to write; made if missing. Without it: the current folder.",
)
@click.option(
    "--write",
    "kinds",
    metavar="KINDS",
    default="video,events,scores,timeline",
    show_default=True,
    help="What to write: annotated video (H.264), events (JSON lines), scores (CSV), timeline (PNG); or none.",
)
@click.option("--jobs", type=click.IntRange(min=1), help="Videos analysed at a time. Without it: one for each core.")
@click.option("--cluster", metavar="ADDRESS", help="Analyse on the workers of this Dask scheduler, tcp://host:8786.")
@click.option("--json", "as_json", is_flag=True, help="The figures as JSON instead of a table.")
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
    """Analyse saved videos, every frame, with the daemon's own pipeline and thresholds. A folder stands for its videos.

    Of clip.mp4 come clip.annotated.mp4, clip.events.jsonl, clip.scores.csv and clip.timeline.png.
    """
    from rich.console import Console  # noqa: PLC0415

    from fer_edge.video.command import analyze_videos  # noqa: PLC0415
    from fer_edge.video.jobs import plan, wanted  # noqa: PLC0415

    path = path or usual_file()
    settings = load_settings(path) if path else Settings()
    planned = plan(sources, folder, wanted(kinds))
    sys.exit(analyze_videos(planned, settings, Console(), processes=jobs, cluster=cluster, as_json=as_json))


@commands.command(short_help="Try settings, model, camera and broker.")
@config_option
def check(path: Path | None) -> None:
    """Try settings, model, detector, camera and broker; each line says ok or what to do.

    So are the preview and the recording of scores where the settings enable them.
    """
    from rich.console import Console  # noqa: PLC0415  the daemon, which has no terminal, is spared its 2 MiB

    from fer_edge.cli.check import check_all  # noqa: PLC0415
    from fer_edge.daemon.directories import state_folder  # noqa: PLC0415

    path = _settings_file(path)
    sys.exit(check_all(path, Console(), state_folder()))


@commands.command(short_help="Measure how fast this device is.")
@config_option
@click.option(
    "--for",
    "seconds",
    type=FiniteRange(min=1.0),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to measure.",
)
@click.option("--json", "as_json", is_flag=True, help="The figures as JSON instead of a table.")
def bench(path: Path | None, seconds: float, *, as_json: bool) -> None:
    """Measure how long this device takes to find faces and to read one, with the models and sizes of the settings.

    Needs no camera and no broker. A daemon that runs meanwhile makes it slower.
    """
    from rich.console import Console  # noqa: PLC0415

    from fer_edge.cli.bench import bench as run_bench  # noqa: PLC0415

    path = path or usual_file()
    settings = load_settings(path) if path else Settings()
    sys.exit(run_bench(settings, seconds, Console(highlight=False), as_json=as_json))


@commands.command(short_help="Try other thresholds on recorded scores.")
@click.argument("sources", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="SCORES...")
@click.option(
    "--config", "path", type=click.Path(path_type=Path), metavar="FILE", help="Try the thresholds of this file."
)
@click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Try this, e.g. enter=0.6 or happy.enter=0.7."
)
@click.option("--at-most", "per_hour", type=FiniteRange(min=0.0), metavar="N", help="Propose: N events an hour.")
@click.option(
    "--labels", type=click.Path(path_type=Path), metavar="FILE", help="Propose: best F1 by from_s,to_s,emotion."
)
@click.option(
    "-o", "--picture", type=click.Path(path_type=Path), metavar="FILE", help="Draw events against thresholds."
)
@click.option("--json", "as_json", is_flag=True, help="All differences and figures as JSON.")
def tune(sources: tuple[Path, ...], path: Path | None, **options: Any) -> None:
    """Say what other thresholds would have told, from scores alone: of `fer-edge video` or of a daemon's record folder.

    \b
    fer-edge tune clip.scores.csv --set happy.enter=0.7
    fer-edge tune /var/lib/fer-edge/record --at-most 20 -o sweep.png
    """  # noqa: D301 - click wants the character itself
    from rich.console import Console  # noqa: PLC0415

    from fer_edge.tuning import command  # noqa: PLC0415

    decide = load_settings(path).decide if path else None
    sys.exit(command.tune(sources, command.TuneOptions(decide=decide, **options), Console()))


@commands.command(short_help="Show the events that arrive, or judge whether all came.")
@config_option
@click.option(
    "--device",
    metavar="NAME",
    callback=_device_name,
    help="Whose events; + for all devices. Without it: this device; of files, all.",
)
@click.option("--all", "everything", is_flag=True, help="Show state, health, info and availability as well.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines; they can be judged later.")
@click.option(
    "--audit",
    is_flag=True,
    help="End with a verdict: 0, nothing is missing in silence, altered or out of order; else 1.",
)
@click.option(
    "--from-start", is_flag=True, help="For --audit: listening began before the daemon did, event 1 must come."
)
@click.option("--for", "for_s", type=FiniteRange(min=0.0), metavar="SECONDS", help="End after so long; not for files.")
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="End after so many events.")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE]...")
def events(path: Path | None, device: str | None, files: tuple[Path, ...], **options: Any) -> None:
    """Subscribe and show events as they come, until Ctrl-C; or read them from recorded JSON lines FILEs.

    \b
    fer-edge events --audit --for 3600              an hour, then the verdict
    fer-edge events --json > events.jsonl           record
    fer-edge events --audit events.jsonl            judge what was recorded
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
            raise click.UsageError("--for is for listening; FILEs are read to their end.")
        sys.exit(read_recorded(files, device, EventsOptions(**{**options, "for_s": math.inf}), console))
    if options["for_s"] is None:
        options["for_s"] = math.inf
    path = _settings_file(path)
    settings = load_settings(path) if path else Settings()
    device = device or settings.device or socket.gethostname()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # `timeout` and systemd end it as Ctrl-C does
    sys.exit(follow(settings.mqtt, device, EventsOptions(**options), console, Console(stderr=True, highlight=False)))


@commands.command(short_help="Print the JSON schema of config.yaml.")
def schema() -> None:
    """Print the JSON schema of config.yaml, for editors that complete and check as one types."""
    from fer_edge.config.json_schema import settings_schema  # noqa: PLC0415

    click.echo(json.dumps(settings_schema(), indent=2))


@commands.command(short_help="Show it without a camera and a broker.")
def demo() -> None:
    """Show the main job without a camera or a broker of your own: half a minute of a staged scene."""
    from rich.console import Console  # noqa: PLC0415

    from fer_edge.demo.command import show_demo  # noqa: PLC0415

    sys.exit(show_demo(Console(highlight=False)))


@commands.group(short_help="Install, inspect or remove the systemd service.")
def service() -> None:
    """Make a systemd service of this program, see how it is, take it away again."""


@service.command("install", short_help="Install or upgrade it, start it, say what it sees.")
def service_install() -> None:
    """Install the service, or take over from an older version; start it, and say what it sees. Needs root."""
    from fer_edge.service.install import install  # noqa: PLC0415

    install(load_settings, click.echo)


@service.command("status", short_help="Say how it is.")
def service_status() -> None:
    """Say how the service is; the exit code is 0 where it runs, 1 where it does not."""
    from fer_edge.service.status import status  # noqa: PLC0415

    sys.exit(status(click.echo))


@service.command("uninstall", short_help="Stop and remove it.")
@click.option("--purge", is_flag=True, help="Also remove settings, password, state and the service's user.")
def service_uninstall(*, purge: bool) -> None:
    """Stop and remove the service; settings and state stay. Needs root."""
    from fer_edge.service.install import uninstall  # noqa: PLC0415

    uninstall(click.echo, purge=purge)


@commands.group("home-assistant", short_help="Be forgotten by Home Assistant.")
def home_assistant() -> None:
    """The device in Home Assistant; it appears there with home_assistant.discovery in config.yaml."""


@home_assistant.command(short_help="Remove the device and its entities.")
@config_option
def remove(path: Path | None) -> None:
    """Remove the device and all of its entities from Home Assistant, by taking its message back from the broker."""
    import socket  # noqa: PLC0415

    from fer_edge.homeassistant.discovery import removal  # noqa: PLC0415
    from fer_edge.mqtt.probe import clear_retained  # noqa: PLC0415
    from fer_edge.mqtt.topics import Topics  # noqa: PLC0415

    path = _settings_file(path)
    settings = load_settings(path) if path else Settings()
    topics = Topics(settings.mqtt.prefix, settings.device or socket.gethostname())
    message = removal(topics, settings.home_assistant.prefix)
    broker = clear_retained(settings.mqtt, topics.device, message)
    click.echo(f"{message.topic} is taken back from {broker}: Home Assistant forgets {topics.device}.")
    if settings.home_assistant.discovery:
        click.echo(
            "A running daemon publishes it again: set home_assistant.discovery to false and restart it.", err=True
        )
