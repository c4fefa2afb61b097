import type { ExtensionContext, Theme } from "@mariozechner/pi-coding-agent";
import { type Component, matchesKey, type TUI, visibleWidth } from "@mariozechner/pi-tui";
import type { Account, AccountsParams } from "../../../typescript/src/index.ts";
import { extras, standing, type Tone, usage } from "../account-lines.ts";
import { messageOf } from "../person.ts";
import { sidecar } from "../sidecar.ts";
import { framed, wrapped } from "./frame.ts";

/** Actions that this panel leaves to its caller. */
export type Leave =
  | { to: "nothing" | "new" | "device" | "footer" | "rotation" | "verify" }
  | { to: "again"; account: string };

const COLOURS: Record<Tone, Parameters<Theme["fg"]>[0]> = {
  good: "success",
  plain: "muted",
  warn: "warning",
  bad: "error",
};
const KEYS =
  "enter use · u refresh · r log in again · c reset credit · n new account · d new by device code · " +
  "backspace remove · f footer · o rotation · v verify · esc close";
/** How often the countdowns are redrawn; they show minutes. */
const TICK_MS = 15_000;

/** Returns undefined without panels. */
export function accountsPanel(ctx: ExtensionContext): Promise<Leave | undefined> {
  return ctx.ui.custom<Leave>(
    (tui, theme, keybindings, done) => new AccountsPanel(tui, theme, keybindings, done),
  );
}

interface Keybindings {
  matches(
    data: string,
    action: "tui.select.up" | "tui.select.down" | "tui.select.confirm" | "tui.select.cancel",
  ): boolean;
}

class AccountsPanel implements Component {
  readonly #tui: TUI;
  readonly #theme: Theme;
  readonly #keybindings: Keybindings;
  readonly #done: (leave: Leave) => void;
  readonly #stop: () => void;
  readonly #tick: NodeJS.Timeout;
  #accounts: Account[] | undefined;
  #selected: string | undefined;
  #removing = false;
  /** What is known of a reset credit, while the person decides whether to redeem it. */
  #resetting: { account: string; label: string; notes: string[] } | undefined;
  #message: { text: string; tone: Tone } | undefined;

  constructor(tui: TUI, theme: Theme, keybindings: Keybindings, done: (leave: Leave) => void) {
    this.#tui = tui;
    this.#theme = theme;
    this.#keybindings = keybindings;
    this.#done = done;
    this.#stop = sidecar().on("accounts/changed", () => void this.#load());
    this.#tick = setInterval(() => tui.requestRender(), TICK_MS);
    // First what is known; then the usage, which is read from upstream.
    void this.#load().then(() => this.#load({ refreshUsage: true }));
  }

  render(width: number): string[] {
    return framed(this.#theme, width, "Codex accounts", this.#lines(width), this.#asks() ? "" : KEYS);
  }

  invalidate(): void {}

  dispose(): void {
    this.#stop();
    clearInterval(this.#tick);
  }

  handleInput(data: string): void {
    const account = this.#account();
    if (this.#removing && account) this.#answerRemoval(data, account);
    else if (this.#resetting) this.#answerReset(data, this.#resetting);
    else if (this.#keybindings.matches(data, "tui.select.cancel")) this.#leave({ to: "nothing" });
    else if (this.#keybindings.matches(data, "tui.select.up")) this.#move(-1);
    else if (this.#keybindings.matches(data, "tui.select.down")) this.#move(1);
    else if (matchesKey(data, "n")) this.#leave({ to: "new" });
    else if (matchesKey(data, "d")) this.#leave({ to: "device" });
    else if (matchesKey(data, "f")) this.#leave({ to: "footer" });
    else if (matchesKey(data, "o")) this.#leave({ to: "rotation" });
    else if (matchesKey(data, "v")) this.#leave({ to: "verify" });
    else if (account) this.#handleForAccount(data, account);
    this.#tui.requestRender();
  }

  #handleForAccount(data: string, { id, label }: Account): void {
    if (this.#keybindings.matches(data, "tui.select.confirm")) this.#use(id, label);
    else if (matchesKey(data, "u")) this.#refresh(id, label);
    else if (matchesKey(data, "r")) this.#leave({ to: "again", account: id });
    else if (matchesKey(data, "c")) this.#askForReset(id, label);
    else if (matchesKey(data, "backspace") || matchesKey(data, "delete")) this.#removing = true;
  }

  #answerRemoval(data: string, { id, label }: Account): void {
    this.#removing = false;
    if (!matchesKey(data, "y") && !this.#keybindings.matches(data, "tui.select.confirm")) return;
    void this.#do(`Removing ${label} …`, async () => {
      await sidecar().request("accounts/remove", { account: id });
      return `Removed ${label}`;
    });
  }

  /** Whether a question is open, which takes every key. */
  #asks(): boolean {
    return this.#removing || this.#resetting !== undefined;
  }

  /** Shows what is known first; nothing is spent yet. */
  #askForReset(id: string, label: string): void {
    void this.#do(`Asking for the reset credits of ${label} …`, async () => {
      const { credit, notes } = await sidecar().request("accounts/resetCredit", {
        account: id,
        dryRun: true,
      });
      if (!credit) throw new Error(notes[0]);
      this.#resetting = { account: id, label, notes };
      return "";
    });
  }

  /** A credit that is spent does not come back, so only `y` spends it. */
  #answerReset(data: string, { account, label }: { account: string; label: string }): void {
    this.#resetting = undefined;
    if (!matchesKey(data, "y")) return;
    void this.#do(`Redeeming a reset credit of ${label} …`, async () => {
      const { verified, notes } = await sidecar().request("accounts/resetCredit", { account });
      const [told = ""] = notes;
      if (verified !== true) throw new Error(`${label}: ${told}`);
      return `${label}: ${told}`;
    });
  }

  #use(id: string, label: string): void {
    void this.#do(`Asking for ${label} …`, async () => {
      await sidecar().request("accounts/use", { account: id });
      return `Using ${label}`;
    });
  }

  #refresh(id: string, label: string): void {
    void this.#do(`Refreshing ${label} …`, async () => {
      const { results } = await sidecar().request("refresh", { account: id });
      const [failed] = results.flatMap(({ error }) => error ?? []);
      if (failed) throw new Error(failed.message);
      return `Refreshed ${label}`;
    });
  }

  async #do(begun: string, work: () => Promise<string>): Promise<void> {
    this.#message = { text: begun, tone: "plain" };
    try {
      this.#message = { text: await work(), tone: "good" };
    } catch (error) {
      this.#message = { text: messageOf(error), tone: "bad" };
    }
    await this.#load();
  }

  async #load(params: AccountsParams = {}): Promise<void> {
    try {
      this.#accounts = (await sidecar().request("accounts", params)).accounts;
      this.#selected = this.#account()?.id;
    } catch (error) {
      this.#message = { text: messageOf(error), tone: "bad" };
    }
    this.#tui.requestRender();
  }

  /** The selected account; the first one when none is selected or the selected one was removed. */
  #account(): Account | undefined {
    return this.#accounts?.find(({ id }) => id === this.#selected) ?? this.#accounts?.[0];
  }

  #move(by: number): void {
    const accounts = this.#accounts ?? [];
    const at = accounts.findIndex(({ id }) => id === this.#account()?.id);
    this.#selected = accounts[Math.max(0, Math.min(accounts.length - 1, at + by))]?.id;
    this.#message = undefined;
  }

  #leave(leave: Leave): void {
    this.dispose();
    this.#done(leave);
  }

  #lines(width: number): string[] {
    const theme = this.#theme;
    const accounts = this.#accounts;
    const lines: string[] = [];
    if (!accounts) lines.push(`  ${theme.fg("dim", "Asking …")}`);
    else if (accounts.length === 0) lines.push(`  ${theme.fg("warning", "No account yet: n logs one in")}`);
    else lines.push(...this.#rows(accounts), ...this.#detail(width));
    if (this.#message?.text) {
      const { text, tone } = this.#message;
      lines.push("", ...wrapped(text, width).map((line) => theme.fg(COLOURS[tone], line)));
    }
    return lines;
  }

  #rows(accounts: Account[]): string[] {
    const theme = this.#theme;
    const now = Date.now();
    const rows = accounts.map((account) => [account.label, account.plan ?? "", standing(account, now).text]);
    const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => visibleWidth(row[column] ?? ""))));
    const padded = (text: string, column: number) =>
      text + " ".repeat((widths[column] ?? 0) - visibleWidth(text));
    return accounts.map((account) => {
      const selected = account.id === this.#account()?.id;
      const { text, tone } = standing(account, now);
      const label = padded(account.label, 0);
      return [
        selected ? theme.fg("accent", " →") : "  ",
        selected ? theme.fg("accent", label) : label,
        ` ${theme.fg("dim", padded(account.plan ?? "", 1))}`,
        ` ${theme.fg(COLOURS[tone], padded(text, 2))}`,
        ` ${theme.fg("dim", usage(account))}`,
      ].join(" ");
    });
  }

  #detail(width: number): string[] {
    const account = this.#account();
    if (!account) return [];
    if (this.#removing)
      return [
        "",
        `  ${this.#theme.fg("warning", `Remove ${account.label}? y removes, any other key keeps it`)}`,
      ];
    if (this.#resetting)
      return [
        "",
        ...this.#resetting.notes.flatMap((note) => wrapped(this.#theme.fg("dim", note), width)),
        `  ${this.#theme.fg("warning", `Redeem a reset credit of ${this.#resetting.label}? y redeems, any other key keeps it`)}`,
      ];
    const why = account.reason?.message;
    const linked = account.linked ? "This is pi's own login." : undefined;
    const parts = [linked, account.state === "ready" ? undefined : why, extras(account, Date.now())];
    const text = parts.filter(Boolean).join(" ");
    return text === "" ? [] : ["", ...wrapped(this.#theme.fg("dim", text), width)];
  }
}
