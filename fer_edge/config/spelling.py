"""What a word that is not known was probably meant to be."""

import difflib
from collections.abc import Sequence


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """The end of a sentence about the unknown ``word``: `, did you mean width?`, or all that there is."""
    close = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return f", did you mean {close[0]}?" if close else f"; there are {', '.join(known)}"
