// What the tests have the OpenAI SDK for Node do, by the name of the case.
import { createRequire } from "node:module";

const require = createRequire(`${process.env.CLIENTS}/package.json`);
const OpenAI = require("openai");

const client = new OpenAI();
const question = { model: "gpt-6.1-sol", input: "Hello" };

const cases = {
  async whole() {
    console.log((await client.responses.create(question)).output_text);
  },
  async streamed() {
    console.log((await client.responses.stream(question).finalResponse()).output_text);
  },
  async tool_loop() {
    const first = await client.responses.create(question);
    const call = first.output.find((item) => item.type === "function_call");
    const output = { type: "function_call_output", call_id: call.call_id, output: "42" };
    console.log((await client.responses.create({ model: question.model, input: [call, output] })).output_text);
  },
  async refused() {
    try {
      await client.responses.create(question);
    } catch (error) {
      console.log(error.status, error.type, error.error.resets_in_seconds);
    }
  },
  async listed() {
    console.log((await client.models.list()).data.map((model) => model.id).join(" "));
  },
};

await cases[process.argv[2]]();
