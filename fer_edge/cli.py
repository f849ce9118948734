"""The command line: each command reads its options, says what it is for, and calls the piece that does it."""

import json
import sys
from pathlib import Path

import click

from fer_edge import __version__
from fer_edge.config import Settings
from fer_edge.settings_file import load_settings, usual_file

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
def run(path: Path | None) -> None:
    """Run the daemon until it is told to end (SIGTERM, Ctrl-C) or a video file is over."""
    from fer_edge.app import App  # noqa: PLC0415  OpenCV and the runtime load only for what needs them

    path = path or usual_file()
    settings = load_settings(path) if path else Settings()
    sys.exit(App(settings, settings_path=path).run())


@commands.command(short_help="Try settings, model, camera and broker.")
@config_option
def check(path: Path | None) -> None:
    """Try settings, model, detector, camera and broker; each line says ok or what to do."""
    from rich.console import Console  # noqa: PLC0415  the daemon, which has no terminal, is spared its 2 MiB

    from fer_edge.check import check_all  # noqa: PLC0415

    sys.exit(check_all(path or usual_file(), Console()))


@commands.command(short_help="Print the JSON schema of config.yaml.")
def schema() -> None:
    """Print the JSON schema of config.yaml, for editors that complete and check as one types."""
    from fer_edge.schema import settings_schema  # noqa: PLC0415

    click.echo(json.dumps(settings_schema(), indent=2))


@commands.command(short_help="Show it without a camera and a broker.")
def demo() -> None:
    """Show the main job without a camera or a broker of your own: half a minute of a staged scene."""
    from rich.console import Console  # noqa: PLC0415

    from fer_edge.demo.show import show_demo  # noqa: PLC0415

    sys.exit(show_demo(Console(highlight=False)))
