"""Requests, errors and notifications."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from multicodex_client import Multicodex, RequestError
from simulator import HANG, Simulator
from test_completions import HELLO

if TYPE_CHECKING:
    from multicodex_client.types import AccountsChanged


class Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


async def test_accounts_and_what_the_sidecar_is(simulator: Simulator) -> None:
    async with Multicodex("tests", version="1.0", env=simulator.env) as multicodex:
        assert multicodex.server is not None
        assert multicodex.server["server"]["name"] == "multicodex"
        assert multicodex.server["protocolVersion"] == 1
        accounts = (await multicodex.accounts({"refreshUsage": True}))["accounts"]
    assert [account["label"] for account in accounts] == ["ada@example.com", "bob@example.com", "cleo@example.com"]
    usage = accounts[0].get("usage")
    assert usage is not None
    assert [window["name"] for window in usage["windows"]] == ["5h", "7d"]


async def test_an_error_says_what_to_do(simulator: Simulator) -> None:
    async with Multicodex("tests", env=simulator.env) as multicodex:
        with pytest.raises(RequestError, match="nobody") as refused:
            await multicodex.accounts_use({"account": "nobody"})
    assert (refused.value.code, refused.value.kind, refused.value.retryable) == (-32010, "account_not_found", False)
    assert refused.value.data is not None
    assert refused.value.data.get("candidates") == ["ada@example.com", "bob@example.com", "cleo@example.com"]


async def test_notifications_come_until_they_are_ended(simulator: Simulator) -> None:
    async with Multicodex("tests", env=simulator.env) as multicodex:
        seen: asyncio.Queue[AccountsChanged] = asyncio.Queue()
        end = multicodex.on_accounts_changed(seen.put_nowait)
        await multicodex.accounts_disable({"account": "ada@example.com"})
        revision = (await seen.get())["revision"]
        assert revision > 0
        end()
        later: asyncio.Queue[Any] = asyncio.Queue()
        multicodex.on("accounts/changed", later.put_nowait)
        await multicodex.accounts_enable({"account": "ada@example.com"})
        await later.get()
    assert seen.empty()


async def test_a_handler_that_fails_harms_no_one(simulator: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    async with Multicodex("tests", env=simulator.env) as multicodex:
        done: asyncio.Queue[Any] = asyncio.Queue()
        multicodex.on_accounts_changed(lambda _: 1 / 0)
        multicodex.on_accounts_changed(done.put_nowait)
        await multicodex.accounts_disable({"account": "ada@example.com"})
        await done.get()
        assert len((await multicodex.accounts())["accounts"]) == 3
    assert "a handler of accounts/changed failed" in caplog.text


async def test_cancelling_the_task_cancels_the_request(simulator: Simulator) -> None:
    simulator.behave(HANG)
    async with Multicodex("tests", env=simulator.env) as multicodex:
        collect = asyncio.create_task(multicodex.complete_collect(HELLO))
        await simulator.until_ended("open")
        collect.cancel()
        with pytest.raises(asyncio.CancelledError):
            await collect
        # Long before the sidecar loses its own patience with upstream.
        await simulator.until_ended("aborted")


async def test_a_login_with_the_browser_on_another_machine(simulator: Simulator) -> None:
    async with Multicodex("tests", env=simulator.env) as multicodex:
        simulator.visit("bob")
        started = await multicodex.login()
        waiting = asyncio.create_task(multicodex.login_wait({"loginId": started["loginId"]}))
        # The simulated login page sends the browser straight on, to where it is not followed.
        with pytest.raises(urllib.error.HTTPError) as sent:
            urllib.request.build_opener(Stay).open(started["url"])
        submitted = await multicodex.login_submit(
            {"loginId": started["loginId"], "input": sent.value.headers["location"]}
        )
        account = (await waiting)["account"]
    assert account["state"] == "ready"
    assert account["label"] == "bob@example.com"
    assert submitted["account"]["id"] == account["id"]
