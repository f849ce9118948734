"""A few seconds of `make fuzz` with fixed seeds, and the campaign itself: it finds what is there to be found."""

import logging
from pathlib import Path

import pytest

from tests.fuzz.campaign import Entrance, Finding, Parts, campaign, parts_of, run_case
from tests.fuzz.entrances import ENTRANCES

CASES = 25  # of each entrance
NAMES = [entrance.name for entrance in ENTRANCES]


@pytest.mark.parametrize("entrance", ENTRANCES, ids=NAMES)
def test_valid_input_is_accepted_so_that_its_damage_reaches_what_reads_it(entrance: Entrance) -> None:
    assert any(run_case(entrance, parts) for parts in entrance.examples())


@pytest.mark.parametrize("entrance", ENTRANCES, ids=NAMES)
def test_damaged_input_ends_in_what_its_reader_documents(entrance: Entrance) -> None:
    for seed in range(CASES):
        try:
            run_case(entrance, parts_of(entrance, seed))
        except Finding as finding:
            pytest.fail(f"make fuzz FUZZ_CASE={entrance.name}:{seed}\n{finding}")


def of(enter) -> Entrance:
    return Entrance("tested", lambda: ((b"abcdefgh", b"12345678"),), enter)


def test_case_is_the_same_input_at_each_run_and_another_for_another_seed() -> None:
    entrance = of(lambda parts, folder: True)
    assert parts_of(entrance, 7) == parts_of(entrance, 7)
    assert len({parts_of(entrance, seed) for seed in range(50)}) > 40


def test_exception_is_a_finding_with_its_place_and_each_place_is_reported_once() -> None:
    def enter(parts: Parts, _folder: Path) -> bool:
        return bool(parts[1].decode("ascii"))

    reports: list[str] = []
    tally = campaign([of(enter)], seed=1, seconds=0.5, report=reports.append)["tested"]
    (cases,) = tally.findings.values()
    assert len(reports) == 1
    assert "UnicodeDecodeError" in reports[0]
    assert cases[0] in reports[0]
    name, _, seed = cases[-1].partition(":")
    with pytest.raises(Finding, match="UnicodeDecodeError"):
        run_case(of(enter), parts_of(of(enter), int(seed)))
    assert name == "tested"
    assert tally.accepted + tally.refused > 0


def test_exception_that_a_server_logs_instead_of_raising_it_is_a_finding() -> None:
    def enter(_parts: Parts, _folder: Path) -> bool:
        logging.getLogger("some.server").error("while serving", exc_info=ValueError("in a thread"))
        return True

    with pytest.raises(Finding, match="in a thread"):
        run_case(of(enter), (b"", b""))


def test_refusal_as_documented_is_no_finding() -> None:
    assert run_case(of(lambda parts, folder: False), (b"", b"")) is False
