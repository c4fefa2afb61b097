"""The real sidecar and the simulated ChatGPT, a fresh pair for each test."""

from __future__ import annotations

import asyncio
import inspect
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

BUILT = Path(__file__).resolve().parents[3] / "target" / "debug" / "multicodex"


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run tests that are coroutines, with a deadline instead of a hang."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    asyncio.run(asyncio.wait_for(pyfuncitem.obj(**arguments), 120))
    return True


@pytest.fixture(scope="session")
def binary() -> str:
    """Where the binary under test is."""
    named = os.environ.get("MULTICODEX_BIN") or (str(BUILT) if BUILT.exists() else shutil.which("multicodex"))
    if named is None and not os.environ.get("CI"):
        pytest.skip("there is no multicodex binary: run `cargo build`, or set MULTICODEX_BIN")
    assert named is not None, "there is no multicodex binary"
    return named


@pytest.fixture
def simulator(binary: str, tmp_path: Path) -> Iterator[Simulator]:
    """Three accounts, ada, bob and cleo, that nothing is wrong with."""
    with Simulator(binary, tmp_path / "agent") as running:
        yield running
