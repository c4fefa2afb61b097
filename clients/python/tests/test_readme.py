"""The README's example, run as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from simulator import LIMIT

if TYPE_CHECKING:
    from simulator import Simulator

README = Path(__file__).resolve().parents[1] / "README.md"


def test_the_example_answers(simulator: Simulator) -> None:
    found = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    simulator.behave(LIMIT, when={"next": 1})
    run = subprocess.run(
        [sys.executable, "-c", found[1]], env=simulator.env, check=False, capture_output=True, text=True, timeout=60
    )
    assert run.stderr == ""
    lines = run.stdout.splitlines()
    assert lines[:3] == [f"{name}@example.com ready" for name in ("ada", "bob", "cleo")]
    assert lines[3].startswith("at its limit, asking the next account: ")
    assert "Why is the sky blue?" in lines[4]
