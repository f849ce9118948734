"""The service on a machine with a kernel of its own: a camera that comes and goes, devices and memory that are limited.

Minutes, because every instruction is emulated where there is no KVM: `make test-system`, not `make test`. The camera is
`vivid`, the kernel's own, with all that a USB camera has but the plug: it is unplugged by taking its driver away.
"""

from collections.abc import Iterator

import pytest

from tests.system.service import DROP_INS, ORDERS, STATUS, heard, log, misbehave, order, shown
from tests.system.virtual_machine import GUEST, VirtualMachine

pytestmark = [pytest.mark.system, pytest.mark.emulated]

SETTINGS = """\
device: porch
camera: {source: 0, width: 320, height: 180, rate_hz: 4, reopen_max_s: 2, stall_s: 30}
publish: {health_s: 1}
"""
DRIVER = "/sys/bus/platform/drivers/vivid"
MEMORY_MAX_MIB = 300  # the daemon's own bound, config.yaml


@pytest.fixture(scope="module")
def fresh() -> Iterator[VirtualMachine]:
    machine = VirtualMachine("amd64", SETTINGS, {"/project/tests/system/guest": GUEST})
    try:
        yield machine
    finally:
        machine.close()


@pytest.fixture
def machine(fresh: VirtualMachine) -> VirtualMachine:
    """The machine with the service running on its camera, whatever the test before left behind."""
    fresh.run(f"rm -f {DROP_INS}/[!p]*.conf {ORDERS}; systemctl daemon-reload; systemctl stop fer-edge")
    fresh.run(f"test -e /dev/video0 || echo vivid.0 > {DRIVER}/bind; udevadm settle")
    fresh.run("chgrp video /dev/video0; chmod 660 /dev/video0")
    fresh.write("/etc/fer-edge/config.yaml", SETTINGS)
    fresh.run("systemctl reset-failed fer-edge; systemctl restart fer-edge")
    fresh.wait_for(STATUS, "frames ok")
    return fresh


def test_service_reads_a_camera_that_belongs_to_the_video_group(machine: VirtualMachine) -> None:
    assert machine.run("stat -c '%a %U %G' /dev/video0") == "660 root video"
    process = shown(machine)["MainPID"]
    assert machine.run(f"stat -c %U /proc/{process}") == "fer-edge"
    assert "camera ok: running" in machine.run(STATUS)
    assert heard(machine, "health")["camera"]["state"] == "running"


def test_camera_that_is_unplugged_is_told_and_used_again_when_it_is_back(machine: VirtualMachine) -> None:
    before = shown(machine)["MainPID"]
    for _ in range(2):
        machine.run(f"echo vivid.0 > {DRIVER}/unbind")
        told = machine.wait_for(STATUS, "camera not ok")
        assert "lost: /dev/video0: " in told or "lost: " in told
        machine.wait_for(STATUS, "lost: /dev/video0: no such camera: is it plugged in?")
        assert heard(machine, "health")["camera"]["state"] == "lost"
        machine.run(f"echo vivid.0 > {DRIVER}/bind")
        machine.wait_for(STATUS, "camera ok: running")
        machine.wait_for(STATUS, "frames ok")
        assert machine.run("stat -c '%a %U %G' /dev/video0") == "660 root video"  # udev's rules, not the test's
    assert (shown(machine)["MainPID"], shown(machine)["NRestarts"]) == (before, "0")


def test_camera_of_another_group_is_refused_with_the_cure_and_taken_as_soon_as_it_may_be(
    machine: VirtualMachine,
) -> None:
    machine.run("chown root:root /dev/video0; systemctl restart fer-edge")
    machine.wait_for(STATUS, "lost: /dev/video0: permission denied: add the user to group video (sudo usermod -aG")
    before = shown(machine)["MainPID"]
    machine.run("chgrp video /dev/video0")
    machine.wait_for(STATUS, "camera ok: running")
    assert shown(machine)["MainPID"] == before


def test_camera_that_the_unit_does_not_list_is_refused_in_one_line(machine: VirtualMachine) -> None:
    machine.write(f"{DROP_INS}/devices.conf", "[Service]\nDeviceAllow=\n")
    machine.run("systemctl daemon-reload; systemctl restart fer-edge")
    machine.wait_for(STATUS, "lost: /dev/video0: not in this service's device allow list")
    machine.run("sleep 10")  # several attempts
    lines = [line for line in log(machine).splitlines() if "/dev/video0" in line or "VIDEOIO" in line]
    assert len(lines) == 1, lines
    assert "add DeviceAllow=char-video4linux rw" in lines[0]


def test_daemon_bounds_its_own_memory_and_ends_in_good_order(machine: VirtualMachine) -> None:
    misbehave(machine, limit_s=600.0)
    machine.run("systemctl show -P MemoryMax fer-edge | grep -qx $((400 * 1024 * 1024))")
    order(machine, "grow 5")
    said = machine.run("journalctl -u fer-edge -o cat --no-pager -b")
    assert "above memory_max_mib (300): stopping for a restart" in said
    assert "oom-kill" not in said


def test_what_grows_faster_is_ended_by_the_unit_s_limit_and_begun_anew(machine: VirtualMachine) -> None:
    misbehave(machine, limit_s=600.0)
    machine.run("journalctl --rotate --vacuum-time=1s >/dev/null 2>&1")
    order(machine, "grow 500")  # at once: between two looks of its own
    said = machine.run("journalctl -u fer-edge -o cat --no-pager")
    assert "Failed with result 'oom-kill'" in said
    assert heard(machine, "availability") == "online"


def test_service_holds_far_less_memory_than_its_limits(machine: VirtualMachine) -> None:
    said = machine.run(f"cat /proc/{shown(machine)['MainPID']}/status")
    words = dict(line.split(":", 1) for line in said.splitlines())
    assert int(words["VmHWM"].split()[0]) / 1024 < MEMORY_MAX_MIB - 100  # its peak
