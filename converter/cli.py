"""`fer-convert`: explore FER-2013, train a network, quantize it, prove what the quantized file scores."""

import importlib
import signal
import sys
from collections.abc import Sequence
from types import FrameType

import click

from fer_edge import __version__
from fer_edge.errors import UserError

# Where each command lives and its line in the help. They are imported when they are called: `fer-convert --help`
# answers at once, and `fer-convert explore` needs no Keras.
COMMANDS = {
    "explore": ("converter.explore.command", "Look at a data set: counts, pictures, duplicates, agreement."),
    "train": ("converter.train.command", "Train a network."),
    "quantize": ("converter.quantize.command", "Turn a Keras network into a TFLite file with its card."),
    "evaluate": ("converter.evaluate.command", "Measure TFLite files as the daemon would run them."),
    "label-faces": ("converter.detector.pseudo_labels", "Box the faces in photos, with YuNet as the teacher."),
    "train-detector": ("converter.detector.command", "Train a face detector."),
    "export-detector": ("converter.detector.export", "Turn a trained detector into a TFLite file with its card."),
    "card": ("converter.quantize.card_command", "Write the card of a TFLite file from elsewhere."),
}


class LateGroup(click.Group):
    """Commands that are imported only when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 (click's signature)
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(COMMANDS[cmd_name][0]).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 (click's)
        with formatter.section("Commands, in the order of the work"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LateGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="fer-convert")
def fer_convert() -> None:
    """Train, convert and measure expression networks and face detectors for fer-edge."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a mistake that a user can cure is one line and exit code 1, without a traceback.

    SIGTERM ends it as an error would: folders to work in and what is half written go.
    """
    signal.signal(signal.SIGTERM, _leave)
    try:
        fer_convert.main(arguments, prog_name="fer-convert")
    except UserError as error:
        click.echo(f"fer-convert: {error}", err=True)
        sys.exit(error.exit_code)


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
