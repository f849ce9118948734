"""Bad rows of a data file, collected so that a user sees them together and not one a run."""

from converter.data.faces import DataError

SHOWN = 10  # lines; what follows in a broken file is mostly the same again


class Mistakes:
    """The bad rows of one file. Not thread-safe; the reader owns it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lines: list[str] = []
        self._count = 0

    def add(self, line: int | None, what: str) -> None:
        """Note one mistake in ``line`` (counted from 1 as editors do), or in the file as a whole."""
        self._count += 1
        if len(self._lines) < SHOWN:
            self._lines.append(f"{self._name}: {what}" if line is None else f"{self._name}:{line}: {what}")

    def complain(self) -> None:
        """Raise DataError with one line a mistake and a count of those beyond the first ten; silent without any."""
        if not self._count:
            return
        more = self._count - len(self._lines)
        raise DataError("\n".join([*self._lines, *([f"{self._name}: and {more:,} more bad rows"] if more else [])]))
