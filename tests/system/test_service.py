"""The service as its users meet it, on Debian systems that are really booted: installed, watched, killed, removed."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.machine import PACKAGES, PYTHONS, REPOSITORY, TREES, Machine, cannot_run, tool
from tests.system.service import DROP_INS, heard, log, misbehave, order, shown

pytestmark = pytest.mark.system

OFFLINE_PIP = "PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels PIP_DISABLE_PIP_VERSION_CHECK=1"
SETTINGS = """\
device: porch
camera: {source: /videos/single_face.mp4, loop: true}
publish: {health_s: 1}
"""
# adjtimex(2) that only asks: -1 where it is forbidden, 5 where no time service keeps the clock.
ASK_CLOCK = """\
import ctypes
print("clock:", ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512)))
"""
# How each system gets the program: from a checkout into /opt, and by pipx into a home that is closed to others.
INSTALL = {
    "bookworm": "umask 077; /project/systemd/install.sh",  # as careful administrators of servers have it
    "trixie": "useradd --create-home pi && chmod 700 /home/pi && cp -R /project /home/pi/copy"
    " && chown -R pi /home/pi/copy"
    f" && su - pi -c '{OFFLINE_PIP} pipx install /home/pi/copy' && /home/pi/.local/bin/fer-edge service install",
}
UPGRADE = {
    "bookworm": INSTALL["bookworm"],
    "trixie": f"su - pi -c '{OFFLINE_PIP} pipx upgrade fer-edge' && /home/pi/.local/bin/fer-edge service install",
}
PROGRAM = {"bookworm": "fer-edge", "trixie": "/home/pi/.local/bin/fer-edge"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of this checkout that git knows or would: what a clone holds, as it is now."""
    folder = tmp_path_factory.mktemp("project")
    folder.chmod(0o755)  # the service's user reads it too
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=REPOSITORY, capture_output=True,
        check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (REPOSITORY / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, folder / name, follow_symlinks=False)
    return folder


@pytest.fixture(scope="module", params=sorted(PYTHONS))
def fresh(request: pytest.FixtureRequest, project: Path, data: Path) -> Iterator[Machine]:
    """A booted system with a broker and without fer-edge."""
    suite = request.param
    if os.geteuid() != 0:
        cannot_run("booting a system needs root: run the tests as root, or by sudo")
    if not shutil.which("systemd-nspawn"):
        cannot_run("systemd-nspawn is not installed: apt install systemd-container")
    tree, wheels = TREES / f"{suite}-amd64", TREES / f"wheels-{PYTHONS[suite]}-amd64"
    tool("machine_tree.sh", suite, "amd64", tree, PACKAGES)
    tool("wheels.sh", sys.executable, PYTHONS[suite], "amd64", wheels)
    machine = Machine(suite, {"/project": project, "/wheels": wheels, "/videos": data / "videos"})
    try:
        machine.wait_until_up()
        yield machine
    finally:
        machine.close()


@pytest.fixture(scope="module")
def first_words(fresh: Machine) -> str:
    """Output of the first installation."""
    return fresh.run(f"export {OFFLINE_PIP}; {INSTALL[fresh.suite]}")


@pytest.fixture
def machine(fresh: Machine, first_words: str) -> Machine:
    """The machine with the service running on a film with a face, whatever the test before left behind."""
    fresh.run("rm -rf /etc/systemd/system/fer-edge.service.d /var/lib/fer-edge/order; systemctl daemon-reload")
    fresh.write("/etc/fer-edge/config.yaml", SETTINGS)
    fresh.run("systemctl reset-failed fer-edge; systemctl restart fer-edge")
    return fresh


def test_installation_says_what_it_sees_and_what_to_do(first_words: str) -> None:
    lines = first_words[first_words.index("settings ") :].splitlines()  # after what pip or pipx had to say
    assert lines[0].startswith("settings  /etc/fer-edge/config.yaml written")
    assert lines[1] == "unit      /etc/systemd/system/fer-edge.service written"
    assert lines[2] == "ok      broker    connected to localhost:1883 (MQTT 5)"
    assert lines[3] == "waiting camera    lost: /dev/video0: no such camera: is it plugged in?"
    assert lines[4].strip().startswith("set camera.source in /etc/fer-edge/config.yaml")
    assert lines[-1].startswith("The service runs and starts at boot.")


def test_service_belongs_to_a_user_of_its_own_and_its_secrets_to_nobody_else(machine: Machine) -> None:
    process = shown(machine)["MainPID"]
    assert machine.run(f"stat -c %U /proc/{process}") == "fer-edge"
    assert "video" in machine.run("id -nG fer-edge").split()
    machine.run("rm /etc/fer-edge/config.yaml")
    machine.run(f"{PROGRAM[machine.suite]} service install")
    modes = machine.run("stat -c '%a %U %G' /etc/fer-edge/config.yaml /var/lib/fer-edge").splitlines()
    assert modes == ["640 root fer-edge", "700 fer-edge fer-edge"]


def test_first_event_of_a_film_arrives_and_the_status_says_that_all_is_well(machine: Machine) -> None:
    event = heard(machine, "event")
    assert event["event_type"] in ("face_appeared", "emotion_changed")
    assert event["device"] == "porch"
    words = machine.wait_for("systemctl show -P StatusText fer-edge", "fps, 1 face in view")
    assert words.startswith("camera ok: running | broker ok: connected to localhost:1883 (MQTT 5) | frames ok: ")
    status = machine.done(f"{PROGRAM[machine.suite]} service status")
    assert [line.split()[:2] for line in status.stdout.splitlines() if line[0] != " "] == [
        ["ok", name] for name in ("service", "camera", "broker", "frames")
    ]


def test_sandbox_leaves_the_fast_kernels_and_is_as_tight_as_promised(machine: Machine) -> None:
    assert heard(machine, "info")["xnnpack"] is True
    machine.run("systemd-analyze security fer-edge --threshold=20")
    process = shown(machine)["MainPID"]
    inside = f"nsenter --target {process} --mount"
    assert machine.done(f"{inside} touch /etc/x").returncode != 0
    assert machine.done(f"{inside} touch /usr/x").returncode != 0
    assert machine.run(f"{inside} ls -A /tmp") == ""
    status = dict(line.split(":\t", 1) for line in machine.run(f"cat /proc/{process}/status").splitlines())
    assert (status["CapBnd"], status["NoNewPrivs"], status["Seccomp"]) == ("0" * 16, "1", "2")


def test_service_may_ask_whether_its_clock_is_kept_and_events_tell_it(machine: Machine) -> None:
    machine.write("/usr/local/lib/ask_clock.py", ASK_CLOCK)
    machine.write(f"{DROP_INS}/ask.conf", "[Service]\nExecStartPre=/usr/bin/python3 /usr/local/lib/ask_clock.py\n")
    machine.run("systemctl daemon-reload; systemctl restart fer-edge")
    outside = machine.run("python3 /usr/local/lib/ask_clock.py")  # without the sandbox
    assert outside != "clock: -1", "this machine's own kernel does not answer, so nothing is proven"
    assert outside in log(machine).splitlines()
    assert heard(machine, "event")["clock"] == ("unsynced" if outside == "clock: 5" else "synced")


def test_processor_that_a_unit_hides_is_noticed_and_told_instead_of_a_hundredfold_delay(machine: Machine) -> None:
    machine.write("/etc/systemd/system/fer-edge.service.d/hide.conf", "[Service]\nProcSubset=pid\n")
    machine.run("systemctl daemon-reload; systemctl restart fer-edge")
    said = machine.wait_for("journalctl -u fer-edge -o cat --no-pager -n 20", "without XNNPACK, slow")
    assert "ProcSubset=pid" in said
    health = "mosquitto_sub -h localhost -C 1 -W 60 -t fer_edge/porch/health"  # the first may be the last daemon's
    machine.wait_for(health, '"kernels":{"xnnpack":false,"share":0.0,')


def test_password_reaches_the_daemon_alone_and_a_wrong_one_is_told(machine: Machine) -> None:
    machine.run("mosquitto_passwd -c -b /etc/mosquitto/users cam s3cret-word; chown mosquitto /etc/mosquitto/users")
    machine.write(
        "/etc/mosquitto/conf.d/two.conf",
        "per_listener_settings true\nlistener 1883 localhost\nallow_anonymous true\n"
        "listener 1884 localhost\nallow_anonymous false\npassword_file /etc/mosquitto/users",
    )
    machine.run("systemctl restart mosquitto")
    machine.write("/etc/fer-edge/config.yaml", SETTINGS + "mqtt: {port: 1884, username: cam}\n")
    machine.run("systemctl restart fer-edge")
    refused = machine.wait_for("systemctl show -P StatusText fer-edge", "broker not ok")
    assert "password" in refused
    machine.run("umask 022; echo s3cret-word > /etc/fer-edge/mqtt-password; systemctl restart fer-edge")
    machine.wait_for("systemctl show -P StatusText fer-edge", "broker ok: connected to localhost:1884")
    process = shown(machine)["MainPID"]
    assert "s3cret" not in machine.run(f"cat /proc/{process}/environ /proc/{process}/cmdline | tr '\\0' ' '")
    assert "s3cret" not in machine.run("journalctl -u fer-edge")
    machine.run(f"{PROGRAM[machine.suite]} service install")
    assert machine.run("stat -c '%a %U' /etc/fer-edge/mqtt-password") == "600 root"
    for command in ("check", "events --for 1", "home-assistant remove"):  # each finds the password by itself
        said = machine.done(f"cd /etc/fer-edge; {PROGRAM[machine.suite]} {command}")
        assert (command, said.returncode, "not authori" in said.stdout) == (command, 0, False), said.stdout
    machine.run("rm /etc/fer-edge/mqtt-password")


def test_reload_takes_good_settings_and_names_the_mistake_in_bad_ones(machine: Machine) -> None:
    process = shown(machine)["MainPID"]
    machine.write("/etc/fer-edge/config.yaml", SETTINGS + "decide: {enter: 0.9, leave: 0.5}\n")
    machine.run("systemctl reload fer-edge")
    machine.wait_for("journalctl -u fer-edge -o cat --no-pager -n 5", "settings reloaded: decide.enter, decide.leave")
    machine.write("/etc/fer-edge/config.yaml", SETTINGS + "decide: {enter: 7}\n")
    machine.run("systemctl reload fer-edge")
    status = machine.wait_for("systemctl show -P StatusText fer-edge", "settings not ok")
    assert "config.yaml:4:17: decide.enter: must be" in status
    machine.write("/etc/fer-edge/config.yaml", SETTINGS)
    machine.run("systemctl reload fer-edge")
    machine.wait_for("journalctl -u fer-edge -o cat --no-pager -n 5", "settings reloaded: decide.enter, decide.leave")
    assert "settings" not in machine.run("sleep 1.5; systemctl show -P StatusText fer-edge")
    assert (shown(machine)["MainPID"], shown(machine)["ActiveState"]) == (process, "active")


@pytest.mark.parametrize("part", ["vision", "camera", "link"])
def test_thread_that_hangs_is_noticed_and_the_service_begun_anew(machine: Machine, part: str) -> None:
    misbehave(machine, "WatchdogSec=5")
    before = shown(machine)["MainPID"]
    machine.run("sleep 8")  # longer than the watchdog's patience: it is fed while nothing hangs
    assert shown(machine)["MainPID"] == before
    order(machine, part)
    said = machine.run("journalctl -u fer-edge -o cat --no-pager")
    assert "Watchdog timeout" in said
    assert "misbehaving.py" in said  # where each thread stood
    if part != "vision":
        assert f"no progress: {part};" in said


def test_daemon_that_grows_beyond_its_bound_ends_in_good_order_and_is_begun_anew(machine: Machine) -> None:
    misbehave(machine)
    follow = "timeout 180 mosquitto_sub -h localhost -q 1 -C 3 -t fer_edge/porch/availability"
    machine.run(f"{follow} > /run/availability 2>&1 & echo")
    order(machine, "grow 10")
    said = machine.run("journalctl -u fer-edge -o cat --no-pager")
    assert "above memory_max_mib (300): stopping for a restart" in said
    assert machine.wait_for("cat /run/availability | tr '\\n' ' '", "online offline online")


def test_missing_camera_and_broker_are_told_and_kill_nobody(machine: Machine) -> None:
    machine.write("/etc/systemd/system/fer-edge.service.d/short.conf", "[Service]\nWatchdogSec=2\n")
    machine.write("/etc/fer-edge/config.yaml", "camera: {source: /dev/video7}\nmqtt: {port: 1}\n")
    machine.run("systemctl daemon-reload; systemctl restart fer-edge")
    before = shown(machine)
    assert "camera not ok: lost: /dev/video7: no such camera" in before["StatusText"]
    assert "broker not ok: " in before["StatusText"]
    machine.run("sleep 8")
    after = shown(machine)
    assert (after["ActiveState"], after["MainPID"]) == ("active", before["MainPID"])


def test_killed_daemon_is_back_and_its_last_will_was_spoken(machine: Machine) -> None:
    heard(machine, "event")
    before = shown(machine)["MainPID"]
    journal = "stat -c '%a %U %i' /run/fer-edge/fer_edge-porch.journal"
    kept = machine.run(journal)
    assert kept.startswith("600 fer-edge ")
    follow = "timeout 180 mosquitto_sub -h localhost -q 1 -C 3 -t fer_edge/porch/availability"
    words = machine.run(f"({follow} & sleep 1; kill -9 {before}; wait)")
    assert words.split() == ["online", "offline", "online"]
    machine.wait_for("systemctl is-active --quiet fer-edge && echo up", "up")
    assert shown(machine)["MainPID"] not in ("0", before)
    assert machine.run(journal) == kept  # the same file, by its inode: RuntimeDirectoryPreserve


def test_bad_settings_at_the_start_end_it_for_good_with_the_mistake_in_the_journal(machine: Machine) -> None:
    machine.write("/etc/fer-edge/config.yaml", "camera: {sauce: 1}\n")
    assert machine.done("systemctl restart fer-edge").returncode != 0
    machine.run("sleep 5")  # longer than RestartSec
    after = shown(machine)
    assert (after["ActiveState"], after["ExecMainStatus"], after["NRestarts"]) == ("failed", "78", "0")
    assert "config.yaml:1:10: camera.sauce: unknown key, did you mean source?" in log(machine)
    install = machine.done(f"{PROGRAM[machine.suite]} service install")
    assert install.returncode != 0
    assert "config.yaml:1:10: camera.sauce" in install.stdout


def test_stop_is_over_within_five_seconds_and_offline_is_with_the_broker(machine: Machine) -> None:
    heard(machine, "event")
    begin = time.monotonic()
    machine.run("systemctl stop fer-edge")
    assert time.monotonic() - begin < 5.0
    after = shown(machine)
    assert (after["ActiveState"], after["Result"], after["ExecMainStatus"]) == ("inactive", "success", "0")
    assert heard(machine, "availability") == "offline"
    assert heard(machine, "state")["faces"] == []


def test_journal_files_each_line_under_its_level(machine: Machine) -> None:
    machine.write("/etc/fer-edge/config.yaml", SETTINGS + "mqtt: {port: 1}\n")
    machine.run("systemctl restart fer-edge")
    lines = machine.run("journalctl -u fer-edge -o json --no-pager -n 30").splitlines()
    ours = [entry for entry in map(json.loads, lines) if entry.get("_UID") == machine.run("id -u fer-edge")]
    levels = {entry["MESSAGE"].partition(":")[0]: entry["PRIORITY"] for entry in ours}
    assert levels["fer_edge.capture.camera"] == "6"
    assert levels["fer_edge.mqtt.link"] == "4"
    assert {entry["_SYSTEMD_UNIT"] for entry in ours} == {"fer-edge.service"}
    assert not any(entry["MESSAGE"].startswith("<") for entry in ours)


def test_upgrade_keeps_the_settings_and_puts_the_new_defaults_beside_them(machine: Machine) -> None:
    before = shown(machine)["MainPID"]
    machine.run("echo old > /etc/fer-edge/config.yaml.default; echo '# old' >> /etc/systemd/system/fer-edge.service")
    words = machine.run(f"export {OFFLINE_PIP}; {UPGRADE[machine.suite]}")
    assert "config.yaml kept; this version's defaults: config.yaml.default" in words
    for part in ("camera", "broker", "frames"):
        assert f"ok      {part}" in words
    assert machine.run("cat /etc/fer-edge/config.yaml").strip() == SETTINGS.strip()
    assert machine.run("cat /etc/fer-edge/config.yaml.default") == (REPOSITORY / "config.yaml").read_text().strip()
    assert "# old" not in machine.run("cat /etc/systemd/system/fer-edge.service")
    assert shown(machine)["MainPID"] != before


def test_only_root_changes_the_system_and_others_are_told_the_command(machine: Machine) -> None:
    user = {"bookworm": "nobody", "trixie": "pi"}[machine.suite]
    for verb in ("install", "uninstall"):
        tried = machine.done(f"su {user} -s /bin/sh -c '{PROGRAM[machine.suite]} service {verb}'")
        assert tried.returncode == 1
        assert tried.stdout.startswith("fer-edge: root needed: sudo /")
        assert tried.stdout.strip().endswith(f"/bin/fer-edge service {verb}")


def test_uninstall_keeps_what_is_the_user_s_and_purge_does_not(machine: Machine) -> None:
    fer_edge = PROGRAM[machine.suite]
    words = machine.run(f"{fer_edge} service uninstall")
    assert "kept      /etc/fer-edge, /var/lib/fer-edge" in words
    assert machine.run("systemctl show -P LoadState fer-edge") == "not-found"
    assert machine.run("cat /etc/fer-edge/config.yaml").strip() == SETTINGS.strip()
    status = machine.done(f"{fer_edge} service status")
    assert (status.returncode, status.stdout.strip()) == (
        1,
        "failed  service   not installed: run sudo fer-edge service install",
    )
    machine.run(f"{fer_edge} service uninstall --purge")
    machine.run(f"{fer_edge} service uninstall --purge")  # what is gone is no trouble
    left = machine.run(
        "ls -d /etc/fer-edge* /var/lib/fer-edge* /etc/*/fer-edge* /etc/systemd/system/fer* 2>&1", check=False
    )
    assert "No such file" in left
    assert not [line for line in left.splitlines() if line.startswith("/")]
    assert machine.done("id fer-edge").returncode != 0
    machine.run(f"{fer_edge} service install")


def test_debian_package_is_installed_runs_and_is_removed(machine: Machine) -> None:
    folder = TREES / f"deb-{machine.suite}"
    shutil.rmtree(folder, ignore_errors=True)
    tool("make_deb.sh", sys.executable, machine.suite, "amd64", folder, FER_EDGE_DEB_COMPRESSION="none")
    (package,) = folder.glob("*.deb")
    machine.copy(package, "/root/fer-edge.deb")
    machine.run("dpkg --install --force-confold /root/fer-edge.deb")  # over a service that was installed without it
    assert shown(machine)["FragmentPath"] == "/etc/systemd/system/fer-edge.service"
    purge = machine.done(f"{PROGRAM[machine.suite]} service uninstall --purge")
    assert (purge.returncode, "apt purge fer-edge" in purge.stdout) == (1, True)
    assert "sudo systemctl enable --now fer-edge" in machine.run(f"{PROGRAM[machine.suite]} service uninstall")
    assert shown(machine)["FragmentPath"].endswith("/lib/systemd/system/fer-edge.service")
    refused = machine.done(f"{PROGRAM[machine.suite]} service uninstall")
    assert (refused.returncode, "the service belongs to the Debian package" in refused.stdout) == (1, True)
    machine.run("dpkg --purge fer-edge; rm -rf /etc/fer-edge")
    machine.run("dpkg --install /root/fer-edge.deb")
    assert machine.run("stat -c '%a %U %G' /etc/fer-edge/config.yaml") == "640 root fer-edge"
    assert "no such camera" in machine.wait_for("systemctl show -P StatusText fer-edge", "broker ok")
    machine.write("/etc/fer-edge/config.yaml", SETTINGS)
    machine.run("systemctl restart fer-edge")
    assert heard(machine, "event")["device"] == "porch"
    assert heard(machine, "info")["xnnpack"] is True
    refused = machine.done(f"{PROGRAM[machine.suite]} service install")
    assert (refused.returncode, "the Debian package already installed a service" in refused.stdout) == (1, True)
    machine.run("dpkg --install /root/fer-edge.deb")  # an upgrade, and a file of the user's that nobody may touch
    assert machine.run("cat /etc/fer-edge/config.yaml").strip() == SETTINGS.strip()
    assert machine.run("systemctl is-active fer-edge; systemctl is-enabled fer-edge").split() == ["active", "enabled"]
    machine.run("dpkg --remove fer-edge")
    assert machine.run("systemctl show -P LoadState fer-edge") == "not-found"
    assert machine.run("cat /etc/fer-edge/config.yaml").strip() == SETTINGS.strip()
    assert machine.done("ls -d /usr/lib/fer-edge").returncode != 0
    machine.run("dpkg --purge fer-edge")
    left = machine.run("ls -d /etc/fer-edge /var/lib/fer-edge /etc/systemd/system/*/fer-edge.service", check=False)
    assert not [line for line in left.splitlines() if line.startswith("/")]
