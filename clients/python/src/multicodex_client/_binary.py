"""Finds the binary of the sidecar."""

from __future__ import annotations

import os
import shutil
import sysconfig
from typing import TYPE_CHECKING

from .errors import BinaryNotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

HOW_TO_GET_IT = "Install it from a checkout of multicodex with `cargo install --locked --path .`"


def find_binary(binary: str | os.PathLike[str] | None = None, env: Mapping[str, str] = os.environ) -> str:
    """Return the first of: the option, `MULTICODEX_BIN`, the one installed beside this Python, `multicodex` on `PATH`.

    A program that is named explicitly and cannot be run is an error; nothing else is tried.
    """
    for named, by in ((binary, "the option `binary`"), (env.get("MULTICODEX_BIN"), "MULTICODEX_BIN")):
        if named:
            found = shutil.which(named, path=env.get("PATH"))
            if found is None:
                raise BinaryNotFoundError(f"{named}, named by {by}, is not a program that can be run. {HOW_TO_GET_IT}.")
            return found
    # An environment that is not activated is not on PATH.
    found = shutil.which("multicodex", path=sysconfig.get_path("scripts"))
    found = found or shutil.which("multicodex", path=env.get("PATH"))
    if found is None:
        raise BinaryNotFoundError(
            f"The multicodex sidecar is not installed beside this Python and not on PATH. {HOW_TO_GET_IT}, "
            "or name it: option `binary`, or MULTICODEX_BIN."
        )
    return found
