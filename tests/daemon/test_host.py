import resource
from pathlib import Path

from fer_edge.daemon.host import ProcessUse, is_throttled, resident_bytes, soc_temperature_c


def test_temperature_is_read_in_degrees_and_is_none_without_a_sensor(tmp_path: Path) -> None:
    (tmp_path / "temp").write_text("48312\n")
    assert soc_temperature_c(tmp_path / "temp") == 48.312
    assert soc_temperature_c(tmp_path / "none") is None


def test_throttling_now_differs_from_throttling_since_boot(tmp_path: Path) -> None:
    flags = tmp_path / "get_throttled"
    for text, expected in (("0\n", False), ("50005\n", True), ("50000\n", False), ("rubbish\n", None)):
        flags.write_text(text)
        assert is_throttled(flags) is expected
    assert is_throttled(tmp_path / "none") is None


def test_resident_memory_agrees_with_vm_rss() -> None:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    assert abs(resident_bytes() / 1024 - int(status["VmRSS"].split()[0])) < 4096


def cpu_s() -> float:
    """Return the CPU time by another clock than the tested one, finer than os.times()."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def test_cpu_use_is_measured_between_two_samples() -> None:
    use = ProcessUse(now=100.0)
    before = cpu_s()
    while cpu_s() - before < 0.05:
        sum(range(1000))
    spent = cpu_s() - before
    measured = use.since_last(now=101.0).cpu_percent
    assert measured >= 100 * spent * 0.99
    assert use.since_last(now=102.0).cpu_percent < measured
