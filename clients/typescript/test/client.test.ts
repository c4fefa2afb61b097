import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import {
  BinaryNotFoundError,
  CompletionError,
  Multicodex,
  type Progress,
  RequestError,
  SidecarGoneError,
} from "../src/index.ts";
import { builtBinary, eventually, Simulator } from "./simulator.ts";

const hello = { request: { model: "gpt-6.1-sol", input: [{ role: "user", content: "Hello there" }] } };

async function all(progress: AsyncIterable<Progress>): Promise<Progress[]> {
  const notices = [];
  for await (const notice of progress) notices.push(notice);
  return notices;
}

function textOf(notices: Progress[]): string {
  return notices
    .map((notice) =>
      notice.type === "event" && notice.event.type === "response.output_text.delta" ? notice.event.delta : "",
    )
    .join("");
}

function kill(client: Multicodex): void {
  if (client.pid !== undefined) process.kill(client.pid, "SIGKILL");
}

test("answers requests and says what the sidecar is", async (t) => {
  const simulator = await Simulator.start(t);
  const client = simulator.client();
  const { accounts, active } = await client.request("accounts");
  assert.deepEqual(
    accounts.map(({ label, state }) => [label, state]),
    [
      ["ada@example.com", "ready"],
      ["bob@example.com", "ready"],
    ],
  );
  assert.ok(accounts.some(({ id }) => id === active));
  const server = await client.start();
  assert.equal(server.protocolVersion, 1);
  assert.equal(server.server.name, "multicodex");
});

/** Never called: the compiler is the test. */
export async function typed(client: Multicodex): Promise<string[]> {
  // @ts-expect-error a method that needs params does not go without
  await client.request("accounts/use");
  // @ts-expect-error nor with those of another
  await client.request("accounts/use", { label: "ada" });
  const { accounts } = await client.request("accounts");
  return accounts.map(({ label }) => label);
}

test("a refused request is an error with the kind and the next step", async (t) => {
  const simulator = await Simulator.start(t);
  await assert.rejects(simulator.client().request("accounts/use", { account: "nobody" }), (error) => {
    assert.ok(error instanceof RequestError);
    assert.equal(error.code, -32010);
    assert.equal(error.kind, "account_not_found");
    assert.deepEqual(error.data?.candidates, ["ada@example.com", "bob@example.com"]);
    return true;
  });
});

test("a completion yields the account, each event and the end", async (t) => {
  const simulator = await Simulator.start(t);
  const notices = await all(simulator.client().complete(hello));
  assert.deepEqual([...new Set(notices.map(({ type }) => type))], ["accepted", "event", "done"]);
  assert.match(textOf(notices), /Hello there/);
});

test("an account at its limit shows only as a notice", async (t) => {
  const simulator = await Simulator.start(t);
  const client = simulator.client();
  const { active, accounts } = await client.request("accounts");
  const first = accounts.find(({ id }) => id === active)?.label.split("@")[0];
  await simulator.behave({ account: String(first), behaviour: "usage_limit" });
  const notices = await all(client.complete(hello));
  const [rotated] = notices;
  assert.ok(rotated?.type === "rotated");
  assert.equal(rotated.reason.kind, "usage_limit");
  assert.match(textOf(notices), /Hello there/);
  const changed = (await client.request("accounts")).accounts.find(({ id }) => id === active);
  assert.equal(changed?.state, "cooling");
});

test("a completion that nobody can answer throws what upstream said last", async (t) => {
  const simulator = await Simulator.start(t);
  await simulator.behave({ behaviour: "usage_limit" });
  await assert.rejects(all(simulator.client().complete(hello)), (error) => {
    assert.ok(error instanceof CompletionError);
    assert.equal(error.failed.kind, "no_available_account");
    assert.equal(error.failed.status, 429);
    assert.equal(JSON.parse(error.failed.body ?? "").error.type, "usage_limit_reached");
    return true;
  });
});

test("bad params of a completion are refused at once", async (t) => {
  const simulator = await Simulator.start(t);
  const refused = all(simulator.client().complete({ request: { model: "gpt-6.1-sol", store: true } }));
  await assert.rejects(
    refused,
    (error) => error instanceof RequestError && error.data?.path === "request.store",
  );
});

for (const how of ["aborting", "leaving the loop"] as const) {
  test(`${how} cancels the completion upstream`, async (t) => {
    const simulator = await Simulator.start(t);
    const client = simulator.client();
    await simulator.behave({ behaviour: "hang_after_output" });
    const controller = new AbortController();
    const why = new Error("enough");
    const reading = async () => {
      for await (const notice of client.complete(hello, { signal: controller.signal })) {
        if (notice.type !== "event") continue;
        if (how === "leaving the loop") return;
        controller.abort(why);
      }
    };
    if (how === "aborting") await assert.rejects(reading(), why);
    else await reading();
    await eventually("the upstream request ends", async () =>
      (await simulator.completions()).some(({ end }) => end === "aborted"),
    );
  });
}

test("aborting before the sidecar has answered cancels, too", async (t) => {
  const simulator = await Simulator.start(t);
  const client = simulator.client();
  await client.start();
  await simulator.behave({ behaviour: "hang_after_headers" });
  const controller = new AbortController();
  const reading = all(client.complete(hello, { signal: controller.signal }));
  // Enough for the request to be written, and no turn of the event loop in which the answer could be read.
  for (let turn = 0; turn < 20; turn++) await null;
  controller.abort();
  await assert.rejects(reading, { name: "AbortError" });
  // One that nobody cancels, after which the first would have arrived, too.
  const second = all(client.complete({ request: { ...hello.request, input: "second" } }));
  const open = async () => (await simulator.completions()).filter(({ end }) => end === "open");
  await eventually("the second is asked", async () =>
    (await open()).some(({ body }) => body.includes("second")),
  );
  await eventually("only the second is open", async () => (await open()).length === 1);
  await Promise.all([assert.rejects(second, SidecarGoneError), client.close()]);
});

test("an aborted request is given up at once", async (t) => {
  const simulator = await Simulator.start(t);
  const client = simulator.client();
  await simulator.behave({ behaviour: "hang", route: "usage" });
  const controller = new AbortController();
  const asked = client.request("accounts", { refreshUsage: true }, { signal: controller.signal });
  await eventually("usage is asked for", async () =>
    (await simulator.get<{ route: string }[]>("log")).some(({ route }) => route === "usage"),
  );
  controller.abort(new Error("no longer"));
  await assert.rejects(asked, { message: "no longer" });
});

test("notifications reach those who listen, until they do not", async (t) => {
  const simulator = await Simulator.start(t);
  const client = simulator.client();
  const heard: string[] = [];
  const stop = client.on("accounts/changed", ({ reason }) => heard.push(reason));
  await client.request("accounts/label", { account: "ada@example.com", label: "work" });
  await eventually("the change", () => heard.includes("edited") || undefined);
  stop();
  const before = heard.length;
  const again = new Promise((resolve) => client.on("accounts/changed", resolve));
  await client.request("accounts/label", { account: "work", label: "home" });
  await again;
  assert.equal(heard.length, before);
});

test("a listener that throws is warned of, and the others and the connection go on", async (t) => {
  const simulator = await Simulator.start(t);
  const client = simulator.client();
  const warned = once(process, "warning");
  client.on("accounts/changed", () => {
    throw new Error("a mistake of the caller");
  });
  const heard = new Promise((resolve) => client.on("accounts/changed", resolve));
  await client.request("accounts/label", { account: "ada@example.com", label: "work" });
  await heard;
  const [warning] = await warned;
  assert.equal(warning.message, "a mistake of the caller");
  assert.equal((await client.request("accounts")).accounts.length, 2);
});

test("a killed sidecar ends what runs, with one clear error each, and the next request has a new one", async (t) => {
  const simulator = await Simulator.start(t);
  const gone: string[] = [];
  let starts = 0;
  const client = simulator.client({
    onGone: (why) => gone.push(why.message),
    onStart: () => starts++,
  });
  await simulator.behave({ behaviour: "hang_after_output", when: { next: 1 } });
  let killed = false;
  const reading = async () => {
    for await (const notice of client.complete(hello)) {
      if (notice.type !== "event" || killed) continue;
      kill(client);
      killed = true;
    }
  };
  await assert.rejects(
    reading(),
    (error) => error instanceof SidecarGoneError && /SIGKILL/.test(error.message),
  );
  assert.equal(gone.length, 1);
  assert.match(textOf(await all(client.complete(hello))), /Hello there/);
  assert.equal(starts, 2);
});

test("a sidecar that dies idle is started again without being asked", async (t) => {
  const simulator = await Simulator.start(t);
  let starts = 0;
  const client = simulator.client({ onStart: () => starts++ });
  await client.start();
  kill(client);
  await eventually("a second start", () => starts === 2 || undefined);
});

test("a sidecar that ends at its start says why", async (t) => {
  const client = new Multicodex({
    client: { name: "test" },
    binary: builtBinary(),
    args: ["--no-such-flag"],
  });
  t.after(() => client.close());
  await assert.rejects(
    client.start(),
    (error) => error instanceof SidecarGoneError && /no-such-flag/.test(error.message),
  );
  await assert.rejects(client.request("accounts"), SidecarGoneError);
});

test("a program that is not multicodex is told apart", async (t) => {
  const client = new Multicodex({ client: { name: "test" }, binary: "/bin/echo" });
  t.after(() => client.close());
  await assert.rejects(client.start(), /not of the protocol; is it multicodex\? serve/);
});

test("JSON that is no message is told apart, too", async (t) => {
  const { agentDir } = await Simulator.start(t, 0);
  const binary = join(agentDir, "null");
  await writeFile(binary, "#!/bin/sh\necho null; sleep 60\n", { mode: 0o755 });
  const client = new Multicodex({ client: { name: "test" }, binary });
  t.after(() => client.close());
  await assert.rejects(client.start(), /not of the protocol; is it multicodex\? null/);
});

test("a sidecar that is too old is an error that names both versions, and is ended", async (t) => {
  const { agentDir } = await Simulator.start(t, 0);
  const binary = join(agentDir, "old");
  const server = { protocolVersion: 0, server: { name: "multicodex", version: "0.0.9" } };
  const answer = JSON.stringify({ jsonrpc: "2.0", id: 0, result: server });
  const script = `#!/bin/sh\necho $$ > "${binary}.pid"\nread -r _\necho '${answer}'\nexec cat >/dev/null\n`;
  await writeFile(binary, script, { mode: 0o755 });
  const client = new Multicodex({ client: { name: "test" }, binary });
  t.after(() => client.close());
  await assert.rejects(
    client.start(),
    /multicodex 0\.0\.9 with version 0 .* needs version 1\. Install a newer/,
  );
  const pid = Number(await readFile(`${binary}.pid`, "utf8"));
  await eventually("its end", () => {
    try {
      return process.kill(pid, 0) ? undefined : true;
    } catch {
      return true;
    }
  });
});

test("a program that is not there is an error that says how to get it", async () => {
  const client = new Multicodex({ client: { name: "test" }, binary: "/nowhere/multicodex" });
  await assert.rejects(client.start(), BinaryNotFoundError);
  await client.close();
});

test("closing ends the process and refuses what comes later", async (t) => {
  const simulator = await Simulator.start(t);
  const client = simulator.client();
  await client.start();
  const pid = Number(client.pid);
  await client.close();
  assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
  await assert.rejects(client.request("accounts"), /closed/);
});

test("text with line separators and lone surrogates arrives as it was sent", async (t) => {
  const simulator = await Simulator.start(t);
  const client = simulator.client();
  const delta = "a\u2028b\u2029c\ud800d \u{1f600}";
  const escaped = JSON.stringify(delta).replace("\u2028", "\\u2028");
  await simulator.behave({
    behaviour: {
      stream: {
        spoken: {
          events: [
            `{"type":"response.output_text.delta","delta":${escaped}}`,
            '{"type":"response.completed","response":{"status":"completed","output":[]}}',
          ],
        },
      },
    },
  });
  assert.equal(textOf(await all(client.complete(hello))), delta);
});

test("many completions at once each get their own", async (t) => {
  const simulator = await Simulator.start(t);
  const client = simulator.client();
  const words = Array.from({ length: 30 }, (_, at) => `number ${at};`);
  const answers = await Promise.all(
    words.map((content) =>
      all(client.complete({ request: { model: "gpt-6.1-sol", input: [{ role: "user", content }] } })),
    ),
  );
  for (const [at, notices] of answers.entries()) assert.ok(textOf(notices).includes(words[at] ?? "?"));
});
