"""The pure parts, and that what is generated is up to date."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from multicodex_client._lines import Lines, member

HERE = Path(__file__).resolve().parent


def test_lines_end_at_lf_only() -> None:
    stream = '{"a":"\u2028\u0085\x0b"}\r\n\n{"b":1}\n{"c'.encode()
    for size in (1, 2, 3, 7, len(stream)):
        lines = Lines()
        found = [line for at in range(0, len(stream), size) for line in lines.feed(stream[at : at + size])]
        assert found == ['{"a":"\u2028\u0085\x0b"}\r'.encode(), b'{"b":1}'], size
        assert lines.feed(b'":2}\n') == [b'{"c":2}'], size


def test_the_text_of_a_member() -> None:
    event = '{"n":1.50e2, "s":"\\ud800,}"}'
    text = f'{{"params" : {{"x": [1, {{"event": 0}}], "result":{{ "type":"event","event": {event} }}}},"y":0}}'
    assert member(text, ("params", "result", "event")) == event
    assert member(text, ("y",)) == "0"
    with pytest.raises(KeyError):
        member(text, ("params", "event"))
    with pytest.raises(KeyError):
        member("{}", ("params",))


def test_what_is_generated_is_up_to_date() -> None:
    checked = subprocess.run(
        [sys.executable, str(HERE.parent / "generate.py"), "--check"], check=False, capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
