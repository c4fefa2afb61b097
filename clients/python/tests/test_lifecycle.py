"""The process: found, started, ended, and started again when it dies."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest

from multicodex_client import BinaryNotFoundError, Multicodex, SidecarGoneError, find_binary
from simulator import HANG, SLOW, Simulator, until
from test_completions import HELLO

if TYPE_CHECKING:
    from pathlib import Path

    from multicodex_client.types import AccountsChanged


def program(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


class Started:
    """A sidecar that leaves its process ids where they can be found."""

    def __init__(self, simulator: Simulator, directory: Path) -> None:
        self._file = directory / "pids"
        real = simulator.env["MULTICODEX_BIN"]
        self.binary = program(directory / "noted", f'echo $$ >> "{self._file}"\nexec "{real}" "$@"')

    def pids(self) -> list[int]:
        return [int(pid) for pid in self._file.read_text().split()]

    def kill(self) -> None:
        os.kill(self.pids()[-1], signal.SIGKILL)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_it_ends_with_the_client(simulator: Simulator, tmp_path: Path) -> None:
    started = Started(simulator, tmp_path)
    async with Multicodex("tests", env=simulator.env, binary=started.binary) as multicodex:
        await multicodex.paths()
    assert [is_running(pid) for pid in started.pids()] == [False]
    with pytest.raises(SidecarGoneError, match="was closed"):
        await multicodex.paths()


async def test_closing_ends_what_waits(simulator: Simulator) -> None:
    simulator.behave(HANG, route="usage")
    simulator.behave(SLOW)
    multicodex = Multicodex("tests", env=simulator.env)
    refresh = asyncio.create_task(multicodex.refresh())
    notices = multicodex.complete(HELLO)
    await anext(notices)
    await until(lambda: simulator.requests("usage") != [])
    await multicodex.aclose()
    with pytest.raises(SidecarGoneError, match="was closed"):
        async for _ in notices:
            pass
    assert (await asyncio.gather(refresh, return_exceptions=True))[0].__class__.__name__ in {
        "RequestError",
        "SidecarGoneError",
    }
    await simulator.until_ended("aborted")


async def test_a_death_is_one_clear_error_and_the_next_request_works(simulator: Simulator, tmp_path: Path) -> None:
    simulator.behave(SLOW, when={"next": 1})
    simulator.behave(HANG, route="usage")
    started = Started(simulator, tmp_path)
    async with Multicodex("tests", env=simulator.env, binary=started.binary) as multicodex:
        notices = multicodex.complete(HELLO)
        assert (await anext(notices))["type"] == "accepted"
        refresh = asyncio.create_task(multicodex.refresh())
        await until(lambda: simulator.requests("usage") != [])
        started.kill()
        with pytest.raises(SidecarGoneError, match=r"ended unexpectedly \(killed by signal 9") as gone:
            async for _ in notices:
                pass
        assert gone.value.exit_code == -signal.SIGKILL
        with pytest.raises(SidecarGoneError, match="ended unexpectedly"):
            await refresh
        again = [notice async for notice in multicodex.complete(HELLO)]
        assert again[-1]["type"] == "done"
    assert len(started.pids()) == 2


async def test_notifications_go_on_after_a_death(simulator: Simulator, tmp_path: Path) -> None:
    started = Started(simulator, tmp_path)
    async with Multicodex("tests", env=simulator.env, binary=started.binary) as multicodex:
        seen: asyncio.Queue[AccountsChanged] = asyncio.Queue()
        multicodex.on_accounts_changed(seen.put_nowait)
        started.kill()
        # Started again without being asked for anything.
        await until(lambda: len(started.pids()) == 2)
        await multicodex.accounts_disable({"account": "ada@example.com"})
        await seen.get()


async def test_all_who_wait_share_one_start(simulator: Simulator, tmp_path: Path) -> None:
    started = Started(simulator, tmp_path)
    multicodex = Multicodex("tests", env=simulator.env, binary=started.binary)
    await asyncio.gather(*(multicodex.paths() for _ in range(20)))
    await multicodex.aclose()
    assert len(started.pids()) == 1


async def test_a_sidecar_that_keeps_dying_is_started_ever_more_slowly(simulator: Simulator, tmp_path: Path) -> None:
    real = simulator.env["MULTICODEX_BIN"]
    starts = tmp_path / "starts"
    # Each one answers the handshake, and ends.
    mortal = program(
        tmp_path / "mortal",
        f'echo started >> "{starts}"\nhead -n 1 | "{real}" "$@"\nexit 3',
    )
    loop = asyncio.get_running_loop()
    multicodex = Multicodex("tests", env=simulator.env, binary=mortal)
    began = loop.time()
    answers: list[object] = []
    while not starts.exists() or len(starts.read_text().split()) < 4:
        answers += await asyncio.gather(multicodex.paths(), return_exceptions=True)
    assert {type(answer) for answer in answers} == {SidecarGoneError}
    # The first start waits for nothing, the three after it 0.25, 0.5 and 1 s.
    assert loop.time() - began >= 1.75
    await multicodex.aclose()


async def test_what_the_sidecar_says_when_it_does_not_start_is_passed_on(simulator: Simulator) -> None:
    multicodex = Multicodex("tests", env=simulator.env, args=["--frobnicate"])
    with pytest.raises(SidecarGoneError, match="frobnicate") as gone:
        await multicodex.paths()
    assert gone.value.exit_code == 2
    await multicodex.aclose()


async def test_what_is_not_the_protocol_ends_the_sidecar(simulator: Simulator, tmp_path: Path) -> None:
    chatty = program(tmp_path / "chatty", "echo Welcome!\ncat > /dev/null")
    multicodex = Multicodex("tests", env=simulator.env, binary=chatty)
    with pytest.raises(SidecarGoneError, match="not its protocol"):
        await multicodex.paths()
    await multicodex.aclose()


async def test_a_sidecar_that_is_too_old_is_ended(simulator: Simulator, tmp_path: Path) -> None:
    answer = '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":0,"server":{"name":"multicodex","version":"0.0.9"}}}'
    script = f"echo $$ > '{tmp_path}/pid'\nread -r _\necho '{answer}'\nexec cat > /dev/null"
    multicodex = Multicodex("tests", env=simulator.env, binary=program(tmp_path / "old", script))
    with pytest.raises(SidecarGoneError, match=r"multicodex 0\.0\.9 with version 0 .* needs version 1"):
        await multicodex.paths()
    assert not is_running(int((tmp_path / "pid").read_text()))
    await multicodex.aclose()


async def test_one_that_does_not_listen_is_killed(simulator: Simulator, tmp_path: Path) -> None:
    deaf = program(tmp_path / "deaf", f'echo $$ > "{tmp_path}/pid"\nexec sleep 600')
    multicodex = Multicodex("tests", env=simulator.env, binary=deaf)
    waiting = asyncio.create_task(multicodex.paths())
    await until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text() != "")
    await multicodex.aclose()
    assert not is_running(int((tmp_path / "pid").read_text()))
    with pytest.raises(SidecarGoneError, match="was closed"):
        await waiting


async def test_what_is_no_sidecar_is_not_waited_for(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("multicodex_client.client._HANDSHAKE", 0.1)
    monkeypatch.setattr("multicodex_client._connection._PATIENCE", 0.1)
    deaf = program(tmp_path / "deaf", "exec sleep 600")
    multicodex = Multicodex("tests", env=simulator.env, binary=deaf)
    with pytest.raises(SidecarGoneError, match=r"deaf does not answer"):
        await multicodex.paths()
    await multicodex.aclose()


def test_the_binary_is_the_option_then_the_variable_then_on_path(tmp_path: Path) -> None:
    option, variable = program(tmp_path / "option", ""), program(tmp_path / "variable", "")
    (tmp_path / "bin").mkdir()
    on_path = program(tmp_path / "bin" / "multicodex", "")
    env = {"MULTICODEX_BIN": variable, "PATH": str(tmp_path / "bin")}
    assert find_binary(option, env) == option
    assert find_binary(None, env) == variable
    assert find_binary(None, {"PATH": env["PATH"]}) == on_path
    with pytest.raises(BinaryNotFoundError, match=r"not on PATH.*cargo install"):
        find_binary(None, {"PATH": "/nowhere"})
    with pytest.raises(BinaryNotFoundError, match=r"/nowhere, named by MULTICODEX_BIN"):
        find_binary(None, {**env, "MULTICODEX_BIN": "/nowhere"})
    with pytest.raises(BinaryNotFoundError, match=r"/nowhere, named by the option"):
        find_binary("/nowhere", env)
