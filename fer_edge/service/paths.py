"""Where the service keeps what; and what comes with the program: `shipped/` holds links to the only copies."""

from importlib.resources import files
from pathlib import Path

NAME = "fer-edge"  # of the unit, the user and the folders

UNIT = Path("/etc/systemd/system/fer-edge.service")
DROP_INS = Path("/etc/systemd/system/fer-edge.service.d")  # made by `systemctl edit`, the user's own
SYSUSERS = Path("/etc/sysusers.d/fer-edge.conf")
TMPFILES = Path("/etc/tmpfiles.d/fer-edge.conf")
SETTINGS = Path("/etc/fer-edge/config.yaml")
PASSWORD = Path("/etc/fer-edge/mqtt-password")
STATE = Path("/var/lib/fer-edge")
RUNTIME = Path("/run/fer-edge")  # notes on what is not delivered yet; they outlive a stop, not a reboot
PACKAGED_UNIT = Path("/usr/lib/systemd/system/fer-edge.service")  # the Debian package's


def shipped(name: str) -> str:
    """The text of `fer-edge.service`, `sysusers.conf`, `tmpfiles.conf` or `config.yaml` as of this version."""
    return files("fer_edge.service").joinpath("shipped", name).read_text()
