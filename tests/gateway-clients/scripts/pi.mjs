// What the tests have pi's own provider for the Responses API do: one prompt, whose answer or error is printed.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const modules = createRequire(`${process.env.CLIENTS}/package.json`).resolve.paths("x")[0];
const at = (path) => pathToFileURL(`${modules}/@earendil-works/pi-ai/dist/${path}`);
const { stream } = await import(at("api/openai-responses.js"));

const model = {
  id: "gpt-6.1-sol",
  name: "gpt-6.1-sol",
  api: "openai-responses",
  provider: "multicodex",
  baseUrl: process.env.OPENAI_BASE_URL,
  reasoning: true,
  input: ["text"],
  cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 },
  contextWindow: 272000,
  maxTokens: 32000,
};
const context = { systemPrompt: "Be brief.", messages: [{ role: "user", content: "Hello", timestamp: 0 }] };
const answer = await stream(model, context, { apiKey: process.env.OPENAI_API_KEY }).result();
const text = answer.content.filter((part) => part.type === "text").map((part) => part.text);
console.log(answer.stopReason, text.join(""), answer.errorMessage ?? "");
