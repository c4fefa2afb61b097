import assert from "node:assert/strict";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { eventually, Simulator } from "../../typescript/test/simulator.ts";
import { Pi, sidecarsOf } from "./pi.ts";
import { Terminal } from "./tui.ts";

/** A browser whose person says yes: it goes where it is sent. */
async function withBrowser(pi: Pi): Promise<void> {
  const bin = join(pi.home, "bin");
  await mkdir(bin);
  const browser = `#!/bin/sh\nexec '${process.execPath}' -e 'fetch(process.argv[1]).then((page) => page.text())' "$1"\n`;
  await writeFile(join(bin, "xdg-open"), browser);
  await chmod(join(bin, "xdg-open"), 0o755);
  pi.env.PATH = `${bin}:${pi.env.PATH}`;
}

const KEYS = [
  " enter use · u refresh · r log in again · c reset credit · n new account · d new by device code ·",
  " backspace remove · f footer · o rotation · v verify · esc close",
];

test("the accounts panel: rows with usage; use, refresh, remove after a question", async (t) => {
  const simulator = await Simulator.start(t, 3);
  const pi = await Pi.prepare(simulator);
  const terminal = new Terminal(pi);
  await terminal.shows(/Codex · \w+@example\.com · 5h:88% left · 7d:95% left \(↺6d\d+h\)/);
  await terminal.command("/multicodex use ada@example.com");
  await terminal.shows("Codex · ada@example.com");

  await terminal.command("/multicodex");
  const rows = [
    " → ada@example.com   plus  in use, pinned  5h 88% left  7d 95% left",
    "   bob@example.com   plus  ready           5h 88% left  7d 95% left",
    "   cleo@example.com  plus  ready           5h 88% left  7d 95% left",
  ];
  assert.deepEqual(await terminal.panel("Codex accounts", ...rows), [...rows, ...KEYS]);

  terminal.press("Down", "Enter");
  await terminal.panel(
    "Codex accounts",
    " → bob@example.com   plus  in use, pinned  5h 88% left  7d 95% left",
    "  Using bob@example.com",
  );
  await terminal.shows("Codex · bob@example.com · 5h");

  await simulator.post("usage", {
    account: "bob",
    usage: { windows: [{ minutes: 300, used_percent: 60, resets_in_seconds: 7200 }] },
  });
  terminal.press("u");
  await terminal.panel(
    "Codex accounts",
    " → bob@example.com   plus  in use, pinned  5h 40% left",
    "  Refreshed bob@example.com",
  );

  terminal.press("Down", "BSpace");
  await terminal.panel("Codex accounts", "  Remove cleo@example.com? y removes, any other key keeps it");
  terminal.press("x");
  await terminal.panel("Codex accounts", KEYS[0] as string, / → cleo@example\.com/);
  terminal.press("BSpace");
  await terminal.panel("Codex accounts", "  Remove cleo@example.com? y removes, any other key keeps it");
  terminal.press("y");
  const left = await terminal.panel("Codex accounts", "  Removed cleo@example.com");
  assert.ok(!left.some((line) => /cleo@example\.com +plus/.test(line)));
  assert.ok(!(await readFile(join(simulator.agentDir, "codex-accounts.json"), "utf8")).includes("cleo"));

  terminal.press("Escape");
  await terminal.shows(/^(?![\s\S]*Codex accounts)/);
});

test("a reset credit: what is known is shown first, and only y redeems", async (t) => {
  const simulator = await Simulator.start(t, 1);
  const pi = await Pi.prepare(simulator);
  const terminal = new Terminal(pi);
  const usage = {
    windows: [{ minutes: 10080, used_percent: 100, resets_in_seconds: 4 * 86_400 + 43_200 }],
    reset_credits: [{ id: "credit-1", expires_in_seconds: 20 * 86_400 + 43_200 }],
  };
  await simulator.post("usage", { account: "ada", usage });
  await terminal.shows("Codex ·");
  await terminal.command("/multicodex");
  await terminal.panel("Codex accounts", /1 reset credit, the first expires in 20d\d+h\./);
  const question = "  Redeem a reset credit of ada@example.com? y redeems, any other key keeps it";
  for (const key of ["Enter", "x"]) {
    terminal.press("c");
    await terminal.panel(
      "Codex accounts",
      /the only reset credit would be spent; it expires in 20d\d+h/,
      /7d: 100 % used, resets in 4d\d+h/,
      question,
    );
    terminal.press(key);
    await terminal.panel("Codex accounts", KEYS[0] as string, /7d 0% left/);
  }
  terminal.press("c");
  await terminal.panel("Codex accounts", question);
  terminal.press("y");
  await terminal.panel(
    "Codex accounts",
    /7d 100% left/,
    "  ada@example.com: a credit was spent, and usage shows the reset",
  );
  terminal.press("c");
  await terminal.panel("Codex accounts", "  no reset credit can be redeemed");
});

test("rows are live, and a cooling account says for how long", async (t) => {
  const simulator = await Simulator.start(t, 2);
  const pi = await Pi.prepare(simulator);
  const terminal = new Terminal(pi);
  await simulator.behave({ account: "ada", behaviour: "usage_limit" });
  await terminal.shows("Codex ·");
  await terminal.command("/multicodex use ada@example.com");
  await terminal.shows("Codex · ada@example.com");
  await terminal.command("Hello terminal");
  await terminal.shows("You asked: “Hello terminal”. (Simulated, with the account bob.)");
  await terminal.shows("Codex · bob@example.com");
  await terminal.command("/multicodex");
  await terminal.panel("Codex accounts", /^ → ada@example\.com +plus {2}back in (59m|1h0m) /);
  await terminal.panel(
    "Codex accounts",
    /^ {3}bob@example\.com +plus {2}in use /,
    "  The usage limit has been reached",
  );
  // What another sidecar, or a person, does to the file is seen, too.
  const file = join(simulator.agentDir, "codex-accounts.json");
  const accounts = JSON.parse(await readFile(file, "utf8"));
  accounts.accounts = accounts.accounts.filter(({ email }: { email: string }) => email.startsWith("bob"));
  await writeFile(file, JSON.stringify(accounts));
  const panel = await terminal.panel("Codex accounts", /^ → bob@example\.com/);
  assert.ok(!panel.some((line) => line.includes("ada@")));
});

test("footer settings: preview, saved on each change", async (t) => {
  const simulator = await Simulator.start(t, 1);
  const pi = await Pi.prepare(simulator);
  const terminal = new Terminal(pi);
  await terminal.shows("5h:88% left");
  await terminal.command("/multicodex footer");
  await terminal.panel(
    "Footer",
    /^ {2}Codex · ada@example\.com · 5h:88% left · 7d:95% left/,
    "→ Percentages   left",
  );
  terminal.press("Enter");
  await terminal.panel(
    "Footer",
    /^ {2}Codex · ada@example\.com · 5h:12% used · 7d:5% used/,
    "→ Percentages   used",
  );
  terminal.press("Down", "Down", "Down", "Enter");
  await terminal.panel("Footer", /^ {2}Codex · 5h:12% used · 7d:5% used/, "→ Account       hidden");
  await terminal.shows(/\nCodex · 5h:12% used · 7d:5% used/);
  const saved = JSON.parse(await readFile(join(simulator.agentDir, "settings.json"), "utf8"));
  assert.equal(saved["pi-multicodex"].usageMode, "used");
  assert.equal(saved["pi-multicodex"].showAccount, false);
  terminal.press("Escape");
  await terminal.shows(/^(?![\s\S]*saved at once)/);
});

test("rotation settings: the policy and the order, saved on each change", async (t) => {
  const simulator = await Simulator.start(t, 2);
  const pi = await Pi.prepare(simulator);
  const terminal = new Terminal(pi);
  await terminal.shows("Codex ·");
  await terminal.command("/multicodex rotation");
  await terminal.panel("Rotation", "→ Strategy          in turn", /^ {2}1\. \w+@example\.com/, /^ {2}2\. /);
  terminal.press("Enter");
  await terminal.panel("Rotation", "→ Strategy          priority");
  await eventually("it is saved", async () => {
    const saved = JSON.parse(await readFile(join(simulator.agentDir, "settings.json"), "utf8"));
    return saved["pi-multicodex"]?.rotation?.strategy === "priority" || undefined;
  });
});

test("from nothing: an empty agent directory, a login in the browser, an answer", async (t) => {
  const simulator = await Simulator.start(t, 0);
  const pi = await Pi.prepare(simulator);
  await withBrowser(pi);
  await simulator.post("account", { name: "gus" });
  await simulator.post("visitor", { account: "gus" });
  const terminal = new Terminal(pi);
  await terminal.shows("Codex · no accounts");
  await terminal.command("/multicodex");
  await terminal.panel("Codex accounts", "  No account yet: n logs one in");
  terminal.press("n");
  await terminal.panel("Codex accounts", /^ → gus@example\.com +plus {2}in use/);
  await terminal.shows("Logged in as gus@example.com");
  terminal.press("Escape");
  await terminal.shows(/^(?![\s\S]*Codex accounts)/);
  await terminal.command("Hello at last");
  await terminal.shows("You asked: “Hello at last”. (Simulated, with the account gus.)");
});

test("an account is logged in again, and the login of another is refused", async (t) => {
  const simulator = await Simulator.start(t, 2);
  const pi = await Pi.prepare(simulator);
  await withBrowser(pi);
  await simulator.post("visitor", { account: "bob" });
  const terminal = new Terminal(pi);
  await terminal.shows("Codex ·");
  await terminal.command("/multicodex");
  await terminal.panel("Codex accounts", /^ → ada@example\.com/);
  terminal.press("r");
  await terminal.shows("Error: the login belongs to another identity than ada@example.com");
  await simulator.post("visitor", { account: "ada" });
  await terminal.panel("Codex accounts", /^ → ada@example\.com/);
  terminal.press("r");
  await terminal.shows("Logged in as ada@example.com");
});

test("pi's own /login logs in with multicodex, and the sidecar does not take its entry for a login", async (t) => {
  const simulator = await Simulator.start(t, 0);
  const pi = await Pi.prepare(simulator);
  await withBrowser(pi);
  await simulator.post("account", { name: "gus" });
  await simulator.post("visitor", { account: "gus" });
  const terminal = new Terminal(pi);
  await terminal.shows("Codex · no accounts");
  await terminal.command("/login openai-codex");
  await terminal.shows("→ Sign in with an account");
  terminal.press("Enter");
  await terminal.shows(/Codex · gus@example\.com/);
  await terminal.command("Hello again");
  await terminal.shows("You asked: “Hello again”. (Simulated, with the account gus.)");
  const stored = JSON.parse(await readFile(join(simulator.agentDir, "auth.json"), "utf8"))["openai-codex"];
  assert.equal(stored.refresh, "multicodex");
  const { accounts } = JSON.parse(await readFile(join(simulator.agentDir, "codex-accounts.json"), "utf8"));
  assert.equal(accounts.length, 1);
});

test("arguments are completed, with the accounts' names", async (t) => {
  const simulator = await Simulator.start(t, 2);
  const pi = await Pi.prepare(simulator);
  const terminal = new Terminal(pi);
  await terminal.shows("Codex ·");
  terminal.type("/multicodex us");
  await terminal.shows(/use \[account\]/);
  terminal.type("e b");
  await terminal.shows(/→ bob@example\.com/);
  terminal.press("Tab");
  await terminal.shows("/multicodex use bob@example.com");
  terminal.press("Enter");
  await terminal.shows("Using bob@example.com");
  await terminal.shows("Codex · bob@example.com");
});

test("a reload of pi has a sidecar of its own, and ends the one before", async (t) => {
  const simulator = await Simulator.start(t, 1);
  const pi = await Pi.prepare(simulator);
  const terminal = new Terminal(pi);
  await terminal.shows("Codex · ada@example.com");
  const [before] = sidecarsOf(terminal.pid);
  await terminal.command("/reload");
  await terminal.shows("Reloaded keybindings, extensions");
  await eventually("another sidecar", () => {
    const now = sidecarsOf(terminal.pid);
    return (now.length === 1 && now[0] !== before) || undefined;
  });
  await terminal.command("Hello reloaded");
  await terminal.shows("You asked: “Hello reloaded”");
});

test("what verify finds is shown until a key is pressed", async (t) => {
  const simulator = await Simulator.start(t, 1);
  const pi = await Pi.prepare(simulator);
  const terminal = new Terminal(pi);
  await terminal.shows("Codex ·");
  await terminal.command("/multicodex verify");
  await terminal.panel("Verify", / ada@example\.com is logged in$/, " any key closes");
  terminal.press("x");
  await terminal.shows(/^(?![\s\S]*any key closes)/);
});

test("an account that only a login helps is logged in on the way, after a question", async (t) => {
  const simulator = await Simulator.start(t, 2);
  const pi = await Pi.prepare(simulator);
  await withBrowser(pi);
  await simulator.post("visitor", { account: "ada" });
  await simulator.post("revoke_access", { account: "ada" });
  await simulator.behave({
    account: "ada",
    route: "token",
    when: { next: 1 },
    behaviour: "refresh_token_expired",
  });
  const terminal = new Terminal(pi);
  await terminal.shows("Codex ·");
  await terminal.command("/multicodex refresh ada@example.com");
  await terminal.shows(/login needed|needs_login|needs login/);
  await terminal.command("/multicodex use ada@example.com");
  await terminal.shows("Log in again?");
  terminal.press("Enter");
  await terminal.shows("Using ada@example.com");
});
