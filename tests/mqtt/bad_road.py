"""A bad network: packets between this machine and a network namespace are delayed, and some are lost.

What `tc netem` does, in user space: two TUN devices, one of them moved into the namespace, and a thread that carries
packets between them. So it works where the kernel has no netem (many small ones do not), and its dice are seeded.
"""

import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import threading
import time
from typing import Self

HERE, THERE = "10.213.77.1", "10.213.77.2"
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000  # <linux/if_tun.h>
MAX_PACKET_BYTES = 65536


class BadRoad:
    """`with` builds and removes it. ``delay_s`` is for each direction, ``loss`` of 0 to 1 for each packet.

    Raises:
        OSError, CalledProcessError: this machine does not allow it; needs root and /dev/net/tun.
    """

    def __init__(self, delay_s: float, loss: float, seed: int) -> None:
        self.namespace = f"fer-edge-{os.getpid()}"
        self.carried = self.lost = 0
        self._delay_s, self._loss = delay_s, loss
        self._dice = random.Random(seed)
        self._ends: list[int] = []
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._carry, daemon=True)

    def __enter__(self) -> Self:
        _ip("netns", "add", self.namespace)
        try:
            here, there = (_tun(f"fer{os.getpid() % 100000}{side}", self._ends) for side in "ab")
            _ip("addr", "add", HERE, "peer", THERE, "dev", here)
            _ip("link", "set", here, "up")
            _ip("link", "set", there, "netns", self.namespace)
            inside = ("-n", self.namespace)
            _ip(*inside, "addr", "add", THERE, "peer", HERE, "dev", there)
            _ip(*inside, "link", "set", there, "up")
        except BaseException:
            self.__exit__()
            raise
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join()
        for end in self._ends:
            os.close(end)  # the device goes with it
        _ip("netns", "del", self.namespace)

    def _carry(self) -> None:
        under_way: list[tuple[float, int, int, bytes]] = []
        count = 0
        one, other = self._ends
        while not self._ending.is_set():
            now = time.monotonic()
            while under_way and under_way[0][0] <= now:
                _, _, end, packet = heapq.heappop(under_way)
                os.write(end, packet)
            wait_s = min(0.1, under_way[0][0] - now) if under_way else 0.1
            for end in select.select(self._ends, [], [], wait_s)[0]:
                packet = os.read(end, MAX_PACKET_BYTES)
                if self._dice.random() < self._loss:
                    self.lost += 1
                    continue
                count += 1
                self.carried += 1
                heapq.heappush(
                    under_way, (time.monotonic() + self._delay_s, count, other if end == one else one, packet)
                )


def _tun(name: str, ends: list[int]) -> str:
    """Make a TUN device; its file descriptor goes to ``ends``."""
    ends.append(os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
    fcntl.ioctl(ends[-1], TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return name


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
