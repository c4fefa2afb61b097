"""Framing: one JSON text per line, and the place of a member in it."""

from __future__ import annotations

import json
import re

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")


class Lines:
    """Splits a stream of bytes at LF, and at nothing else: a JSON text may hold U+2028 and the like."""

    def __init__(self) -> None:
        self._head: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the lines that `chunk` completes. A line that takes many chunks is joined once."""
        first, *others = chunk.split(b"\n")
        self._head.append(first)
        if not others:
            return []
        *whole, rest = [b"".join(self._head), *others]
        self._head = [rest]
        return [line for line in whole if line.strip()]


def member(text: str, path: tuple[str, ...]) -> str:
    """Return the text of a member of a member of an object, as it stands there.

    Raises KeyError when there is none.
    """
    at = 0
    for name in path:
        at = _value_of(text, at, name)
    return text[at : _DECODER.raw_decode(text, at)[1]]


def _value_of(text: str, at: int, wanted: str) -> int:
    at = _skip_space(text, _skip_space(text, at) + 1)
    while text[at] == '"':
        name, at = _DECODER.raw_decode(text, at)
        at = _skip_space(text, _skip_space(text, at) + 1)
        if name == wanted:
            return at
        _, at = _DECODER.raw_decode(text, at)
        at = _skip_space(text, at)
        if text[at] == ",":
            at = _skip_space(text, at + 1)
    raise KeyError(wanted)


def _skip_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at
