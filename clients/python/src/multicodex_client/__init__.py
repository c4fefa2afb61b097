"""Talk to the multicodex sidecar from asyncio: `Multicodex` is the client, `types` has the shapes."""

from . import types
from ._binary import find_binary
from .client import Multicodex
from .errors import BinaryNotFoundError, CompletionError, MulticodexError, RequestError, SidecarGoneError

__all__ = [
    "BinaryNotFoundError",
    "CompletionError",
    "Multicodex",
    "MulticodexError",
    "RequestError",
    "SidecarGoneError",
    "find_binary",
    "types",
]
