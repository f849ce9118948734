"""`python -m fer_edge` and the command `fer-edge`."""

import sys

from fer_edge.cli import commands
from fer_edge.errors import UserError


def main() -> None:
    """Runs the command line; what a user can cure is said in plain lines, a bug crashes with its traceback."""
    try:
        commands(prog_name="fer-edge")
    except UserError as error:
        print(f"fer-edge: {error}" if "\n" not in str(error) else error, file=sys.stderr)  # noqa: T201  the one place
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
