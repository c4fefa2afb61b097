"""The exceptions: no binary, a sidecar that ended, or an error as the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from .types import ErrorData, Failed


class MulticodexError(Exception):
    """The base of every exception of this package."""


class BinaryNotFoundError(MulticodexError):
    """There is no sidecar to start. The message says where it was looked for and how to install it."""


class SidecarGoneError(MulticodexError):
    """The sidecar ended, or was closed, while something waited for it. The next request starts a new one."""

    def __init__(self, message: str, *, exit_code: int | None = None, stderr: str = "") -> None:
        """`stderr` holds the last lines that the sidecar logged."""
        super().__init__(f"{message}\n{stderr}" if stderr else message)
        self.exit_code = exit_code
        self.stderr = stderr


class CompletionError(MulticodexError):
    """A completion failed. `failed["status"]` and `failed["body"]` are upstream's own last answer."""

    def __init__(self, failed: Failed) -> None:
        """Take the notice's `error`."""
        super().__init__(failed["message"])
        self.failed = failed


class RequestError(MulticodexError):
    """The sidecar answered a request with an error."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        """Take the members of a JSON-RPC error."""
        super().__init__(message)
        self.code = code
        self.data = cast("ErrorData | None", data if isinstance(data, dict) else None)

    @property
    def kind(self) -> str:
        """The stable name of the error; `schema/protocol.md` lists them."""
        return self.data["kind"] if self.data else "internal"

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later, although nothing was changed."""
        return self.data["retryable"] if self.data else False

    @property
    def hint(self) -> str | None:
        """What to do next, if the sidecar knows it."""
        return self.data.get("hint") if self.data else None
