import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { eventually, Simulator } from "../../typescript/test/simulator.ts";
import { thinksAndReads } from "./events.ts";
import { Pi, runs, sidecarsOf, textOf } from "./pi.ts";

/** Without the waiting between pi's own tries. */
const impatient = { retry: { baseDelayMs: 1 } };
const pixel =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";

test("print mode: the answer on stdout, and nothing else anywhere", async (t) => {
  const simulator = await Simulator.start(t);
  const pi = await Pi.prepare(simulator);
  const { code, stdout, stderr } = await pi.run("-p", "Hello from pi");
  assert.match(stdout, /^You asked: “Hello from pi”\. .*\n$/);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
});

test("the request that reaches upstream is pi's, with the account's credentials", async (t) => {
  const simulator = await Simulator.start(t);
  const pi = await Pi.prepare(simulator);
  await pi.run("-p", "Hello");
  const [asked, ...more] = await simulator.completions();
  assert.deepEqual(more, []);
  assert.equal(asked?.headers.originator, "pi");
  assert.match(asked?.headers["user-agent"] ?? "", /^pi/);
  assert.match(asked?.headers.authorization ?? "", /^Bearer /);
  assert.match(asked?.headers["chatgpt-account-id"] ?? "", /^ws-/);
  const body = JSON.parse(asked?.body ?? "{}");
  assert.equal(body.store, false);
  assert.equal(body.prompt_cache_key, asked?.headers["session-id"] ?? asked?.headers.session_id);
  // pi 1.6 says it in a developer item, older ones in `instructions`.
  assert.match(body.instructions ?? JSON.stringify(body.input), /coding assistant/);
});

test("json mode: text arrives in pieces, and the turn has its usage", async (t) => {
  const simulator = await Simulator.start(t);
  const pi = await Pi.prepare(simulator);
  const { stdout } = await pi.run("--mode", "json", "-p", "Hello json");
  const events = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const deltas = events
    .filter(({ type }) => type === "message_update")
    .map(({ assistantMessageEvent }) => assistantMessageEvent)
    .filter(({ type }) => type === "text_delta");
  assert.ok(deltas.length > 2);
  assert.match(deltas.map(({ delta }) => delta).join(""), /Hello json/);
  const answer = events.filter(({ type }) => type === "message_end").at(-1).message;
  assert.equal(answer.stopReason, "stop");
  assert.ok(answer.usage.totalTokens > 0);
});

test("thinking, a tool, and its result in the next request", async (t) => {
  const simulator = await Simulator.start(t);
  const pi = await Pi.prepare(simulator);
  await writeFile(join(pi.home, "note.txt"), "the note says forty-two");
  await simulator.behave({ when: { next: 1 }, behaviour: thinksAndReads("A note may help", "note.txt") });
  const rpc = pi.rpc("--no-session", "--thinking", "low");
  assert.match(textOf(await rpc.prompt("What does the note say?")), /What does the note say/);
  const thought = JSON.stringify(rpc.records.filter(({ type }) => type === "message_end"));
  assert.match(thought, /"type":"thinking","thinking":"A note may help"/);
  const [, second] = await simulator.completions();
  const { input } = JSON.parse(second?.body ?? "{}");
  const result = input.find(({ type }: { type: string }) => type === "function_call_output");
  assert.equal(result.call_id, "call_1");
  assert.match(JSON.stringify(result.output), /forty-two/);
  const reasoning = input.find(({ type }: { type: string }) => type === "reasoning");
  assert.equal(reasoning.encrypted_content, "sealed");
});

test("a conversation with a tool in it goes on over one socket, and by a request each if pi's setting says so", async (t) => {
  for (const transport of ["auto", "websocket-cached", "sse"]) {
    const simulator = await Simulator.start(t);
    const pi = await Pi.prepare(simulator, { transport });
    await writeFile(join(pi.home, "note.txt"), "the note says forty-two");
    await simulator.behave({ when: { next: 1 }, behaviour: thinksAndReads("A note may help", "note.txt") });
    const rpc = pi.rpc("--thinking", "low");
    await rpc.prompt("What does the note say?");
    await rpc.prompt("And now?");
    const turns = await simulator.completions();
    const [first, ...later] = turns.map(({ frame }) => frame);
    if (transport === "sse") {
      assert.deepEqual([first, ...later], [undefined, undefined, undefined]);
    } else {
      assert.deepEqual([first?.continued, ...later.map((frame) => frame?.continued)], [false, true, true]);
    }
    const { input } = JSON.parse(turns.at(-1)?.body ?? "{}");
    assert.match(JSON.stringify(input), /forty-two.*And now/);
    assert.equal(await rpc.end(), 0);
  }
});

test("an image reaches upstream", async (t) => {
  const simulator = await Simulator.start(t);
  const pi = await Pi.prepare(simulator);
  await writeFile(join(pi.home, "pixel.png"), Buffer.from(pixel, "base64"));
  const { code } = await pi.run("-p", "@pixel.png", "What is this?");
  assert.equal(code, 0);
  const [asked] = await simulator.completions();
  assert.match(asked?.body ?? "", /"type":"input_image".*data:image\/png;base64,/);
});

test("a usage limit on the first account: the answer of the second, and no word of it", async (t) => {
  const simulator = await Simulator.start(t);
  const pi = await Pi.prepare(simulator);
  await simulator.behave({ when: { next: 1 }, behaviour: "usage_limit" });
  const { code, stdout, stderr } = await pi.run("-p", "Hello twice");
  assert.match(stdout, /^You asked: “Hello twice”/);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  const accounts = (await simulator.completions()).map(({ account, status }) => [account, status]);
  assert.deepEqual(
    accounts.map(([, status]) => status),
    [429, 200],
  );
  assert.notEqual(accounts[0]?.[0], accounts[1]?.[0]);
});

test("all accounts at their limit: pi's own words, and no second try", async (t) => {
  const simulator = await Simulator.start(t);
  const pi = await Pi.prepare(simulator, impatient);
  await simulator.behave({ behaviour: "usage_limit" });
  const first = await pi.run("-p", "Hello");
  const friendly = /^You have hit your ChatGPT usage limit \(plus plan\)\. Try again in ~(59|60) min\.\n$/;
  assert.match(first.stderr, friendly);
  assert.deepEqual({ code: first.code, stdout: first.stdout }, { code: 1, stdout: "" });
  assert.equal((await simulator.completions()).length, 2);
  const second = await pi.run("-p", "Hello");
  assert.match(second.stderr, /^You have hit your ChatGPT usage limit.*Try again in ~(59|60) min\.\n$/);
  assert.equal((await simulator.completions()).length, 2, "nobody is asked while all of them cool");
});

test("a refused request is told in upstream's words, once", async (t) => {
  const simulator = await Simulator.start(t);
  const pi = await Pi.prepare(simulator, impatient);
  const body = { detail: "Unsupported parameter: colour" };
  await simulator.behave({ behaviour: { answer: { status: 400, body } } });
  const { code, stderr } = await pi.run("-p", "Hello");
  assert.equal(code, 1);
  assert.match(stderr, /Unsupported parameter: colour/);
  assert.equal((await simulator.completions()).length, 1);
});

test("a backend that refuses max_output_tokens is asked again without it, and pi does not notice", async (t) => {
  const simulator = await Simulator.start(t);
  const pi = await Pi.prepare(simulator, impatient);
  await pi.run("-p", "Hello");
  const [accepted] = await simulator.completions();
  if (!("max_output_tokens" in JSON.parse(accepted?.body ?? "{}"))) return t.skip("this pi does not send it");
  await simulator.behave({ when: { next: 1 }, behaviour: "unsupported_parameter" });
  const { code, stdout, stderr } = await pi.run("-p", "Hello again");
  assert.match(stdout, /^You asked: “Hello again”/);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  const [, refused, mended] = await simulator.completions();
  const { max_output_tokens: _, ...rest } = JSON.parse(refused?.body ?? "{}");
  assert.deepEqual(JSON.parse(mended?.body ?? "{}"), rest);
});

test("a stream that is cut after output is an error that pi tries again", async (t) => {
  const simulator = await Simulator.start(t);
  const pi = await Pi.prepare(simulator, impatient);
  await simulator.behave({ when: { next: 1 }, behaviour: "cut_after_output" });
  const { code, stdout } = await pi.run("-p", "Hello again");
  assert.match(stdout, /^You asked: “Hello again”/);
  assert.equal(code, 0);
  assert.deepEqual(
    (await simulator.completions()).map(({ end }) => end),
    ["broken", "answered"],
  );
});

test("abort ends the upstream request, and the next prompt is answered", async (t) => {
  const simulator = await Simulator.start(t);
  const pi = await Pi.prepare(simulator);
  await simulator.behave({ when: { next: 1 }, behaviour: "hang_after_output" });
  const rpc = pi.rpc("--no-session");
  rpc.send({ type: "prompt", message: "Hello" });
  await rpc.seen(
    "a piece of text",
    ({ type, assistantMessageEvent }) =>
      type === "message_update" && (assistantMessageEvent as { type: string }).type === "text_delta",
  );
  rpc.send({ type: "abort" });
  await rpc.settled();
  assert.equal(rpc.lastAnswer(0).stopReason, "aborted");
  await eventually("upstream is left", async () => (await simulator.completions())[0]?.end === "aborted");
  assert.match(textOf(await rpc.prompt("And now?")), /And now/);
});

test("a sidecar killed in mid-stream is one clear error, and the next prompt is answered", async (t) => {
  const simulator = await Simulator.start(t);
  const pi = await Pi.prepare(simulator, impatient);
  await simulator.behave({ when: { next: 1 }, behaviour: "hang_after_output" });
  const rpc = pi.rpc("--no-session");
  rpc.send({ type: "prompt", message: "Hello" });
  await rpc.seen("a piece of text", ({ type }) => type === "message_update");
  const [killed] = sidecarsOf(rpc.pid);
  process.kill(Number(killed), "SIGKILL");
  await rpc.settled();
  const failed = rpc.lastAnswer(0);
  assert.equal(failed.stopReason, "error");
  assert.match(String(failed.errorMessage), /The multicodex sidecar ended \(SIGKILL\) while it answered/);
  assert.equal((await simulator.completions()).length, 1);
  assert.match(textOf(await rpc.prompt("And now?")), /And now/);
});

test("no sidecar to start: one error that says how to get it", async (t) => {
  const simulator = await Simulator.start(t);
  const pi = await Pi.prepare(simulator, impatient);
  pi.env.MULTICODEX_BIN = "/nowhere/multicodex";
  const { code, stderr } = await pi.run("-p", "Hello");
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^multicodex: MULTICODEX_BIN names \/nowhere\/multicodex, which is not a program that can be run\n$/,
  );
});

test("one sidecar for all sessions of a pi, and none after it", async (t) => {
  const simulator = await Simulator.start(t);
  const pi = await Pi.prepare(simulator);
  const rpc = pi.rpc();
  await rpc.prompt("One");
  const first = sidecarsOf(rpc.pid);
  assert.equal(first.length, 1);
  const from = rpc.records.length;
  rpc.send({ type: "new_session", id: "new" });
  await rpc.seen("the new session", ({ id, success }) => id === "new" && success === true, from);
  await rpc.prompt("Two");
  assert.deepEqual(sidecarsOf(rpc.pid), first);
  assert.equal(await rpc.end(), 0);
  assert.ok(!runs(Number(first[0])));
});

test("a signal to pi, and a sidecar that does not answer any more, leave no process behind", async (t) => {
  const simulator = await Simulator.start(t);
  const pi = await Pi.prepare(simulator);
  for (const stop of ["SIGTERM", "the end of its input"] as const) {
    const rpc = pi.rpc("--no-session");
    await rpc.prompt("Hello");
    const [pid] = sidecarsOf(rpc.pid);
    if (stop === "SIGTERM") process.kill(rpc.pid, "SIGTERM");
    else process.kill(Number(pid), "SIGSTOP");
    await rpc.end();
    await eventually(`the end of the sidecar after ${stop}`, () => !runs(Number(pid)) || undefined);
  }
});

test("pi's own login in auth.json is neither used nor redeemed by pi", async (t) => {
  const simulator = await Simulator.start(t);
  const pi = await Pi.prepare(simulator);
  const expired = {
    type: "oauth",
    access: "not.a.token",
    refresh: "rt_sim_nobody",
    expires: 1,
    accountId: "ws-nobody",
  };
  await writeFile(join(simulator.agentDir, "auth.json"), JSON.stringify({ "openai-codex": expired }), {
    mode: 0o600,
  });
  const { code, stdout } = await pi.run("-p", "Hello");
  assert.match(stdout, /^You asked: “Hello”/);
  assert.equal(code, 0);
  const log = await simulator.get<{ headers: Record<string, string> }[]>("log");
  assert.ok(!JSON.stringify(log.map(({ headers }) => headers)).includes("not.a.token"));
});

test("pi's own expired login is renewed once, by the sidecar, for both", async (t) => {
  const simulator = await Simulator.start(t, 0);
  const pi = await Pi.prepare(simulator);
  const login = (await simulator.post("account", { name: "lin", first_expires_in: -60 })) as Record<
    string,
    unknown
  >;
  const { access_token, refresh_token, expires_at } = login;
  const entry = { type: "oauth", access: access_token, refresh: refresh_token, expires: expires_at };
  const file = join(simulator.agentDir, "auth.json");
  await writeFile(file, JSON.stringify({ "openai-codex": entry }), { mode: 0o600 });
  for (const word of ["one", "two"]) {
    const { code, stdout } = await pi.run("-p", word);
    assert.equal(stdout, `You asked: “${word}”. (Simulated, with the account lin.)\n`);
    assert.equal(code, 0);
  }
  const log = await simulator.get<{ route: string; status: number }[]>("log");
  assert.deepEqual(
    log.filter(({ route }) => route === "token").map(({ status }) => status),
    [200],
  );
  const stored = JSON.parse(await readFile(file, "utf8"))["openai-codex"];
  const { accounts } = JSON.parse(await readFile(join(simulator.agentDir, "codex-accounts.json"), "utf8"));
  assert.notEqual(stored.refresh, refresh_token);
  assert.equal(stored.refresh, accounts[0].refreshToken);
  assert.equal(stored.access, accounts[0].accessToken);
});
