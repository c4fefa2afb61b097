import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { RequestError, SidecarGoneError } from "./errors.ts";
import type { ErrorData } from "./generated.ts";
import { Lines } from "./lines.ts";

/** How long a process may take to end by itself before it is killed. It needs 2 s at most, more on a busy machine. */
const GRACE_MS = 5_000;
/** How long to read what it wrote before its end. */
const DRAINED_MS = 1_000;
const STDERR_KEPT = 4_096;

export interface Start {
  binary: string;
  args: readonly string[];
  env: Record<string, string | undefined>;
  onNotification(method: string, params: unknown): void;
  onStderr(text: string): void;
  /** Called once, after everything that waited has failed. */
  onEnd(why: SidecarGoneError): void;
}

interface Waiting {
  method: string;
  answered(result: unknown): void;
  failed(error: Error): void;
}

interface Message {
  id?: unknown;
  method?: unknown;
  params?: unknown;
  result?: unknown;
  error?: { code: number; message: string; data?: ErrorData };
}

/** One sidecar process: requests out, answers and notifications in. It is not restarted; `Multicodex` starts another. */
export class Connection {
  readonly ended: Promise<void>;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #start: Start;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 0;
  #stderr = "";
  #over: SidecarGoneError | undefined;

  constructor(start: Start) {
    this.#start = start;
    this.#child = spawn(start.binary, ["serve", ...start.args], {
      env: start.env,
      stdio: "pipe",
      windowsHide: true,
    });
    const { stdin, stdout, stderr } = this.#child;
    // The event `close` reports a process that is gone; the broken pipe alone says less.
    stdin.on("error", () => {});
    const lines = new Lines();
    stdout.on("data", (chunk: Buffer) => {
      for (const line of lines.push(chunk)) this.#receive(line);
    });
    stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_KEPT);
      start.onStderr(text);
    });
    this.ended = new Promise((resolve) => {
      this.#child.on("error", (error) => {
        this.#end(`cannot start ${start.binary}: ${error.message}`, "not started");
        resolve();
      });
      // A program that inherited its pipes, e.g. a browser, may keep them open.
      this.#child.on("exit", () => setTimeout(() => this.#hangUp(), DRAINED_MS).unref());
      this.#child.on("close", (code, signal) => {
        const said = this.#stderr.trim();
        const how = signal ?? `exit code ${code}`;
        this.#end(`multicodex ended (${how})${said === "" ? "" : `: ${said}`}`, how);
        resolve();
      });
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /**
   * `answered` runs before any later message of the sidecar is handled; a promise could not ensure that. Returns the
   * request's id, for `$/cancelRequest`.
   */
  send(method: string, params: unknown, answered: Waiting["answered"], failed: Waiting["failed"]): number {
    const id = this.#nextId++;
    if (this.#over) {
      failed(this.#over);
      return id;
    }
    this.#waiting.set(id, { method, answered, failed });
    this.#write({ jsonrpc: "2.0", id, method, params });
    return id;
  }

  notify(method: string, params?: unknown): void {
    if (!this.#over) this.#write({ jsonrpc: "2.0", method, params });
  }

  /** Cancels a request whose answer is no longer wanted. */
  forget(id: number): void {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.set(id, { method: waiting.method, answered: () => {}, failed: () => {} });
    this.notify("$/cancelRequest", { id });
  }

  /** Closes the input of the process, which then ends by itself; kills it if it does not. */
  async close(): Promise<void> {
    this.#child.stdin.end();
    const kill = setTimeout(() => this.kill(), GRACE_MS);
    await this.ended;
    clearTimeout(kill);
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  #hangUp(): void {
    this.#child.stdout.destroy();
    this.#child.stderr.destroy();
  }

  #write(message: unknown): void {
    this.#child.stdin.write(`${JSON.stringify(message)}\n`);
  }

  #receive(line: string): void {
    const message = parsed(line);
    if (!message) {
      const why = `${this.#start.binary} wrote something that is not of the protocol; is it multicodex? ${line.slice(0, 200)}`;
      this.#end(why, "no protocol");
      this.kill();
      return;
    }
    if (typeof message.method === "string") {
      if (message.id === undefined) this.#start.onNotification(message.method, message.params);
      else
        this.#write({
          jsonrpc: "2.0",
          id: message.id,
          error: { code: -32601, message: "not a method of clients" },
        });
      return;
    }
    const waiting = this.#waiting.get(message.id as number);
    if (!waiting) return;
    this.#waiting.delete(message.id as number);
    const { error } = message;
    if (error) waiting.failed(new RequestError(waiting.method, error.code, error.message, error.data));
    else waiting.answered(message.result);
  }

  #end(why: string, how: string): void {
    if (this.#over) return;
    this.#over = new SidecarGoneError(why, how);
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const each of waiting) each.failed(this.#over);
    this.#start.onEnd(this.#over);
  }
}

function parsed(line: string): Message | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
