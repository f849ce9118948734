"""Thresholds written into a user's file: comments stay, mistakes are refused, nothing is lost."""

import stat
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from fer_edge.config.loader import load_settings
from fer_edge.config.model import DecideSettings, Threshold
from fer_edge.config.writer import drafted_decide, drafted_zones, locked, with_decide
from fer_edge.errors import UserError

REPOSITORY = Path(__file__).resolve().parents[2]
TEXT = """\
# my kitchen
device: "kitchen"   # by the door

decide:
  # calm
  enter: 0.5        # half
  leave: 0.35
mqtt: {host: broker.example, port: 8883}
"""


def test_only_the_value_changes_and_every_comment_stays() -> None:
    after = with_decide(TEXT, DecideSettings(enter=0.7))
    assert after == TEXT.replace("enter: 0.5 ", "enter: 0.7 ")


def test_shipped_file_keeps_all_its_lines_but_those_that_changed(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    before = (REPOSITORY / "config.yaml").read_text()
    path.write_text(before)
    wanted = DecideSettings(enter=0.6, dwell_s=0.8, emotions={"happy": Threshold(enter=0.7)})
    drafted_decide(path, wanted).commit()
    assert load_settings(path).decide == wanted
    lost = set(before.splitlines()) - set(path.read_text().splitlines())
    assert lost == {"  enter: 0.5", "  dwell_s: 0.4", "  emotions: {}"}


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "decide:\n", "device: kitchen\n", "decide: {enter: 0.8}\n"])
def test_section_that_is_not_there_is_made(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    wanted = DecideSettings(enter=0.65, leave=0.5)
    drafted_decide(path, wanted).commit()
    assert load_settings(path).decide == wanted


def test_own_threshold_that_was_dropped_goes_and_its_neighbour_stays() -> None:
    text = "decide:\n  emotions:\n    happy: {enter: 0.7}  # smiles\n    fear: {enter: 0.8}\n"
    after = with_decide(text, DecideSettings(emotions={"happy": Threshold(enter=0.7)}))
    assert after == "decide:\n  emotions:\n    happy: {enter: 0.7}  # smiles\n"


def test_file_with_a_mistake_is_left_as_it_is_and_named(tmp_path: Path) -> None:
    for text in ("decide: {entre: 1}\n", "decide: [1]\n", "a: b: c\n", "- 1\n"):
        path = tmp_path / "config.yaml"
        path.write_text(text)
        with pytest.raises(UserError, match="fer-edge check") as caught:
            drafted_decide(path, DecideSettings(enter=0.6)).commit()
        assert "\n" not in str(caught.value)
        assert path.read_text() == text


def test_mode_stays_and_nothing_is_left_beside(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(TEXT)
    path.chmod(0o640)
    drafted_decide(path, DecideSettings(enter=0.7)).commit()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [one.name for one in tmp_path.iterdir()] == ["config.yaml"]


def test_file_that_may_not_be_written_is_left_and_said(foreign_file: Path, ordinary_user) -> None:
    before = foreign_file.read_text()
    with pytest.raises(UserError, match="cannot be written: permission denied"):
        drafted_decide(foreign_file, DecideSettings(enter=0.7)).commit()
    assert foreign_file.read_text() == before


def test_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: no such file"):
        drafted_decide(tmp_path / "none.yaml", DecideSettings()).commit()


def test_zones_are_set_and_everything_else_stays(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(TEXT)
    zone = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0))
    drafted_zones(path, [zone]).commit()
    assert load_settings(path).privacy.zones == (zone,)
    assert path.read_text().startswith(TEXT)
    drafted_zones(path, []).commit()
    assert load_settings(path).privacy.zones == ()


def test_file_that_changed_since_it_was_read_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(TEXT)
    draft = drafted_decide(path, DecideSettings(enter=0.7))
    path.write_text("device: attic\n")
    with pytest.raises(UserError, match="save again"):
        draft.commit()
    assert path.read_text() == "device: attic\n"


def test_save_holds_off_one_of_another_process_and_leaves_no_lock_behind(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(TEXT)
    attempt = "import fcntl, os, sys\nfcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
    program = [sys.executable, "-c", attempt, str(tmp_path)]
    with locked(path):
        assert "BlockingIOError" in subprocess.run(program, capture_output=True, text=True, check=False).stderr
    subprocess.run(program, check=True)
    assert [one.name for one in tmp_path.iterdir()] == ["config.yaml"]


@pytest.mark.parametrize(
    "text",
    [
        "device: off\n",
        "mqtt: {username: 0123, protocol: 5}\n",
        "mqtt: {username: 2020-13-45}\n",
        f"mqtt: {{username: {'9' * 5000}}}\n",
        "device: !!str 5\n",
        "track: {iou: &a 0.4, score: *a}\n",
        "mqtt: {username: 1:30, client_id: 0o17, prefix: 0x1F}\n",
        "camera: {rate_hz: 1_5, stall_s: 4.0}\n",
        "%YAML 1.1\n---\ndevice: on\n",
    ],
)
def test_save_changes_no_other_value_or_says_that_it_cannot(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    before = load_settings(path)
    try:
        drafted_decide(path, DecideSettings(enter=0.7)).commit()
    except UserError as error:
        assert "change it by hand" in str(error)  # noqa: PT017
        assert path.read_text() == text
        return
    assert load_settings(path) == msgspec.structs.replace(before, decide=DecideSettings(enter=0.7))
