"""The disk copy while the daemon runs: deleted, replaced, damaged, read-only, away."""

import os
import shutil
import time

import pytest

from fer_edge.mqtt.delivery import Folders
from fer_edge.types import EventKind
from tests.mqtt.conftest import eventually
from tests.mqtt.test_recovery import JOURNAL, STORE, Daemon, folders, kinds, verdict  # noqa: F401  a fixture

FACES = [(EventKind.APPEARED, face) for face in range(1, 21)]


def delete_folder(places: Folders) -> None:
    shutil.rmtree(places.state)


def replace_store(places: Folders) -> None:
    (places.state / STORE).rename(places.state / "elsewhere")
    (places.state / STORE).write_bytes(b"")


def delete_log(places: Folders) -> None:
    (places.state / f"{STORE}-wal").unlink()


@pytest.mark.parametrize("durability", ["default", "strict"])
@pytest.mark.parametrize("harm", [delete_folder, replace_store, delete_log])
def test_store_that_goes_while_the_daemon_runs_is_logged_and_written_anew(folders, harm, durability, caplog):  # noqa: F811
    daemon = Daemon(folders, durability)
    daemon.say(*FACES)
    daemon.is_on_disk(20)
    harm(folders)
    eventually(lambda: "was deleted or replaced" in caplog.text, "it is logged")
    daemon.is_on_disk(20)
    daemon.stop()
    for one in folders.runtime.iterdir():  # as after a reboot
        one.unlink()
    second = Daemon(folders, durability)
    sent = second.sends()
    second.stop()
    assert kinds(sent) == [("face_appeared", "left")] * 20
    assert verdict(sent) == []


def test_store_that_is_damaged_while_the_daemon_runs_is_set_aside_and_written_anew(folders, caplog):  # noqa: F811
    daemon = Daemon(folders, "strict")
    daemon.say(*FACES)
    daemon.is_on_disk(20)
    path = folders.state / STORE
    with path.open("r+b") as file:
        file.write(os.urandom(path.stat().st_size))
    with (folders.state / f"{STORE}-wal").open("r+b") as file:
        file.write(os.urandom(200_000))
    daemon.say((EventKind.APPEARED, 21))
    daemon.stop()
    second = Daemon(folders, "strict")
    sent = [event for event in second.sends() if event["event_type"] != "gap"]
    second.stop()
    assert len({event["id"] for event in sent}) == 21


def test_journal_that_is_deleted_while_the_daemon_runs_is_written_anew(folders, caplog):  # noqa: F811
    daemon = Daemon(folders)
    daemon.say(*FACES)
    shutil.rmtree(folders.runtime)
    daemon.delivery.check(time.monotonic() + 2.0)
    assert "was deleted or replaced" in caplog.text
    assert (folders.runtime / JOURNAL).exists()
    daemon.say((EventKind.APPEARED, 21))
    assert kinds(daemon.sends()) == [("face_appeared", "left")] * 21
    daemon.stop()


def test_journal_without_room_goes_on_in_memory_and_says_what_that_costs(small_disk, tmp_path, caplog):
    daemon = Daemon(Folders(tmp_path / "state", small_disk("size=200k")))
    daemon.say(*((EventKind.APPEARED, face) for face in range(1, 1001)))
    assert "cannot be used any more" in caplog.text
    assert "if the daemon is killed" in caplog.text
    assert len(daemon.sends()) == 1000
    daemon.stop()


def test_no_runtime_directory_is_logged_once_with_its_cost(tmp_path, caplog):
    daemon = Daemon(Folders(tmp_path / "state", None))
    daemon.say(*FACES)
    assert caplog.text.count("if the daemon is killed") == 1
    daemon.stop()
    second = Daemon(Folders(tmp_path / "state", None))
    assert len(second.sends()) == 20
    second.stop()


def test_nothing_is_logged_where_everything_is_in_its_place(folders, caplog):  # noqa: F811
    daemon = Daemon(folders)
    daemon.say(*FACES)
    daemon.sends()
    daemon.stop()
    assert [one for one in caplog.records if one.name != "fer_edge.mqtt.link"] == []
    assert not (folders.state / "fer_edge-porch.mark").exists()
