"""What must hold before anything of the system is changed."""

import os
import sys
from pathlib import Path

from fer_edge.errors import UserError

BOOTED_BY_SYSTEMD = Path("/run/systemd/system")  # sd_booted(3)


def need_root(verb: str) -> None:
    """Raises UserError with the whole command to type, because sudo does not look where pipx puts programs."""
    if os.geteuid() != 0:
        raise UserError(f"this changes the system and needs root: sudo {Path(sys.argv[0]).resolve()} service {verb}")


def need_systemd() -> None:
    """Raises UserError where the system was not started by systemd: a container, a chroot, another init."""
    if not BOOTED_BY_SYSTEMD.is_dir():
        raise UserError("systemd does not run here: without it start `fer-edge run` by whatever starts services here")
