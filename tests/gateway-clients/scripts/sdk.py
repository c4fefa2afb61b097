"""What the tests have the OpenAI SDK for Python do, by the name of the case."""

import sys

import openai

client = openai.OpenAI()
question = {"model": "gpt-6.1-sol", "input": "Hello"}


def whole():
    print(client.responses.create(**question).output_text)


def streamed():
    with client.responses.stream(**question) as stream:
        for _ in stream:
            pass
        print(stream.get_final_response().output_text)


def tool_loop():
    first = client.responses.create(**question)
    call = next(item for item in first.output if item.type == "function_call")
    items = [call.model_dump(), {"type": "function_call_output", "call_id": call.call_id, "output": "42"}]
    print(client.responses.create(model=question["model"], input=items).output_text)


def refused():
    try:
        client.responses.create(**question)
    except openai.APIStatusError as error:
        print(error.status_code, error.body["type"], error.body.get("resets_in_seconds"))


def listed():
    print(*(model.id for model in client.models.list()))


{case.__name__: case for case in (whole, streamed, tool_loop, refused, listed)}[sys.argv[1]]()
