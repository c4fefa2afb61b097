import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { Multicodex, type MulticodexOptions } from "../src/index.ts";

/** What the simulator notes of a request. */
export interface Logged {
  route: string;
  account?: string;
  status?: number;
  headers: Record<string, string>;
  body: string;
  /** Only of a frame on a WebSocket. */
  frame?: { socket: number; bytes: number; continued: boolean };
  [member: string]: unknown;
}

/** `MULTICODEX_BIN`, or what cargo built in this checkout. */
export function builtBinary(): string {
  if (process.env.MULTICODEX_BIN) return process.env.MULTICODEX_BIN;
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, "Cargo.toml"))) directory = dirname(directory);
  const target = process.env.CARGO_TARGET_DIR ?? join(directory, "target");
  return resolve(target, "debug/multicodex");
}

/** `multicodex simulate`: a ChatGPT backend on loopback, with an agent directory that holds its accounts. */
export class Simulator {
  /** For the sidecar: where upstream and its files are. */
  readonly env: Record<string, string>;
  readonly agentDir: string;
  readonly #process: ChildProcess;
  readonly #ends: (() => Promise<unknown>)[];
  readonly #root: string;

  private constructor(
    env: Record<string, string>,
    agentDir: string,
    child: ChildProcess,
    ends: (() => Promise<unknown>)[],
  ) {
    this.env = env;
    this.agentDir = agentDir;
    this.#process = child;
    this.#ends = ends;
    this.#root = new URL(env.MULTICODEX_UPSTREAM_URL ?? "").origin;
  }

  static async start(test: TestContext, accounts = 2): Promise<Simulator> {
    const agentDir = await mkdtemp(join(tmpdir(), "multicodex-test-"));
    const args = ["simulate", "--accounts", String(accounts), "--agent-dir", agentDir];
    const child = spawn(builtBinary(), args, { stdio: ["ignore", "pipe", "inherit"] });
    const ends: (() => Promise<unknown>)[] = [];
    test.after(async () => {
      await Promise.all(ends.map((end) => end()));
      child.kill();
      await rm(agentDir, { recursive: true, force: true, maxRetries: 5 });
    });
    let told = "";
    child.stdout.setEncoding("utf8");
    for await (const text of child.stdout.iterator({ destroyOnReturn: false })) {
      told += text;
      if (/^MULTICODEX_STATE_DIR=.*\n/m.test(told)) break;
    }
    const env = Object.fromEntries(
      told
        .trim()
        .split("\n")
        .map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string]),
    );
    return new Simulator(env, agentDir, child, ends);
  }

  /** A client of a sidecar that talks to this simulator, closed at the end of the simulator's test. */
  client(options: Partial<MulticodexOptions> = {}): Multicodex {
    const client = new Multicodex({
      client: { name: "test", version: "0" },
      binary: builtBinary(),
      env: { ...process.env, ...this.env },
      ...options,
    });
    this.endFirst(() => client.close());
    return client;
  }

  /**
   * To be awaited at the end of the test before the directory is removed: a sidecar that ends writes down what it knows, and
   * would make the directory again.
   */
  endFirst(end: () => Promise<unknown>): void {
    this.#ends.push(end);
  }

  async get<T>(what: string): Promise<T> {
    const response = await fetch(`${this.#root}/__sim/${what}`);
    if (!response.ok) throw new Error(`${what}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  async post(what: string, body: unknown): Promise<unknown> {
    const response = await fetch(`${this.#root}/__sim/${what}`, {
      method: "POST",
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${what}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  /** What the simulator does with requests to `codex/responses`, unless the rule names another route. */
  behave(rule: { account?: string; route?: string; when?: unknown; behaviour: unknown }): Promise<unknown> {
    return this.post("behaviour", rule);
  }

  async completions(): Promise<Logged[]> {
    return (await this.get<Logged[]>("log")).filter(({ route }) => route === "responses");
  }

  async stop(): Promise<void> {
    const ended = once(this.#process, "exit");
    this.#process.kill();
    await ended;
  }
}

/** Asks until the answer is there; the deadline only ends a test that fails. */
export async function eventually<T>(
  what: string,
  ask: () => T | undefined | Promise<T | undefined>,
): Promise<T> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > deadline) throw new Error(`never came: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
