"""One line for people about how the daemon is, as `systemctl status` shows it, and the same line read back. Pure.

camera ok: running | broker not ok: connection refused; next attempt in 4 s | pictures ok: 14.9 a second, 1 face
"""

from dataclasses import dataclass

from fer_edge.terminal import escaped

SEPARATOR = " | "
OK, NOT_OK = " ok: ", " not ok: "
RATE_WINDOW_S = 5.0


@dataclass(frozen=True, slots=True)
class StatusPart:
    """One thing that must be well for the daemon to do its work."""

    name: str  # one word
    ok: bool
    text: str  # how it is, or what is wrong


def status_line(parts: list[StatusPart]) -> str:
    """The parts in one line."""
    return SEPARATOR.join(
        part.name + (OK if part.ok else NOT_OK) + escaped(" ".join(part.text.replace("|", "/").split()))
        for part in parts
    )


def status_parts(line: str) -> list[StatusPart]:
    """The parts that `status_line` made a line of; what is not one is left out."""
    parts = []
    for text in line.split(SEPARATOR):
        for word, ok in ((NOT_OK, False), (OK, True)):
            name, found, rest = text.partition(word)
            if found and name.isalpha():
                parts.append(StatusPart(name, ok, rest))
                break
    return parts


class FrameStatus:
    """Counts what the vision loop has looked at. Not thread-safe."""

    def __init__(self, now: float) -> None:
        self._began, self._count = now, 0
        self.any = False
        """Whether there was one since the start."""
        self.faces = 0
        """In the latest."""
        self.rate_hz: float | None = None
        """Pictures a second, of the last whole window; None before its end."""

    def looked_at(self, faces: int) -> None:
        """One more, with so many faces in it."""
        self._count += 1
        self.any, self.faces = True, faces

    def pass_time(self, now: float) -> None:
        """Closes the window where it is over at ``now``, monotonic seconds."""
        if now - self._began >= RATE_WINDOW_S:
            self.rate_hz = self._count / (now - self._began)
            self._began, self._count = now, 0
