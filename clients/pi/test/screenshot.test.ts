import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Simulator } from "../../typescript/test/simulator.ts";
import { Pi } from "./pi.ts";
import { Terminal } from "./tui.ts";

/** `SCREENSHOT=1 npm test` draws the picture in the README anew; otherwise it is only seen to be right. */
const picture = fileURLToPath(new URL("../screenshot.svg", import.meta.url));

test("the picture in the README", async (t) => {
  const simulator = await Simulator.start(t, 4);
  const pi = await Pi.prepare(simulator);
  const windows = (five: number, seven: number) => [
    { minutes: 300, used_percent: five, resets_in_seconds: 7980 },
    { minutes: 10080, used_percent: seven, resets_in_seconds: 273_600 },
  ];
  for (const [account, five, seven] of [
    ["ada", 100, 61],
    ["bob", 64, 22],
    ["cleo", 12, 5],
    ["dan", 0, 0],
  ] as const) {
    await simulator.post("usage", { account, usage: { windows: windows(five, seven) } });
  }
  await simulator.behave({ account: "ada", behaviour: "usage_limit" });
  const terminal = new Terminal(pi);
  await terminal.shows("Codex ·");
  await terminal.command("/multicodex use ada@example.com");
  await terminal.shows("Codex · ada@example.com");
  await terminal.command("Who answers when ada has met her limit?");
  await terminal.shows("(Simulated, with the account");
  await terminal.command("/multicodex use bob@example.com");
  await terminal.shows("Codex · bob@example.com");
  await terminal.command("/multicodex");
  await terminal.panel("Codex accounts", /^ {3}dan@example\.com .* 7d 100% left$/);
  terminal.press("Down");
  await terminal.panel(
    "Codex accounts",
    /^ → bob@example\.com +plus {2}in use, pinned +5h 36% left {2}7d 78% left$/,
  );
  if (!process.env.SCREENSHOT) return;
  const screen = terminal.coloured().trimEnd();
  const from = screen.lastIndexOf("\n", screen.indexOf("Who answers"));
  const draw = fileURLToPath(new URL("../../screenshots/ansi-to-svg", import.meta.url));
  await writeFile(picture, execFileSync(draw, ["multicodex in pi"], { input: screen.slice(from + 1) }));
});
