"""The client: one sidecar, started with the first request and started again when it ends unexpectedly."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, Any, Self, cast

from ._binary import find_binary
from ._connection import Connection
from ._lines import member
from ._methods import Methods
from .errors import MulticodexError, SidecarGoneError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
    from types import TracebackType

    from . import types

LOG = logging.getLogger("multicodex_client")

PROTOCOL_VERSION = 1
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 10.0
# Longer than the slowest machine needs. A program that does not answer by then is not a sidecar.
_HANDSHAKE = 30.0
# A sidecar that lived this long did not fail at its start.
_SETTLED = 30.0
# After so many early ends in a row, only a request starts another process.
_TRIES = 5


class Multicodex(Methods):
    """A sidecar and its methods.

    ::

        async with Multicodex("my-tool", version="1.0") as multicodex:
            for account in (await multicodex.accounts())["accounts"]:
                print(account["label"], account["state"])

    `name` is sent upstream as the name of the client. When the sidecar ends unexpectedly, everything that waits fails
    with `SidecarGoneError`, and another process is started after a pause.
    """

    def __init__(
        self,
        name: str,
        *,
        version: str | None = None,
        binary: str | os.PathLike[str] | None = None,
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        opt_out_notifications: Sequence[str] = (),
    ) -> None:
        """Start nothing yet.

        `binary`: else MULTICODEX_BIN, else `multicodex` on PATH. `args`: further flags of `multicodex serve`.
        `env`: the whole environment of the sidecar in place of this process's.
        """
        self._binary = binary
        self._args = list(args)
        self._env = env
        self._handshake: types.InitializeParams = {
            "client": {"name": name} if version is None else {"name": name, "version": version},
            "protocolVersion": PROTOCOL_VERSION,
            "optOutNotifications": list(opt_out_notifications),
        }
        self._handlers: dict[str, list[Callable[[Any], object]]] = {}
        self._connection: Connection | None = None
        self._starting: asyncio.Task[Connection] | None = None
        self._failures = 0
        self._started_at = 0.0
        self._closed = False
        self._server: types.InitializeResult | None = None

    async def __aenter__(self) -> Self:
        """Start the sidecar, so that a failure is known at once."""
        await self._connected()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the sidecar."""
        await self.aclose()

    @property
    def server(self) -> types.InitializeResult | None:
        """The answer to the latest `initialize`."""
        return self._server

    async def request(self, method: str, params: Mapping[str, object] | None = None) -> Any:
        """Send any request and return its result.

        Cancelling the task cancels the request. Raises `RequestError` for an error, `SidecarGoneError` when the
        sidecar ends meanwhile.
        """
        return await (await self._connected()).request(method, params)

    async def complete(self, params: types.CompleteParams) -> AsyncGenerator[types.Notice, None]:
        """Stream a completion: `rotated` for each account that could not answer, `accepted`, each `event`, `done`.

        Raises `CompletionError` when it fails, `RequestError` for wrong params.
        The completion is cancelled when the task is cancelled or the iterator is closed. After a `break` the iterator
        is closed only when it is collected, so write `async with aclosing(multicodex.complete(…)) as notices:`.
        """
        subscription = await (await self._connected()).subscribe(params)
        try:
            async for notice, _ in subscription:
                yield notice
        finally:
            subscription.cancel()

    async def complete_raw(self, params: types.CompleteParams) -> AsyncGenerator[tuple[types.Notice, str | None], None]:
        """Stream a completion as `complete` does, with the JSON text of each event as upstream wrote it.

        The text keeps number spelling, key order and duplicate keys, which `json.loads` loses.
        """
        subscription = await (await self._connected()).subscribe(params)
        try:
            async for notice, text in subscription:
                yield notice, member(text, ("params", "result", "event")) if notice["type"] == "event" else None
        finally:
            subscription.cancel()

    def on(self, notification: str, handler: Callable[[Any], object]) -> Callable[[], None]:
        """Call `handler` with the params of each such notification. Return a function that ends this."""
        handlers = self._handlers.setdefault(notification, [])
        handlers.append(handler)

        def end() -> None:
            if handler in handlers:
                handlers.remove(handler)

        return end

    async def aclose(self) -> None:
        """End the sidecar. Completions are cancelled; everything that waits fails with `SidecarGoneError`."""
        self._closed = True
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait({self._starting})
        if self._connection is not None:
            await self._connection.close()

    async def _connected(self) -> Connection:
        if self._closed:
            raise SidecarGoneError("this client of the multicodex sidecar was closed")
        if self._connection is not None and self._connection.end is None:
            return self._connection
        starting = self._start()
        try:
            # One start serves all that wait; one that stops waiting does not stop it.
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if starting.cancelled() and (task is None or not task.cancelling()):
                raise SidecarGoneError("the multicodex sidecar was closed while it started") from None
            raise

    def _start(self) -> asyncio.Task[Connection]:
        if self._starting is None or self._starting.done():
            self._starting = asyncio.create_task(self._open())
            self._starting.add_done_callback(_seen)
        return self._starting

    async def _open(self) -> Connection:
        command = [find_binary(self._binary, os.environ if self._env is None else self._env), "serve", *self._args]
        if self._failures > 0:
            await asyncio.sleep(min(_FIRST_PAUSE * 2 ** (self._failures - 1), _LONGEST_PAUSE))
        self._failures += 1
        self._started_at = asyncio.get_running_loop().time()
        connection = await Connection.open(command, self._env, self._notify, self._revive)
        try:
            async with asyncio.timeout(_HANDSHAKE):
                server = cast("types.InitializeResult", await connection.request("initialize", self._handshake))
        except TimeoutError:
            await connection.close()
            raise SidecarGoneError(f"{command[0]} does not answer as a multicodex sidecar does") from None
        except BaseException:
            await connection.close()
            raise
        if server["protocolVersion"] < PROTOCOL_VERSION:
            await connection.close()
            raise SidecarGoneError(_too_old(command[0], server))
        self._server = server
        self._connection = connection
        return connection

    def _revive(self, connection: Connection) -> None:
        """Start again without a request, so that notifications go on."""
        if connection is not self._connection or self._closed:
            return
        LOG.warning("%s", connection.end.error() if connection.end else "")
        if asyncio.get_running_loop().time() - self._started_at >= _SETTLED:
            self._failures = 1
        if self._failures < _TRIES:
            self._start().add_done_callback(_log_failure)
        else:
            LOG.error("the multicodex sidecar ended %d times in a row; it is started again for a request", _TRIES)

    def _notify(self, notification: str, params: Any) -> None:
        handlers = list(self._handlers.get(notification, ()))
        if not handlers and notification == "warning":
            LOG.warning("%s", params["message"])
        for handler in handlers:
            try:
                handler(params)
            except Exception:
                LOG.exception("a handler of %s failed", notification)


def _too_old(binary: str, server: types.InitializeResult) -> str:
    version, protocol = server["server"]["version"], server["protocolVersion"]
    found = f"{binary} is multicodex {version} with version {protocol} of the protocol"
    return f"{found}; this client needs version {PROTOCOL_VERSION}. Install a newer multicodex"


def _seen(starting: asyncio.Task[Connection]) -> None:
    """Read the exception, because asyncio warns when all that waited for it have stopped waiting."""
    if not starting.cancelled():
        starting.exception()


def _log_failure(starting: asyncio.Task[Connection]) -> None:
    if not starting.cancelled() and isinstance(error := starting.exception(), MulticodexError):
        LOG.warning("the multicodex sidecar was not started again: %s", error)
