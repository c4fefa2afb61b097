// Streams of other projects against the real binary: `npm test` starts the simulator around this.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { Readable, Writable } from "node:stream";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { ndJsonStream } from "@agentclientprotocol/sdk";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { CancellationTokenSource } from "vscode-jsonrpc/node";

const binary = process.env.MULTICODEX_BIN;
const request = { model: "gpt-6.1-sol", input: [{ role: "user", content: "Hello" }] };
const LABELS = ["ada@example.com", "bob@example.com", "cleo@example.com"];

async function behave(rule) {
  const answer = await fetch(`${process.env.SIMULATOR}/behaviour`, {
    method: "POST",
    body: JSON.stringify(rule),
  });
  assert.equal(answer.status, 200, await answer.text());
}

/** Sends with `send`; `received` is to be called with each message. */
function peer(send) {
  const messages = [];
  let wake = () => {};
  return {
    received(message) {
      messages.push(message);
      wake();
    },
    async until(fits) {
      for (;;) {
        const found = messages.find(fits);
        if (found) return found;
        await new Promise((resolve) => {
          wake = resolve;
        });
      }
    },
    async ask(id, method, params) {
      await send({ jsonrpc: "2.0", id, method, params });
      const { result, error } = await this.until((message) => message.id === id);
      assert.equal(error, undefined);
      return result;
    },
    notices: () => messages.filter(({ method }) => method === "complete").map(({ params }) => params.result),
  };
}

async function speaksTheProtocol(peer, completes) {
  const { server } = await peer.ask(0, "initialize", { client: { name: "peers" } });
  assert.equal(server.name, "multicodex");
  const { accounts } = await peer.ask("two", "accounts", {});
  assert.deepEqual(
    accounts.map(({ label }) => label),
    LABELS,
  );
  await behave({ behaviour: "usage_limit", when: { next: 1 } });
  await completes(peer);
  await peer.ask(4, "reset", { scope: "all" });
}

async function streams(peer) {
  const subscription = await peer.ask(3, "complete", { request });
  await peer.until(({ params }) => params?.subscription === subscription && params.result.type === "done");
  const types = peer.notices().map(({ type }) => type);
  assert.deepEqual([...new Set(types)], ["rotated", "accepted", "event", "done"]);
}

/** For those that take nothing but objects as results: `complete` answers a string. */
async function collects(peer) {
  const { response, attempts } = await peer.ask(3, "complete/collect", { request });
  assert.equal(response.status, "completed");
  assert.equal(attempts, 2);
}

test("MCP: StdioClientTransport", async () => {
  const transport = new StdioClientTransport({ command: binary, args: ["serve"], env: process.env });
  const mcp = peer((message) => transport.send(message));
  transport.onmessage = mcp.received;
  transport.onerror = (error) => assert.fail(error);
  await transport.start();
  await speaksTheProtocol(mcp, collects);
  await transport.close();
});

test("ACP: ndJsonStream", async () => {
  const child = spawn(binary, ["serve"], { stdio: ["pipe", "pipe", "inherit"] });
  const stream = ndJsonStream(Writable.toWeb(child.stdin), Readable.toWeb(child.stdout));
  const writer = stream.writable.getWriter();
  const acp = peer((message) => writer.write(message));
  const reading = (async () => {
    for await (const message of stream.readable) acp.received(message);
  })();
  await speaksTheProtocol(acp, streams);
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.stdin.end();
  assert.equal(await ended, 0);
  await reading;
});

test("VS Code: the thirty lines of the README", async () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const [, lines] = readme.match(/```js\n(.*?)```/s);
  assert.ok(lines.split("\n").filter((line) => line.trim()).length <= 30, "they are more than thirty");
  // Where it finds vscode-jsonrpc, and git does not find it.
  const file = new URL("../node_modules/.multicodex/readme.mjs", import.meta.url);
  mkdirSync(new URL(".", file), { recursive: true });
  writeFileSync(file, lines);
  const { start } = await import(fileURLToPath(file));

  const { connection, complete, sidecar } = await start();
  const { accounts } = await connection.sendRequest("accounts");
  assert.deepEqual(
    accounts.map(({ label }) => label),
    LABELS,
  );
  const changed = new Promise((resolve) => connection.onNotification("accounts/changed", resolve));
  await connection.sendRequest("accounts/disable", { account: LABELS[0] });
  assert.ok((await changed).revision > 0);
  await connection.sendRequest("accounts/enable", { account: LABELS[0] });
  await assert.rejects(connection.sendRequest("accounts/use", { account: "nobody" }), ({ code, data }) => {
    assert.equal(code, -32010);
    assert.deepEqual(data.candidates, LABELS);
    return true;
  });

  const seen = [];
  const last = await complete(request, (notice) => seen.push(notice));
  assert.equal(last.type, "done");
  assert.deepEqual(last, seen.at(-1));
  assert.deepEqual([...new Set(seen.map(({ type }) => type))], ["accepted", "event", "done"]);
  assert.ok(seen.some(({ event }) => event?.type === "response.created"));

  const slow = { spoken: { deltas: { count: 1000, size: 4 } }, pace: { each_ms: 200 } };
  await behave({ behaviour: { stream: slow }, when: { next: 2 } });
  const stop = new CancellationTokenSource();
  const stopped = await complete(request, ({ type }) => type === "event" && stop.cancel(), stop.token);
  assert.equal(stopped.type, "cancelled");

  const cut = await complete(request, ({ type }) => type === "event" && sidecar.kill("SIGKILL"));
  assert.equal(cut.error.kind, "sidecar_gone");
});
