import subprocess
import sys

from fer_edge.daemon.memory import MemoryLimit, code_mappings

# A heap with a hole: large blocks freed below a small one that keeps the top of the heap where it is.
SCRIPT = """
import ctypes
from fer_edge.daemon.host import resident_bytes
from fer_edge.daemon.memory import release_unused
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
size = 100_000  # below the threshold above which every block is mapped alone
blocks = [libc.malloc(size) for _ in range(200)]
for block in blocks:
    ctypes.memset(block, 1, size)
top = libc.malloc(size)
for block in blocks:
    libc.free(block)
before = resident_bytes()
release_unused()
print(before - resident_bytes())
"""


def test_freed_heap_is_released_to_the_system() -> None:
    result = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert int(result.stdout) > 10_000_000


MAPS = """\
00400000-00452000 r-xp 00001000 08:02 173521 /usr/bin/python3.11
00651000-00652000 r--p 00051000 08:02 173521 /usr/bin/python3.11
00652000-00655000 rw-p 00052000 08:02 173521 /usr/bin/python3.11
7f0000000000-7f0000001000 r-xp 00000000 08:02 99 /lib/a file with blanks.so (deleted)
7f0000002000-7f0000003000 r-xs 00000000 08:02 98 /dev/shm/shared
7f0000004000-7f0000005000 r-xp 00000000 00:00 0
7ffd00000000-7ffd00002000 r-xp 00000000 00:00 0 [vdso]
"""


def test_only_unwritten_private_code_of_files_is_unmapped() -> None:
    assert code_mappings(MAPS) == [(0x400000, 0x52000), (0x7F0000000000, 0x1000)]


CODE_SCRIPT = """
import cv2, numpy
from fer_edge.daemon.host import resident_bytes
from fer_edge.daemon.memory import release_unused
picture = numpy.arange(120_000, dtype=numpy.uint8).reshape(200, 200, 3)
small = cv2.resize(picture, (50, 50))
before = resident_bytes()
release_unused()
print(before - resident_bytes(), (cv2.resize(picture, (50, 50)) == small).all())
"""


def test_code_that_ran_once_is_released_and_runs_again() -> None:
    result = subprocess.run([sys.executable, "-c", CODE_SCRIPT], capture_output=True, text=True, check=True)
    freed, same = result.stdout.split()
    assert int(freed) > 5_000_000
    assert same == "True"


def limit(*held: int) -> tuple[MemoryLimit, list[str]]:
    """Return a limit of 300 bytes with these resident sizes in turn, and the list of its releases."""
    left, releases = list(held), []
    return MemoryLimit(300, lambda: left.pop(0), lambda: releases.append("released")), releases


def test_memory_up_to_the_limit_is_not_released() -> None:
    memory, releases = limit(300)
    assert memory.exceeded(0.0) is None
    assert releases == []


def test_limit_is_exceeded_only_if_a_release_does_not_help() -> None:
    memory, releases = limit(301, 299, 301, 302)
    assert memory.exceeded(0.0) is None
    assert releases == ["released"]
    assert memory.exceeded(5.0) == 302


def test_memory_is_checked_every_five_seconds() -> None:
    memory, _ = limit(301, 301, 1, 999)  # the check at 4.9 s is too soon
    assert memory.exceeded(0.0) == 301
    assert memory.exceeded(4.9) is None
    assert memory.exceeded(5.0) is None


def test_garbage_is_collected_before_the_limit_counts_as_exceeded() -> None:
    script = """
from fer_edge.daemon.host import resident_bytes
from fer_edge.daemon.memory import MemoryLimit
class Ring:
    def __init__(self):
        self.me, self.load = self, bytearray(b"x" * 50_000_000)
import gc; gc.disable()
limit = MemoryLimit(resident_bytes() + 20_000_000)
Ring()
held = resident_bytes()
print(held > limit._limit_bytes, limit.exceeded(0.0))
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["True", "None"]
