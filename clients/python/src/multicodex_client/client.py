"""The client: one sidecar, started when it is needed and started again when it dies."""

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
# Longer than the slowest machine takes; what does not answer by then is no sidecar.
_HANDSHAKE = 30.0
# A sidecar that lived this long did not fail at its start.
_SETTLED = 30.0
# So many in a row that ended early, and only a request starts another.
_TRIES = 5


class Multicodex(Methods):
    """A sidecar and what can be asked of it.

    ::

        async with Multicodex("my-tool", version="1.0") as multicodex:
            for account in (await multicodex.accounts())["accounts"]:
                print(account["label"], account["state"])

    `name` is shown to upstream as the client that asks. A sidecar that dies fails what waits for it with
    `SidecarGoneError` and is started again after a pause.
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
        """Nothing is started yet.

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
        """Start the sidecar, so that what is wrong with it is known at once."""
        await self._connected()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the sidecar."""
        await self.aclose()

    @property
    def server(self) -> types.InitializeResult | None:
        """What the sidecar said of itself when it was started last."""
        return self._server

    async def request(self, method: str, params: Mapping[str, object] | None = None) -> Any:
        """Send any request and return its result.

        Cancelling the task cancels the request. Raises `RequestError` for an error, `SidecarGoneError` when the
        sidecar dies meanwhile.
        """
        return await (await self._connected()).request(method, params)

    async def complete(self, params: types.CompleteParams) -> AsyncGenerator[types.Notice, None]:
        """Stream a completion: `rotated` for each account that could not answer, `accepted`, each `event`, `done`.

        Raises `CompletionError` when it fails, `RequestError` for params that are wrong.
        The answer is aborted upstream when the task is cancelled and when the iterator is closed; after a `break`
        that is when it is garbage, so write `async with aclosing(multicodex.complete(…)) as notices:` to be sure.
        """
        subscription = await (await self._connected()).subscribe(params)
        try:
            async for notice, _ in subscription:
                yield notice
        finally:
            subscription.cancel()

    async def complete_raw(self, params: types.CompleteParams) -> AsyncGenerator[tuple[types.Notice, str | None], None]:
        """Stream a completion as `complete` does, and with each event its JSON text as upstream wrote it.

        Number spelling, key order and duplicate keys do not survive `json.loads`; the text has them.
        """
        subscription = await (await self._connected()).subscribe(params)
        try:
            async for notice, text in subscription:
                yield notice, member(text, ("params", "result", "event")) if notice["type"] == "event" else None
        finally:
            subscription.cancel()

    def on(self, notification: str, handler: Callable[[Any], object]) -> Callable[[], None]:
        """Call `handler` with the params of each such notification; what is returned ends that."""
        handlers = self._handlers.setdefault(notification, [])
        handlers.append(handler)

        def end() -> None:
            if handler in handlers:
                handlers.remove(handler)

        return end

    async def aclose(self) -> None:
        """End the sidecar. Completions under way are aborted, what waits fails with `SidecarGoneError`."""
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
            # One start for all who wait; whoever stops waiting does not stop it.
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
                self._server = cast("types.InitializeResult", await connection.request("initialize", self._handshake))
        except TimeoutError:
            await connection.close()
            raise SidecarGoneError(f"{command[0]} does not answer as a multicodex sidecar does") from None
        except BaseException:
            await connection.close()
            raise
        self._connection = connection
        return connection

    def _revive(self, connection: Connection) -> None:
        """Start again at once, so that notifications go on."""
        if connection is not self._connection or self._closed:
            return
        LOG.warning("%s", connection.end.error() if connection.end else "")
        if asyncio.get_running_loop().time() - self._started_at >= _SETTLED:
            self._failures = 1
        if self._failures < _TRIES:
            self._start().add_done_callback(_log_failure)

    def _notify(self, notification: str, params: Any) -> None:
        handlers = list(self._handlers.get(notification, ()))
        if not handlers and notification == "warning":
            LOG.warning("%s", params["message"])
        for handler in handlers:
            try:
                handler(params)
            except Exception:
                LOG.exception("a handler of %s failed", notification)


def _seen(starting: asyncio.Task[Connection]) -> None:
    """Those who waited for it may all have stopped waiting; asyncio is not to complain of that."""
    if not starting.cancelled():
        starting.exception()


def _log_failure(starting: asyncio.Task[Connection]) -> None:
    if not starting.cancelled() and isinstance(error := starting.exception(), MulticodexError):
        LOG.warning("the multicodex sidecar was not started again: %s", error)
