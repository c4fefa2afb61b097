import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { stripVTControlCharacters } from "node:util";
import { eventually } from "../../typescript/test/simulator.ts";
import type { Pi } from "./pi.ts";

const WIDTH = 100;

/** pi in a terminal of its own, by tmux. */
export class Terminal {
  readonly #socket = `multicodex-${randomBytes(6).toString("hex")}`;

  constructor(pi: Pi) {
    const words = ["exec", pi.program, ...pi.args, "--no-session"].map((word) => `'${word}'`).join(" ");
    const size = ["-x", String(WIDTH), "-y", "40"];
    execFileSync("tmux", ["-L", this.#socket, "-f", "/dev/null", "new-session", "-d", ...size, words], {
      cwd: pi.home,
      env: { ...pi.env, TERM: "xterm-256color" },
    });
    pi.simulator.endFirst(() => this.#end());
  }

  async #end(): Promise<void> {
    let pid: number;
    try {
      pid = this.pid;
      this.#tmux("kill-server");
    } catch {
      // pi has ended, and tmux with it.
      return;
    }
    await eventually("the end of pi", () => !existsSync(`/proc/${pid}`));
  }

  #tmux(...args: string[]): string {
    return execFileSync("tmux", ["-L", this.#socket, ...args], {
      encoding: "utf8",
      stdio: ["pipe", "pipe", "pipe"],
    });
  }

  /** Of pi. */
  get pid(): number {
    return Number(this.#tmux("display-message", "-p", "#{pane_pid}"));
  }

  /** Keys by tmux's names, e.g. `Enter`, `BSpace`. */
  press(...keys: string[]): void {
    this.#tmux("send-keys", ...keys);
  }

  type(text: string): void {
    this.#tmux("send-keys", "-l", text);
  }

  /** Gives a command as one paste, which no completion gets in the way of. */
  async command(line: string): Promise<void> {
    this.#tmux("set-buffer", line);
    this.#tmux("paste-buffer", "-p");
    await this.shows(line);
    this.press("Enter");
  }

  screen(): string {
    return stripVTControlCharacters(this.coloured());
  }

  coloured(): string {
    return this.#tmux("capture-pane", "-p", "-e");
  }

  async shows(what: string | RegExp): Promise<void> {
    const there = () => (typeof what === "string" ? this.screen().includes(what) : what.test(this.screen()));
    try {
      await eventually(String(what), () => there() || undefined);
    } catch (error) {
      throw new Error(`${(error as Error).message}; the screen:\n${this.screen()}`);
    }
  }

  /** The lines between the borders of the panel with this title, once all of `lines` are among them. */
  async panel(title: string, ...lines: (string | RegExp)[]): Promise<string[]> {
    const border = "─".repeat(WIDTH);
    const now = () => {
      const all = this.screen()
        .split("\n")
        .map((line) => line.trimEnd());
      const from = all.lastIndexOf(border, all.indexOf(` ${title}`)) + 1;
      const inside = all.slice(from, all.indexOf(border, from)).filter((line) => line !== "");
      return inside[0] === ` ${title}` ? inside.slice(1) : [];
    };
    const fits = (panel: string[]) =>
      panel.length > 0 &&
      lines.every((wanted) =>
        panel.some((line) => (typeof wanted === "string" ? line === wanted : wanted.test(line))),
      );
    try {
      return await eventually(`${title}: ${lines.join(" | ")}`, () => {
        const panel = now();
        return fits(panel) ? panel : undefined;
      });
    } catch (error) {
      throw new Error(`${(error as Error).message}; the screen:\n${this.screen()}`);
    }
  }
}
