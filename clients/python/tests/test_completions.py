"""Streams: what is yielded, and that no one upstream goes on talking to no one."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from multicodex_client import CompletionError, Multicodex, RequestError
from simulator import LIMIT, SLOW, Simulator, said, until

if TYPE_CHECKING:
    from multicodex_client.types import CompleteParams, Notice

HELLO: CompleteParams = {"request": {"model": "gpt-6.1-sol", "input": [{"role": "user", "content": "Hello"}]}}


def text(notices: list[Notice]) -> str:
    deltas: list[Any] = [notice["event"] for notice in notices if notice["type"] == "event"]
    return "".join(event["delta"] for event in deltas if event["type"] == "response.output_text.delta")


async def test_a_completion_is_streamed_up_to_its_end(simulator: Simulator) -> None:
    async with Multicodex("tests", env=simulator.env) as multicodex:
        notices = [notice async for notice in multicodex.complete(HELLO)]
    assert notices[0]["type"] == "accepted"
    assert notices[0]["status"] == 200
    assert {notice["type"] for notice in notices[1:-1]} == {"event"}
    assert notices[-1]["type"] == "done"
    assert notices[-1]["outcome"] == "completed"
    assert "Hello" in text(notices)
    assert simulator.requests()[0]["headers"]["originator"] == "tests"


async def test_the_next_account_answers_when_the_first_is_at_its_limit(simulator: Simulator) -> None:
    simulator.behave(LIMIT, when={"next": 1})
    async with Multicodex("tests", env=simulator.env) as multicodex:
        notices = [notice async for notice in multicodex.complete(HELLO)]
    rotated, accepted = notices[0], notices[1]
    assert rotated["type"] == "rotated"
    assert rotated["reason"]["kind"] == "usage_limit"
    assert accepted["type"] == "accepted"
    assert accepted["account"] == rotated.get("to") != rotated["from"]
    assert notices[-1]["type"] == "done"


async def test_a_completion_that_fails_is_an_exception(simulator: Simulator) -> None:
    simulator.behave(LIMIT)
    notices: list[Notice] = []
    async with Multicodex("tests", env=simulator.env) as multicodex:
        with pytest.raises(CompletionError) as failed:
            async for notice in multicodex.complete(HELLO):
                notices.append(notice)
    assert [notice["type"] for notice in notices] == ["rotated"] * 3
    assert failed.value.failed["kind"] == "no_available_account"
    assert failed.value.failed.get("status") == 429
    assert "usage_limit_reached" in (failed.value.failed.get("body") or "")


async def test_params_that_are_wrong_are_an_exception(simulator: Simulator) -> None:
    async with Multicodex("tests", env=simulator.env) as multicodex:
        wrong: CompleteParams = {"request": {"model": "gpt-6.1-sol", "stream": False}}
        with pytest.raises(RequestError) as refused:
            await anext(multicodex.complete(wrong))
    assert refused.value.code == -32602
    assert refused.value.data is not None
    assert refused.value.data.get("path") == "request.stream"


async def test_events_keep_their_text(simulator: Simulator) -> None:
    events = [
        '{"type":"response.created","n":1.50e2,"big":123456789012345678901234567890.0}',
        '{"b":1,"a":2,"type":"response.output_text.delta","delta":"\\ud800 \u2028\u0085 é"}',
        '{"type":"response.completed","response":{"id":"r","status":"completed"}}',
    ]
    simulator.behave(said(*events))
    async with Multicodex("tests", env=simulator.env) as multicodex:
        pairs = [pair async for pair in multicodex.complete_raw(HELLO)]
    assert [raw for _, raw in pairs if raw is not None] == events
    assert text([notice for notice, _ in pairs]) == "\ud800 \u2028\u0085 é"
    assert [raw for notice, raw in pairs if notice["type"] != "event"] == [None, None]


async def test_closing_the_iterator_aborts_the_answer(simulator: Simulator) -> None:
    simulator.behave(SLOW)
    async with Multicodex("tests", env=simulator.env) as multicodex:
        async with aclosing(multicodex.complete(HELLO)) as notices:
            async for notice in notices:
                if notice["type"] == "event":
                    break
        await simulator.until_ended("aborted")


async def test_a_break_aborts_the_answer(simulator: Simulator) -> None:
    simulator.behave(SLOW)
    async with Multicodex("tests", env=simulator.env) as multicodex:
        async for notice in multicodex.complete(HELLO):
            if notice["type"] == "event":
                break
        await simulator.until_ended("aborted")


@pytest.mark.parametrize("behaviour", [SLOW, "hang"], ids=["after output", "before output"])
async def test_cancelling_the_task_aborts_the_answer(simulator: Simulator, behaviour: object) -> None:
    simulator.behave(behaviour)
    async with Multicodex("tests", env=simulator.env) as multicodex:

        async def read() -> None:
            async for _ in multicodex.complete(HELLO):
                pass

        task = asyncio.create_task(read())
        await simulator.until_ended("open")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await simulator.until_ended("aborted")


async def test_a_task_cancelled_before_the_answer_leaves_nothing_behind(simulator: Simulator) -> None:
    simulator.behave(SLOW)
    async with Multicodex("tests", env=simulator.env, args=["--max-requests", "4"]) as multicodex:
        for _ in range(20):
            first = asyncio.ensure_future(anext(multicodex.complete(HELLO)))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
        await until(lambda: all(request["end"] != "open" for request in simulator.requests()))
        assert len((await multicodex.accounts())["accounts"]) == 3


async def test_many_completions_at_once_do_not_mix(simulator: Simulator) -> None:
    async with Multicodex("tests", env=simulator.env) as multicodex:

        async def ask(word: str) -> str:
            params: CompleteParams = {"request": {"model": "gpt-6.1-sol", "input": [{"role": "user", "content": word}]}}
            return text([notice async for notice in multicodex.complete(params)])

        words = [f"word{n:02}" for n in range(30)]
        answers = await asyncio.gather(*map(ask, words))
    assert all(word in answer for word, answer in zip(words, answers, strict=True))


async def test_requests_are_answered_while_a_completion_is_not_read(simulator: Simulator) -> None:
    simulator.behave({"stream": {"spoken": {"deltas": {"count": 4000, "size": 1000}}}})
    async with Multicodex("tests", env=simulator.env) as multicodex:
        notices = multicodex.complete(HELLO)
        first = await anext(notices)
        assert len((await multicodex.accounts())["accounts"]) == 3
        rest = [notice async for notice in notices]
    assert len(text([first, *rest])) == 4_000_000


async def test_large_requests_and_lines(simulator: Simulator) -> None:
    image = "data:image/png;base64," + "A" * 5_000_000
    async with Multicodex("tests", env=simulator.env) as multicodex:
        params: CompleteParams = {
            "request": {
                "model": "gpt-6.1-sol",
                "input": [{"role": "user", "content": [{"type": "input_image", "image_url": image}]}],
            }
        }
        answer = await multicodex.complete_collect(params)
    assert answer["response"]["status"] == "completed"
    assert image in simulator.requests()[0]["body"]
