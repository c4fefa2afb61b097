import { findBinary } from "./binary.ts";
import { Completion, type Progress } from "./completion.ts";
import { Connection } from "./connection.ts";
import { SidecarGoneError } from "./errors.ts";
import type {
  ClientInfo,
  CompleteParams,
  InitializeResult,
  Methods,
  Notice,
  Notifications,
} from "./generated.ts";

/** The version of the protocol that this client was written for. */
const PROTOCOL_VERSION = 1;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;
/** A process that lived this long did not fail at its start. */
const SETTLED_MS = 30_000;
/** After so many early ends in a row, only a request starts another process. */
const TRIES = 5;
const HANDSHAKE_MS = 30_000;

export interface MulticodexOptions {
  /** The program that uses this client; sent upstream as the `originator`. */
  client: ClientInfo;
  /** The path of the sidecar; by default `MULTICODEX_BIN`, the package for this platform, or `PATH`. */
  binary?: string | undefined;
  /** Flags for the sidecar beside those below, e.g. `["--log", "debug"]`. */
  args?: readonly string[];
  /** `--agent-dir` */
  agentDir?: string | undefined;
  /** `--state-dir` */
  stateDir?: string | undefined;
  /** The whole environment of the process; by default this one's. */
  env?: Record<string, string | undefined>;
  /** Notifications that the sidecar does not send. */
  optOutNotifications?: (keyof Notifications)[];
  /** Receives the sidecar's log. Its last 4 KiB are also in the message of a `SidecarGoneError`. */
  onStderr?: (text: string) => void;
  /** Called when a process has started: the first one, or one that replaces a process that ended. */
  onStart?: (server: InitializeResult) => void;
  /**
   * Called when a process ended unexpectedly. With `restarts` another one is started after a pause; without, after too many
   * early ends in a row, only for the next request.
   */
  onGone?: (why: SidecarGoneError, restarts: boolean) => void;
}

export interface RequestOptions {
  /** Aborting rejects at once, with the signal's reason, and cancels the request in the sidecar. */
  signal?: AbortSignal | undefined;
}

type Listener = (params: never) => void;
/** Params may be left out where all of their members may. */
type Arguments<M extends keyof Methods, P = Methods[M]["params"]> =
  Partial<P> extends P ? [params?: P, options?: RequestOptions] : [params: P, options?: RequestOptions];

/** A sidecar that is started with the first request, and started again when it ends unexpectedly. */
export class Multicodex {
  readonly #options: MulticodexOptions;
  readonly #listeners = new Map<string, Set<Listener>>();
  #completions = new Map<string, Completion>();
  #running: Promise<Running> | undefined;
  #live: Connection | undefined;
  #failures = 0;
  #notBefore = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: MulticodexOptions) {
    this.#options = options;
  }

  /** Starts the sidecar if it is not running, and returns its answer to `initialize`. */
  async start(): Promise<InitializeResult> {
    return (await this.#connected()).server;
  }

  async request<M extends keyof Methods>(
    method: M,
    ...[params, { signal } = {}]: Arguments<M>
  ): Promise<Methods[M]["result"]> {
    signal?.throwIfAborted();
    const { connection } = await unlessAborted(this.#connected(), signal);
    return ask(connection, method, params, signal) as Promise<Methods[M]["result"]>;
  }

  /**
   * Yields each notice: `rotated` for each account that could not answer, `accepted`, each upstream `event`, `done`. Throws
   * `CompletionError` when it fails, the signal's reason when that aborts, `SidecarGoneError` when the process ends. Leaving
   * the loop early cancels the completion. Notices that are not read yet are kept in memory.
   */
  async *complete(
    params: CompleteParams,
    { signal }: RequestOptions = {},
  ): AsyncGenerator<Progress, void, undefined> {
    signal?.throwIfAborted();
    const { connection } = await unlessAborted(this.#connected(), signal);
    const completion = new Completion();
    let subscription: string | undefined;
    const cancel = () => connection.send("complete/cancel", { subscription }, ignore, ignore);
    connection.send(
      "complete",
      params,
      (id) => {
        subscription = id as string;
        if (completion.over) cancel();
        else this.#completions.set(subscription, completion);
      },
      (error) => completion.fail(error),
    );
    const onAbort = () => {
      completion.abort(signal?.reason);
      if (subscription !== undefined) cancel();
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      yield* completion.read();
    } finally {
      signal?.removeEventListener("abort", onAbort);
      if (!completion.over) {
        completion.abort(undefined);
        if (subscription !== undefined) cancel();
      }
      // After a restart another completion may have the same id.
      if (subscription !== undefined && this.#completions.get(subscription) === completion) {
        this.#completions.delete(subscription);
      }
    }
  }

  /** Calls `listener` with the params of each such notification. Returns a function that ends this. */
  on<N extends keyof Notifications>(name: N, listener: (params: Notifications[N]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /** The process id, while a process runs. */
  get pid(): number | undefined {
    return this.#live?.pid;
  }

  /** Ends the sidecar. Later requests are refused. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#live?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #connected(): Promise<Running> {
    if (this.#closed) return Promise.reject(new SidecarGoneError("this client is closed", "closed"));
    this.#running ??= this.#begin();
    return this.#running;
  }

  async #begin(): Promise<Running> {
    clearTimeout(this.#timer);
    const pause = this.#notBefore - performance.now();
    if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
    if (this.#closed) throw new SidecarGoneError("this client is closed", "closed");
    const { client, agentDir, stateDir, args = [], optOutNotifications } = this.#options;
    const startedAt = performance.now();
    let opened = false;
    try {
      const binary = findBinary(this.#options.binary);
      const connection = new Connection({
        binary,
        args: [
          ...(agentDir === undefined ? [] : ["--agent-dir", agentDir]),
          ...(stateDir === undefined ? [] : ["--state-dir", stateDir]),
          ...args,
        ],
        env: this.#options.env ?? process.env,
        onNotification: (method, params) => this.#notified(method, params),
        onStderr: (text) => tell(() => this.#options.onStderr?.(text)),
        onEnd: (why) => this.#ended(why, opened, performance.now() - startedAt),
      });
      this.#live = connection;
      const tooLate = setTimeout(() => connection.kill(), HANDSHAKE_MS);
      const hello = {
        client,
        protocolVersion: PROTOCOL_VERSION,
        ...(optOutNotifications && { optOutNotifications }),
      };
      const server = (await ask(connection, "initialize", hello).finally(() =>
        clearTimeout(tooLate),
      )) as InitializeResult;
      if (server.protocolVersion < PROTOCOL_VERSION) {
        throw new SidecarGoneError(tooOld(binary, server), "too old");
      }
      opened = true;
      tell(() => this.#options.onStart?.(server));
      return { connection, server };
    } catch (error) {
      this.#live?.kill();
      this.#running = undefined;
      throw error;
    }
  }

  #ended(why: SidecarGoneError, opened: boolean, livedMs: number): void {
    // `#begin` itself forgets a process that never opened; here it could be its successor that is forgotten.
    if (opened) this.#running = undefined;
    this.#live = undefined;
    const completions = [...this.#completions.values()];
    this.#completions.clear();
    for (const completion of completions) completion.fail(why);
    if (this.#closed) return;
    this.#failures = livedMs >= SETTLED_MS ? 1 : this.#failures + 1;
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** (this.#failures - 1), LONGEST_PAUSE_MS);
    this.#notBefore = performance.now() + pause;
    if (!opened) return;
    const restarts = this.#failures < TRIES;
    tell(() => this.#options.onGone?.(why, restarts));
    if (!restarts) return;
    this.#timer = setTimeout(() => this.#connected().catch(ignore), pause);
    this.#timer.unref();
  }

  #notified(method: string, params: unknown): void {
    if (method === "complete") {
      const { subscription, result } = params as { subscription: string; result: Notice };
      this.#completions.get(subscription)?.take(result);
      return;
    }
    for (const listener of this.#listeners.get(method) ?? []) tell(() => listener(params as never));
  }
}

function tooOld(binary: string, { server, protocolVersion }: InitializeResult): string {
  const found = `${binary} is multicodex ${server.version} with version ${protocolVersion} of the protocol`;
  return `${found}; this client needs version ${PROTOCOL_VERSION}. Install a newer multicodex`;
}

interface Running {
  connection: Connection;
  server: InitializeResult;
}

function ask(
  connection: Connection,
  method: string,
  params: unknown,
  signal?: AbortSignal,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const settled = () => signal?.removeEventListener("abort", onAbort);
    const id = connection.send(
      method,
      params,
      (result) => {
        settled();
        resolve(result);
      },
      (error) => {
        settled();
        reject(error);
      },
    );
    function onAbort() {
      connection.forget(id);
      reject(signal?.reason);
    }
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** Stops waiting for `promise` when `signal` aborts. Others may still wait for it. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** Calls a function of the caller. What it throws becomes a warning, and does not disturb the connection. */
function tell(call: () => void): void {
  try {
    call();
  } catch (error) {
    process.emitWarning(error instanceof Error ? error : String(error));
  }
}

function ignore(): void {}
