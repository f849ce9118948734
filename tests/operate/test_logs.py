import logging
import subprocess
import sys

from fer_edge.operate.logs import JournalFormatter

SCRIPT = (
    "import logging; from fer_edge.operate.logs import set_up_logging, set_level; set_up_logging('warning')\n"
    "ours, theirs = logging.getLogger('fer_edge.x'), logging.getLogger('library')\n"
    "ours.info('hidden'); ours.warning('shown'); set_level('debug'); ours.debug('now shown'); theirs.info('hidden')"
)


def test_level_is_ours_to_change_at_run_time_and_libraries_speak_from_warning_on() -> None:
    result = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert [line.split(" ", 2)[2] for line in result.stderr.splitlines()] == [
        "WARNING fer_edge.x: shown",
        "DEBUG fer_edge.x: now shown",
    ]


def test_every_line_of_a_journal_record_carries_its_level() -> None:
    record = logging.LogRecord("fer_edge", logging.ERROR, "", 0, "first\nsecond", (), None)
    assert JournalFormatter("%(message)s").format(record) == "<3>first\n<3>second"
