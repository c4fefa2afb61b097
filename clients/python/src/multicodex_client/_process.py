"""A child process that writes lines: each line, and how the process ended."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, cast

from ._lines import Lines
from .errors import SidecarGoneError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

LOG = logging.getLogger("multicodex_client")

_STDIN, _STDOUT = 0, 1
_STDERR_LINES = 20
# How long to read on after the end, because a browser that the sidecar opened may hold its pipes.
_GRACE = 0.5


class LineProcess(asyncio.SubprocessProtocol):
    """Calls `line` with each line of stdout, and `ended` with the exit code."""

    def __init__(self, line: Callable[[bytes], None], ended: Callable[[int], None]) -> None:
        self._line = line
        self._tell_end = ended
        self._out, self._err = Lines(), Lines()
        self._logged: deque[str] = deque(maxlen=_STDERR_LINES)
        self._open_pipes = 2
        self._exit_code: int | None = None
        self._told = False
        self._writable = asyncio.Event()
        self._writable.set()
        self.ended = asyncio.Event()

    async def spawn(self, command: Sequence[str], env: Mapping[str, str] | None) -> None:
        """Start the process."""
        env = None if env is None else dict(env)
        try:
            await asyncio.get_running_loop().subprocess_exec(lambda: self, *command, env=env)
        except OSError as error:
            raise SidecarGoneError(f"the multicodex sidecar cannot be started: {error}") from error

    @property
    def stderr(self) -> str:
        """The last lines of stderr."""
        return "\n".join(self._logged)

    def write(self, data: bytes) -> None:
        """Write; keeps in memory what the pipe does not take yet."""
        self._stdin.write(data)

    async def flush(self) -> None:
        """Wait until the pipe takes more or is closed."""
        await self._writable.wait()

    def close_stdin(self) -> None:
        """Close the input of the process."""
        self._stdin.close()

    def kill(self) -> None:
        """End the process by force."""
        if self._exit_code is None:
            self._transport.kill()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.SubprocessTransport", transport)
        self._stdin = cast("asyncio.WriteTransport", self._transport.get_pipe_transport(_STDIN))

    def pause_writing(self) -> None:
        """Let writers wait."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Let writers go on."""
        self._writable.set()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Take data that the process wrote."""
        if fd == _STDOUT:
            for line in self._out.feed(data):
                self._line(line)
            return
        for line in self._err.feed(data):
            text = line.decode(errors="replace")
            self._logged.append(text)
            LOG.debug("sidecar: %s", text)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """Record the end of a pipe."""
        if fd == _STDIN:
            self._writable.set()
            return
        self._open_pipes -= 1
        if self._open_pipes == 0 and self._exit_code is not None:
            self._end()

    def process_exited(self) -> None:
        """Record the end of the process. Its last lines may still be in the pipes."""
        code = self._transport.get_returncode()
        self._exit_code = -1 if code is None else code
        if self._open_pipes == 0:
            self._end()
        else:
            asyncio.get_running_loop().call_later(_GRACE, self._end)

    def _end(self) -> None:
        if self._told or self._exit_code is None:
            return
        self._told = True
        self._writable.set()
        self._transport.close()
        self._tell_end(self._exit_code)
        self.ended.set()
