from pathlib import Path

from fer_edge.operate.state_folder import state_folder


def test_folder_is_the_service_manager_s_where_it_made_one() -> None:
    assert state_folder({"STATE_DIRECTORY": "/var/lib/fer-edge", "XDG_STATE_HOME": "/x"}) == Path("/var/lib/fer-edge")
    assert state_folder({"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}) == Path("/var/lib/a")


def test_folder_is_the_user_s_own_otherwise() -> None:
    assert state_folder({"XDG_STATE_HOME": "/x/state"}) == Path("/x/state/fer-edge")
    assert state_folder({"XDG_STATE_HOME": "relative"}) == Path.home() / ".local/state/fer-edge"
    assert state_folder({}) == Path.home() / ".local/state/fer-edge"
