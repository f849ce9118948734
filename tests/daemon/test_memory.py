import subprocess
import sys

from fer_edge.daemon.memory import MemoryBound, code_mappings

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


def test_heap_that_was_freed_goes_back_to_the_system() -> None:
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


def test_code_that_ran_once_is_given_back_and_runs_again_as_before() -> None:
    result = subprocess.run([sys.executable, "-c", CODE_SCRIPT], capture_output=True, text=True, check=True)
    freed, same = result.stdout.split()
    assert int(freed) > 5_000_000
    assert same == "True"


def bound(*held: int) -> tuple[MemoryBound, list[str]]:
    """A bound of 300 bytes over a process that holds these, one after the other, and what was done about it."""
    left, done = list(held), []
    return MemoryBound(300, lambda: left.pop(0), lambda: done.append("gave back")), done


def test_memory_up_to_the_bound_is_left_alone() -> None:
    memory, done = bound(300)
    assert memory.passed(0.0) is None
    assert done == []


def test_bound_is_passed_only_when_giving_back_does_not_help() -> None:
    memory, done = bound(301, 299, 301, 302)
    assert memory.passed(0.0) is None
    assert done == ["gave back"]
    assert memory.passed(5.0) == 302


def test_memory_is_looked_at_every_five_seconds() -> None:
    memory, _ = bound(301, 301, 1, 999)  # two looks of which the second would be too soon
    assert memory.passed(0.0) == 301
    assert memory.passed(4.9) is None
    assert memory.passed(5.0) is None


def test_memory_that_python_no_longer_needs_is_given_back_before_the_daemon_ends() -> None:
    script = """
from fer_edge.daemon.host import resident_bytes
from fer_edge.daemon.memory import MemoryBound
class Ring:
    def __init__(self):
        self.me, self.load = self, bytearray(b"x" * 50_000_000)
import gc; gc.disable()
bound = MemoryBound(resident_bytes() + 20_000_000)
Ring()
held = resident_bytes()
print(held > bound._limit_bytes, bound.passed(0.0))
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["True", "None"]
