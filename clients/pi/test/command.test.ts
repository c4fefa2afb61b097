import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Simulator } from "../../typescript/test/simulator.ts";
import { Pi, type Rpc } from "./pi.ts";

async function begin(t: TestContext, accounts = 2): Promise<{ simulator: Simulator; rpc: Rpc }> {
  const simulator = await Simulator.start(t, accounts);
  const pi = await Pi.prepare(simulator);
  return { simulator, rpc: pi.rpc("--no-session") };
}

/** The nth thing of this kind that pi asks or tells its user. */
async function asked(rpc: Rpc, method: string, nth = 1): Promise<Record<string, unknown>> {
  const all = () =>
    rpc.records.filter((record) => record.type === "extension_ui_request" && record.method === method);
  await rpc.seen(`${method} ${nth}`, () => all().length >= nth);
  return all()[nth - 1] ?? {};
}

function answer(rpc: Rpc, { id }: Record<string, unknown>, given: Record<string, unknown>): void {
  rpc.send({ type: "extension_ui_response", id, ...given });
}

test("print mode: the words on stderr, nothing on stdout", async (t) => {
  const simulator = await Simulator.start(t);
  const pi = await Pi.prepare(simulator);
  const { code, stdout, stderr } = await pi.run("-p", "/multicodex accounts");
  assert.match(stderr, /ada@example\.com[\s\S]*bob@example\.com/);
  assert.deepEqual({ code, stdout }, { code: 0, stdout: "" });
  const wrong = await pi.run("-p", "/multicodex acounts");
  assert.match(wrong.stderr, /acounts/);
});

test("rpc mode: the accounts as questions", async (t) => {
  const { rpc } = await begin(t);
  rpc.send({ type: "prompt", message: "/multicodex" });
  const which = await asked(rpc, "select");
  assert.equal(which.title, "Codex accounts");
  const [ada, bob, ...others] = which.options as string[];
  assert.match(ada ?? "", /^ada@example\.com · (ready|in use) · /);
  assert.match(bob ?? "", /^bob@example\.com · /);
  assert.deepEqual(others, ["Log in a new account", "Log in by device code"]);
  answer(rpc, which, { value: ada });
  const what = await asked(rpc, "select", 2);
  assert.deepEqual(what.options, ["Use", "Refresh", "Reset credit", "Log in again", "Remove"]);
  answer(rpc, what, { value: "Use" });
  assert.equal((await asked(rpc, "notify")).message, "Using ada@example.com");
});

test("rpc mode: an account is removed only after a yes", async (t) => {
  const { simulator, rpc } = await begin(t);
  const labels = async () => {
    const file = JSON.parse(await readFile(join(simulator.agentDir, "codex-accounts.json"), "utf8"));
    return file.accounts.map(({ email }: { email: string }) => email);
  };
  for (const [round, confirmed] of [false, true].entries()) {
    rpc.send({ type: "prompt", message: "/multicodex" });
    const which = await asked(rpc, "select", 2 * round + 1);
    answer(rpc, which, { value: (which.options as string[])[1] });
    answer(rpc, await asked(rpc, "select", 2 * round + 2), { value: "Remove" });
    answer(rpc, await asked(rpc, "confirm", round + 1), { confirmed });
  }
  assert.equal((await asked(rpc, "notify")).message, "Removed bob@example.com");
  assert.deepEqual(await labels(), ["ada@example.com"]);
});

test("rpc mode: settings as questions, saved", async (t) => {
  const { simulator, rpc } = await begin(t);
  rpc.send({ type: "prompt", message: "/multicodex footer" });
  const which = await asked(rpc, "select");
  assert.ok((which.options as string[]).includes("Percentages: left"));
  answer(rpc, which, { value: "Percentages: left" });
  answer(rpc, await asked(rpc, "select", 2), { value: "used" });
  assert.equal((await asked(rpc, "notify")).message, "Percentages: used");
  const saved = JSON.parse(await readFile(join(simulator.agentDir, "settings.json"), "utf8"));
  assert.equal(saved["pi-multicodex"].usageMode, "used");
});

test("rpc mode: a login by device code shows the code, and ends by itself", async (t) => {
  const { simulator, rpc } = await begin(t, 0);
  await simulator.post("account", { name: "gus" });
  rpc.send({ type: "prompt", message: "/multicodex" });
  answer(rpc, await asked(rpc, "select"), { value: "Log in by device code" });
  const [, code, url] =
    /^Enter the code (\S+) at (\S+)$/.exec(String((await asked(rpc, "notify")).message)) ?? [];
  assert.ok(code && url);
  await simulator.post("visitor", { account: "gus" });
  await fetch(`${url}?user_code=${code}`);
  assert.equal((await asked(rpc, "notify", 2)).message, "Logged in as gus@example.com");
});

test("rpc mode: a login can be given up, and then is", async (t) => {
  const { rpc } = await begin(t, 0);
  rpc.send({ type: "prompt", message: "/multicodex login" });
  answer(rpc, await asked(rpc, "input"), { cancelled: true });
  assert.equal((await asked(rpc, "notify", 2)).message, "The login was given up");
});

test("the footer is shown for our models only, and follows the account", async (t) => {
  const { simulator, rpc } = await begin(t);
  const statuses = () =>
    rpc.records
      .filter(
        ({ type, method, statusKey }) =>
          type === "extension_ui_request" && method === "setStatus" && statusKey === "multicodex",
      )
      .map(({ statusText }) => String(statusText ?? ""));
  const last = (what: string, fits: (text: string) => boolean) =>
    rpc.seen(what, () => fits(statuses().at(-1) ?? "?"));
  await last("usage", (text) => /5h:88% left/.test(text));
  await simulator.behave({ when: { next: 1 }, behaviour: "usage_limit" });
  const [before] = /\w+@example\.com/.exec(statuses().at(-1) ?? "") ?? [];
  await rpc.prompt("Hello");
  await last("the other account", (text) => /@example\.com/.test(text) && !text.includes(String(before)));
});
