import os
import subprocess
import sys
from pathlib import Path

import pytest

from fer_edge.daemon.directories import state_folder


def test_state_folder_is_that_of_systemd_where_it_made_one() -> None:
    assert state_folder({"STATE_DIRECTORY": "/var/lib/fer-edge", "XDG_STATE_HOME": "/x"}) == Path("/var/lib/fer-edge")
    assert state_folder({"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}) == Path("/var/lib/a")


def test_state_folder_is_the_user_s_otherwise() -> None:
    assert state_folder({"XDG_STATE_HOME": "/x/state"}) == Path("/x/state/fer-edge")
    assert state_folder({"XDG_STATE_HOME": "relative"}) == Path.home() / ".local/state/fer-edge"
    assert state_folder({}) == Path.home() / ".local/state/fer-edge"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_user_without_home_and_name_has_the_system_s_state_folder() -> None:
    """A container's user, in a subprocess that changes its user id."""
    program = """\
import os
from fer_edge.daemon.directories import state_folder
os.setuid(12345)
print(state_folder())
"""
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env=environment)
    assert (done.stdout, done.stderr) == ("/var/lib/fer-edge\n", "")
