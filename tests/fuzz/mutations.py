"""Damage to valid inputs: flipped bits, cuts, splices, repeats, and what has broken parsers before. Seeded."""

import random
import re
from collections.abc import Sequence

MAX_BYTES = 200_000  # of a mutated part; the readers' own bounds are tested by their own tests
MAX_MUTATIONS = 4

# What has broken a reader somewhere: texts that are none, numbers beyond every type, depth, tags, names of the system.
TOKENS = (
    b"\xe9",  # Latin-1
    b"\xff\xfe",
    b"\xef\xbb\xbf",  # U+FEFF
    b"\xed\xa0\x80",  # a surrogate as if it were a character
    b"\\ud800",
    b"\\udc00",
    b"\\u0000",
    b"\xc0\x80",
    b"\xf4\x90\x80\x80",
    "\N{LINE SEPARATOR}".encode(),
    "\N{RIGHT-TO-LEFT OVERRIDE}".encode(),
    b"\0",
    b"\x1b[2J",
    b"\n",
    b"\r\n\r\n",
    b"9" * 5000,
    b"0x" + b"f" * 5000,
    b"-1",
    b"1e999",
    b"-1e-999",
    b"NaN",
    b"-Infinity",
    b".inf",
    b"18446744073709551616",
    b"2147483648",
    b"null",
    b"true",
    b'""',
    b"[]",
    b"{}",
    b"[" * 3000,
    b'{"a":' * 3000,
    b"- " * 3000,
    b"!!bool x",
    b'!!int ""',
    b"!!timestamp x",
    b"!!python/object/apply:os.abort []",
    b"!!binary x",
    b"!secret x",
    b"&a [*a]",
    b"*a",
    b"<<: 1",
    b"? ",
    b'"\\0"',
    b"---\n",
    b"%YAML 9.9\n",
    b"/dev/zero",
    b"../" * 40,
    b"${HOME}",
    b"a" * 70_000,
    b"rtsp://joe:correct horse@h/p=\xe9",
    b"http://[::1",
    b"+",
    b"#",
    b"$SYS/x",
)
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
NUMBERS = (b"0", b"-0.0", b"-1", b"1e308", b"1e999", b"9" * 400, b"9" * 5000, b"0.5", b"256", b"65536", b"4294967296")


def mutated(rng: random.Random, examples: Sequence[bytes], words: Sequence[bytes] = ()) -> bytes:
    """One of ``examples`` with one to MAX_MUTATIONS mutations; ``words`` are tokens of that input's own language."""
    data = rng.choice(examples)
    for _ in range(rng.randint(1, MAX_MUTATIONS)):
        data = rng.choice(MUTATIONS)(rng, data, rng.choice(examples), words)[:MAX_BYTES]
    return data


def _flip(rng: random.Random, data: bytes, _other: bytes, _words: Sequence[bytes]) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _cut(rng: random.Random, data: bytes, _other: bytes, _words: Sequence[bytes]) -> bytes:
    begin, end = _range(rng, data)
    return rng.choice((data[:begin], data[end:], data[:begin] + data[end:]))


def _splice(rng: random.Random, data: bytes, other: bytes, _words: Sequence[bytes]) -> bytes:
    begin, end = _range(rng, other)
    at = rng.randint(0, len(data))
    return data[:at] + other[begin:end] + data[at:]


def _repeat(rng: random.Random, data: bytes, _other: bytes, _words: Sequence[bytes]) -> bytes:
    begin, end = _range(rng, data)
    return data[:begin] + data[begin:end] * rng.choice((2, 3, 50)) + data[end:]


def _swap_lines(rng: random.Random, data: bytes, _other: bytes, _words: Sequence[bytes]) -> bytes:
    lines = data.splitlines(keepends=True)
    rng.shuffle(lines)
    return b"".join(lines)


def _insert(rng: random.Random, data: bytes, _other: bytes, words: Sequence[bytes]) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + rng.choice((*TOKENS, *words)) + data[at:]


def _replace_value(rng: random.Random, data: bytes, _other: bytes, words: Sequence[bytes]) -> bytes:
    """Put a token in the place of a word or a quoted text."""
    found = list(re.finditer(rb'"[^"\n]*"|[\w./-]+', data))
    if not found:
        return data
    one = rng.choice(found)
    token = rng.choice((*TOKENS, *words))
    if rng.random() < 0.5:
        token = b'"' + token + b'"'
    return data[: one.start()] + token + data[one.end() :]


def _replace_number(rng: random.Random, data: bytes, _other: bytes, _words: Sequence[bytes]) -> bytes:
    found = list(NUMBER.finditer(data))
    if not found:
        return data
    one = rng.choice(found)
    return data[: one.start()] + rng.choice(NUMBERS) + data[one.end() :]


def _overwrite(rng: random.Random, data: bytes, _other: bytes, _words: Sequence[bytes]) -> bytes:
    """Put random bytes, or those of a length field at its limits, over some."""
    at = rng.randint(0, len(data))
    new = rng.choice(
        (rng.randbytes(rng.randint(1, 8)), b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\x80\0")
    )
    return data[:at] + new + data[at + len(new) :]


def _range(rng: random.Random, data: bytes) -> tuple[int, int]:
    one, other = rng.randint(0, len(data)), rng.randint(0, len(data))
    return min(one, other), max(one, other)


MUTATIONS = (
    _flip,
    _cut,
    _splice,
    _repeat,
    _swap_lines,
    _insert,
    _insert,
    _replace_value,
    _replace_value,
    _replace_number,
    _overwrite,
)
