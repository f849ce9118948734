import subprocess
import sys

# A heap with a hole: large blocks freed below a small one that keeps the top of the heap where it is.
SCRIPT = """
import ctypes
from fer_edge.operate.device import resident_bytes
from fer_edge.operate.memory import release_unused
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
