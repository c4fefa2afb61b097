import { type ChildProcessWithoutNullStreams, execFileSync, spawn, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Lines } from "../../typescript/src/lines.ts";
import { builtBinary, eventually, type Simulator } from "../../typescript/test/simulator.ts";

const extension = fileURLToPath(new URL("..", import.meta.url));
/** A real pi; `PI` names another one than that of tests/pi. */
const installed =
  process.env.PI ??
  execFileSync(fileURLToPath(new URL("../../../tests/pi/install.sh", import.meta.url)))
    .toString()
    .trim();

const { stdout, stderr } = spawnSync(installed, ["--version"], { encoding: "utf8" });
/** The record that ends a run; an old pi has none that waits for its own tries. */
const SETTLED = /\b0\.73\./.test(stdout + stderr) ? "agent_end" : "agent_settled";

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** How to start pi with the extension, in an agent directory that the simulator and the sidecar share. */
export class Pi {
  readonly program = installed;
  readonly args = ["--no-extensions", "--extension", extension];
  readonly home: string;
  readonly env: Record<string, string | undefined>;
  readonly simulator: Simulator;

  private constructor(simulator: Simulator, home: string) {
    this.simulator = simulator;
    this.home = home;
    this.env = {
      PATH: process.env.PATH,
      LANG: "C.UTF-8",
      HOME: home,
      ...simulator.env,
      MULTICODEX_BIN: builtBinary(),
      PI_OFFLINE: "1",
      PI_SKIP_VERSION_CHECK: "1",
      PI_TELEMETRY: "0",
    };
  }

  static async prepare(simulator: Simulator, settings: Record<string, unknown> = {}): Promise<Pi> {
    const home = join(simulator.agentDir, "home");
    await mkdir(home);
    await writeFile(join(simulator.agentDir, "settings.json"), JSON.stringify(settings));
    return new Pi(simulator, home);
  }

  /** One run to its end. */
  async run(...args: string[]): Promise<Ended> {
    const child = this.#spawn(["--no-session", ...args]);
    child.stdin.end();
    const ended: Ended = { code: null, stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => (ended.stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (ended.stderr += text));
    ended.code = await new Promise((resolve) => child.on("close", resolve));
    return ended;
  }

  rpc(...args: string[]): Rpc {
    const rpc = new Rpc(this.#spawn(["--mode", "rpc", ...args]));
    this.simulator.endFirst(() => rpc.end());
    return rpc;
  }

  #spawn(args: string[]): ChildProcessWithoutNullStreams {
    return spawn(this.program, [...this.args, ...args], { cwd: this.home, env: this.env, stdio: "pipe" });
  }
}

export type Record_ = Record<string, unknown> & { type: string };

/** pi as a program for programs: JSON lines both ways. */
export class Rpc {
  readonly records: Record_[] = [];
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #ended: Promise<number | null>;
  #stderr = "";

  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    const lines = new Lines();
    child.stdout.on("data", (chunk: Buffer) => {
      for (const line of lines.push(chunk)) this.records.push(JSON.parse(line) as Record_);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => (this.#stderr += text));
    child.stdin.on("error", () => {});
    this.#ended = new Promise((resolve) => child.on("close", resolve));
  }

  get pid(): number {
    return Number(this.#child.pid);
  }

  send(record: Record<string, unknown>): void {
    this.#child.stdin.write(`${JSON.stringify(record)}\n`);
  }

  /** The first record after the `after`th that fits. */
  async seen(what: string, fits: (record: Record_) => boolean, after = 0): Promise<Record_> {
    return eventually(`${what} (pi said: ${this.#stderr})`, () => this.records.slice(after).find(fits));
  }

  /** Asks, and answers the assistant's last message when the agent has settled. */
  async prompt(message: string): Promise<Record<string, unknown>> {
    const from = this.records.length;
    this.send({ type: "prompt", message });
    await this.settled(from);
    return this.lastAnswer(from);
  }

  settled(from = 0): Promise<Record_> {
    return this.seen("the end of the run", ({ type }) => type === SETTLED, from);
  }

  lastAnswer(from: number): Record<string, unknown> {
    const answers = this.records
      .slice(from)
      .filter(({ type }) => type === "message_end")
      .map(({ message }) => message as Record<string, unknown>)
      .filter(({ role }) => role === "assistant");
    const last = answers.at(-1);
    if (!last) throw new Error("there is no answer");
    return last;
  }

  async end(): Promise<number | null> {
    this.#child.stdin.end();
    return this.#ended;
  }
}

export function textOf(message: Record<string, unknown>): string {
  return (message.content as { type: string; text?: string }[])
    .map(({ type, text }) => (type === "text" ? text : ""))
    .join("");
}

/** The sidecars that this pi has started and that still run. */
export function sidecarsOf(pid: number): number[] {
  const children = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ name, stat: readOrNothing(`/proc/${name}/stat`) }))
    .filter(({ stat }) => {
      const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return Number(parent) === pid && state !== "Z" && stat.includes("(multicodex)");
    });
  return children.map(({ name }) => Number(name));
}

/** A process that has ended may still be listed, when nobody asks how it ended. */
export function runs(pid: number): boolean {
  const stat = readOrNothing(`/proc/${pid}/stat`);
  return stat !== "" && !stat.slice(stat.lastIndexOf(")")).startsWith(") Z");
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // It has ended since.
    return "";
  }
}
