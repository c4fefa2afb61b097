"""`multicodex simulate`, and what can be done to it while it runs."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import urllib.request
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LIMIT = "usage_limit"
HANG = "hang"
# A first word, and then nothing for as long as anyone waits.
SLOW = {"stream": {"spoken": {"deltas": {"count": 1000, "size": 4}}, "pace": {"first_ms": 0, "each_ms": 200}}}


def said(*events: str) -> dict[str, Any]:
    """Return a behaviour: these events, byte for byte."""
    return {"stream": {"spoken": {"events": list(events)}}}


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what another process does; the deadline is the test's own."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


class Simulator:
    """The simulated upstream in a process of its own."""

    def __init__(self, binary: str, agent_dir: Path) -> None:
        self._process = subprocess.Popen(
            [binary, "simulate", "--agent-dir", str(agent_dir)], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        told = dict(self._process.stdout.readline().strip().split("=", 1) for _ in range(4))
        self.env = {**os.environ, **told, "CODEX_HOME": str(agent_dir / "codex"), "MULTICODEX_BIN": binary}
        self._url = told["MULTICODEX_UPSTREAM_URL"].removesuffix("/backend-api")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def behave(
        self, behaviour: object, *, account: str | None = None, when: object = "always", route: str = "responses"
    ) -> None:
        """Set what happens to the requests that fit."""
        self._ask("behaviour", {"account": account, "when": when, "route": route, "behaviour": behaviour})

    def visit(self, account: str) -> None:
        """Have this account signed in where a browser gets to."""
        self._ask("visitor", {"account": account})

    def requests(self, route: str = "responses") -> list[dict[str, Any]]:
        """Return what was asked so far."""
        return [request for request in self._ask("log") if request["route"] == route]

    async def until_ended(self, end: str) -> None:
        """Wait until the first completion's answer has ended this way."""
        await until(lambda: [request["end"] for request in self.requests()[:1]] == [end])

    def _ask(self, what: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"{self._url}/__sim/{what}", data) as answer:
            return json.load(answer)
