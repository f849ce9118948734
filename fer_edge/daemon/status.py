"""Status line of the daemon, as `systemctl status` shows it, and its parser. Pure.

camera ok: running | broker not ok: connection refused; next attempt in 4 s | frames ok: 14.9 fps, 1 face in view
"""

from dataclasses import dataclass

from fer_edge.terminal import escaped

SEPARATOR = " | "
OK, NOT_OK = " ok: ", " not ok: "
RATE_WINDOW_S = 5.0


@dataclass(frozen=True, slots=True)
class StatusPart:
    """State of one part of the daemon."""

    name: str  # one word
    ok: bool
    text: str  # state, or what is wrong


def status_line(parts: list[StatusPart]) -> str:
    """Return the parts in one line."""
    return SEPARATOR.join(
        part.name + (OK if part.ok else NOT_OK) + escaped(" ".join(part.text.replace("|", "/").split()))
        for part in parts
    )


def status_parts(line: str) -> list[StatusPart]:
    """Return the parts of a `status_line`; text of another form is left out."""
    parts = []
    for text in line.split(SEPARATOR):
        for word, ok in ((NOT_OK, False), (OK, True)):
            name, found, rest = text.partition(word)
            if found and name.isalpha():
                parts.append(StatusPart(name, ok, rest))
                break
    return parts


class FrameStatus:
    """Count and rate of processed frames. Not thread-safe."""

    def __init__(self, now: float) -> None:
        self._began, self._count = now, 0
        self.any = False
        """True after the first frame."""
        self.faces = 0
        """Faces in the latest frame."""
        self.rate_hz: float | None = None
        """Frames per second of the last whole window; None before its end."""

    def count(self, faces: int) -> None:
        """Count a frame with that many faces."""
        self._count += 1
        self.any, self.faces = True, faces

    def update(self, now: float) -> None:
        """Close the window where it is over at ``now``, monotonic seconds."""
        if now - self._began >= RATE_WINDOW_S:
            self.rate_hz = self._count / (now - self._began)
            self._began, self._count = now, 0
