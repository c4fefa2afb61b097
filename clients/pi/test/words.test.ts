import assert from "node:assert/strict";
import { test } from "node:test";
import type { Account, Failed, Status } from "../../typescript/src/index.ts";
import { CompletionError, SidecarGoneError } from "../../typescript/src/index.ts";
import { standing, until, usage } from "../src/account-lines.ts";
import { brokenStream, failedResponse } from "../src/failure.ts";
import { coloured } from "../src/person.ts";

const now = Date.UTC(2026, 0, 1);
const minutes = (count: number) => now + count * 60_000;
const ready: Account = {
  id: "acc_1",
  label: "ada",
  active: false,
  pinned: false,
  linked: false,
  state: "ready",
  token: { state: "valid", expiresAt: minutes(99) },
};
/** Of the words that make pi try again, those that are ours to use. */
const TRIES_AGAIN = /network.?error|timed? out/i;

test("the time until something is in the two largest units", () => {
  const cases: [number, string][] = [
    [0, "<1m"],
    [0.99, "<1m"],
    [1, "1m"],
    [59.9, "59m"],
    [60, "1h0m"],
    [133, "2h13m"],
    [24 * 60, "1d0h"],
    [76 * 60 + 5, "3d4h"],
  ];
  for (const [after, words] of cases) assert.equal(until(minutes(after), now), words);
  assert.equal(until(minutes(-5), now), "<1m");
});

test("how an account stands", () => {
  const cases: [Partial<Account>, string, string][] = [
    [{}, "ready", "plain"],
    [{ active: true }, "in use", "good"],
    [{ active: true, pinned: true }, "in use, pinned", "good"],
    [{ state: "cooling", cooldownUntil: minutes(58) }, "back in 58m", "warn"],
    [{ state: "cooling" }, "at its limit", "warn"],
    [{ state: "needs_login", active: true }, "login needed", "bad"],
    [{ state: "deactivated" }, "deactivated", "bad"],
    [{ state: "disabled" }, "disabled", "plain"],
    [{ backoffUntil: minutes(1) }, "resting", "warn"],
    [{ backoffUntil: minutes(-1) }, "ready", "plain"],
  ];
  for (const [change, text, tone] of cases)
    assert.deepEqual(standing({ ...ready, ...change }, now), { text, tone });
});

test("usage is what is left, and unknown is not nothing", () => {
  assert.equal(usage(ready), "usage unknown");
  const windows = [
    { name: "5h", usedPercent: 12.4, windowMinutes: 300 },
    { name: "7d", usedPercent: 100, windowMinutes: 10080 },
  ];
  const known = {
    ...ready,
    usage: { windows, fetchedAt: now, source: "usage_endpoint", stale: false, limits: [] },
  };
  assert.equal(usage(known as Account), "5h 88% left  7d 0% left");
});

test("the status line has the theme's colours, by severity", () => {
  const theme = { fg: (colour: string, text: string) => `<${colour}>${text}` };
  const status: Status = {
    text: "",
    updatedAt: now,
    segments: [
      { text: "Codex", role: "brand" },
      { text: "ada", role: "account" },
      { text: "5h:9% left", role: "window", severity: "error" },
      { text: "(↺13m)", role: "reset" },
      { text: "7d:60% left", role: "window", severity: "success" },
      { text: "30d:--", role: "window", severity: "unknown" },
    ],
  };
  assert.equal(
    coloured(theme as never, status),
    "<dim>Codex <text>ada <error>5h:9% left <dim>(↺13m) <success>7d:60% left <dim>30d:--",
  );
});

const failed = (change: Partial<Failed>) =>
  new CompletionError({
    kind: "network",
    message: "no route",
    phase: "before_output",
    attempts: 1,
    ...change,
  });

async function errorOf(response: Response): Promise<{ message: string }> {
  return ((await response.json()) as { error: { message: string } }).error;
}

test("a failure with an answer of upstream is that answer, unchanged", async () => {
  const body = '{"error":{"type":"usage_limit_reached", "x":1.0}}';
  const response = failedResponse(failed({ kind: "no_available_account", status: 429, body }));
  assert.equal(response.status, 429);
  assert.equal(await response.text(), body);
});

test("what is no refusal of upstream is none to pi", () => {
  const html = failed({ kind: "upstream_protocol", status: 200, body: "<html>" });
  assert.equal(failedResponse(html).status, 503);
});

test("a failure without one is put so that pi says and does the right thing", async () => {
  const cooling = { account: "acc_1", state: "cooling" as const };
  const disabled = { account: "acc_2", state: "disabled" as const };
  for (const accounts of [[cooling], [disabled, cooling]]) {
    const limited = failedResponse(failed({ kind: "no_available_account", retryAt: minutes(5), accounts }));
    assert.equal(limited.status, 429);
    assert.deepEqual(await errorOf(limited), {
      type: "usage_limit_reached",
      message: "no route",
      resets_at: minutes(5) / 1000,
    });
  }
  const unused = failed({ kind: "no_available_account", accounts: [disabled] });
  assert.equal(failedResponse(unused).status, 503);
  const cases: [Partial<Failed>, boolean][] = [
    [{ kind: "network" }, true],
    [{ kind: "stream_interrupted" }, true],
    [{ kind: "idle_timeout" }, true],
    [{ kind: "login_required" }, false],
    [{ kind: "account_unavailable" }, false],
    [{ kind: "storage" }, false],
    [{ kind: "no_available_account", accounts: [{ account: "acc_1", state: "needs_login" }] }, false],
  ];
  for (const [change, triesAgain] of cases) {
    const { message } = await errorOf(failedResponse(failed(change)));
    assert.equal(TRIES_AGAIN.test(message), triesAgain, message);
    assert.match(message, /no route/);
    assert.equal(TRIES_AGAIN.test(brokenStream(failed(change)).message), triesAgain);
  }
});

test("what the sidecar logged before it died is not shown in the middle of an answer", () => {
  const { message } = brokenStream(
    new SidecarGoneError("multicodex ended (SIGKILL): a long log, timed out", "SIGKILL"),
  );
  assert.ok(message.includes("SIGKILL"));
  assert.ok(!TRIES_AGAIN.test(message));
});
