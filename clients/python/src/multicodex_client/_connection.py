"""One sidecar process: its pipes, the requests in flight, the completions under way."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from ._process import LineProcess
from .errors import CompletionError, MulticodexError, RequestError, SidecarGoneError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from . import types

LOG = logging.getLogger("multicodex_client")

# The sidecar ends within two seconds of being asked to; more is for a busy machine.
_PATIENCE = 5.0


@dataclass(frozen=True)
class End:
    """How the sidecar ended."""

    how: str
    exit_code: int
    stderr: str

    def error(self) -> SidecarGoneError:
        """Return the exception for everything that waited."""
        return SidecarGoneError(f"the multicodex sidecar {self.how}", exit_code=self.exit_code, stderr=self.stderr)


class Subscription:
    """A completion under way: its notices in order, each with the text it came in, up to the one that ends it.

    Notices that are not read yet are kept because a pipe that is not read would stop the answers to requests, too.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._id: str | None = None
        self._waiting: deque[tuple[types.Notice, str] | MulticodexError] = deque()
        self._news = asyncio.Event()
        self._over = False
        self.request_id = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[types.Notice, str]:
        while not self._waiting:
            if self._over:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        news = self._waiting.popleft()
        if isinstance(news, MulticodexError):
            raise news
        notice, _ = news
        if notice["type"] == "error":
            raise CompletionError(notice["error"])
        return news

    def cancel(self) -> None:
        """Abort the completion, unless it has ended. Does not wait."""
        if self._over:
            return
        self._over = True
        if self._id is None:
            self._connection.cancel(self.request_id)
        else:
            self._connection.unsubscribe(self._id)

    def answered(self, answer: Any) -> None:
        """Take the answer to the request `complete`: the subscription's id, or an error."""
        if isinstance(answer, MulticodexError):
            self.notified(answer, last=True)
            return
        self._id = answer
        if self._over:
            # The answer crossed the cancellation of the request.
            self._connection.unsubscribe(answer)
        else:
            self._connection.subscribed(answer, self)

    def notified(self, news: tuple[types.Notice, str] | MulticodexError, *, last: bool) -> None:
        """Take a notice, or the error that replaces it."""
        self._over = self._over or last
        self._waiting.append(news)
        self._news.set()


class Connection:
    """The connection to one process. Each line is handled as it is read, before the next one."""

    def __init__(self, notified: Callable[[str, Any], None], gone: Callable[[Connection], None]) -> None:
        self._notified = notified
        self._gone = gone
        self._process = LineProcess(self._received, self._ended)
        self._ids = itertools.count(1)
        self._pending: dict[int, Callable[[Any], None]] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._closing = False
        self._trouble = ""
        self.end: End | None = None

    @classmethod
    async def open(
        cls,
        command: Sequence[str],
        env: Mapping[str, str] | None,
        notified: Callable[[str, Any], None],
        gone: Callable[[Connection], None],
    ) -> Connection:
        """Start a sidecar."""
        connection = cls(notified, gone)
        await connection._process.spawn(command, env)
        return connection

    async def request(self, method: str, params: Mapping[str, object] | None) -> Any:
        """Send a request and wait for its answer. Cancelling the wait cancels the request."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def answered(result: Any) -> None:
            if answer.done():
                return
            if isinstance(result, MulticodexError):
                answer.set_exception(result)
            else:
                answer.set_result(result)

        request_id = self._send_request(method, params, answered)
        try:
            await self._process.flush()
            return await answer
        except asyncio.CancelledError:
            answer.cancel()
            self.cancel(request_id)
            raise

    async def subscribe(self, params: Mapping[str, object]) -> Subscription:
        """Begin a completion."""
        subscription = Subscription(self)
        subscription.request_id = self._send_request("complete", params, subscription.answered)
        try:
            await self._process.flush()
        except asyncio.CancelledError:
            subscription.cancel()
            raise
        return subscription

    def subscribed(self, name: str, subscription: Subscription) -> None:
        """Send the notices of this completion to `subscription` from now on."""
        self._subscriptions[name] = subscription

    def unsubscribe(self, name: str) -> None:
        """End a completion whose notices are no longer wanted."""
        self._subscriptions.pop(name, None)
        if self.end is None:
            self._send_request("complete/cancel", {"subscription": name}, lambda _: None)

    def cancel(self, request_id: int) -> None:
        """Cancel a request whose answer is no longer wanted."""
        if request_id in self._pending:
            self._send({"method": "$/cancelRequest", "params": {"id": request_id}})

    async def close(self) -> None:
        """End the sidecar with `shutdown` and `exit`; kill it when it does not end."""
        self._closing = True
        try:
            async with asyncio.timeout(_PATIENCE):
                with contextlib.suppress(MulticodexError):
                    await self.request("shutdown", None)
                    self._send({"method": "exit"})
                self._process.close_stdin()
                await self._process.ended.wait()
        except TimeoutError:
            LOG.warning("the multicodex sidecar does not end by itself and is killed")
        finally:
            # Also when the closing itself is cancelled: no process is left behind.
            self._process.kill()
            await self._process.ended.wait()

    def _send_request(self, method: str, params: Mapping[str, object] | None, answered: Callable[[Any], None]) -> int:
        if self.end is not None:
            raise self.end.error()
        request_id = next(self._ids)
        message = {"id": request_id, "method": method}
        self._send(message if params is None else {**message, "params": params})
        self._pending[request_id] = answered
        return request_id

    def _send(self, message: Mapping[str, object]) -> None:
        text = json.dumps({"jsonrpc": "2.0", **message}, separators=(",", ":"), allow_nan=False)
        self._process.write(text.encode() + b"\n")

    def _received(self, line: bytes) -> None:
        if self._trouble:
            return
        try:
            self._understood(line.decode())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._trouble = f", because it wrote something that is not its protocol: {error!r}"
            self._process.kill()

    def _understood(self, text: str) -> None:
        message = json.loads(text)
        method = message.get("method")
        if method == "complete":
            self._notice(message["params"], text)
        elif method is not None:
            self._notified(method, message.get("params"))
        elif (answered := self._pending.pop(message["id"], None)) is not None:
            error = message.get("error")
            answered(
                message["result"] if error is None else RequestError(error["code"], error["message"], error.get("data"))
            )

    def _notice(self, params: Any, text: str) -> None:
        name, notice = params["subscription"], params["result"]
        last = notice["type"] in {"done", "error", "cancelled"}
        subscription = self._subscriptions.pop(name, None) if last else self._subscriptions.get(name)
        if subscription is not None:
            subscription.notified((notice, text), last=last)

    def _ended(self, exit_code: int) -> None:
        how = "was closed" if self._closing else f"ended unexpectedly ({_how(exit_code)}{self._trouble})"
        self.end = End(how, exit_code, "" if self._closing else self._process.stderr)
        pending, subscriptions = list(self._pending.values()), list(self._subscriptions.values())
        self._pending.clear()
        self._subscriptions.clear()
        for answered in pending:
            answered(self.end.error())
        for subscription in subscriptions:
            subscription.notified(self.end.error(), last=True)
        if not self._closing:
            self._gone(self)


def _how(exit_code: int) -> str:
    return f"killed by signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
