"""`python -m fer_edge` and the command `fer-edge`."""

import sys

from fer_edge.daemon.logs import enable_crash_traces, escape_warnings
from fer_edge.daemon.signals import block_reloads
from fer_edge.errors import UserError
from fer_edge.terminal import OutputError, discard_output, escaped, raise_output_errors


def main() -> None:
    """Run the command line; a user's error is printed in plain lines, a bug crashes with its traceback."""
    enable_crash_traces()
    escape_warnings()
    if sys.argv[1:2] == ["run"]:
        block_reloads()
    raise_output_errors()
    from fer_edge.cli.main import commands  # noqa: PLC0415  takes 0.1 s, in which a signal may arrive

    try:
        commands(prog_name="fer-edge")
    except UserError as error:
        text = escaped(str(error))
        print(f"fer-edge: {text}" if "\n" not in text else text, file=sys.stderr)  # noqa: T201  the one place
        if isinstance(error, OutputError):
            discard_output()
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
