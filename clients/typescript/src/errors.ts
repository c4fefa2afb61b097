import type { ErrorData, Failed } from "./generated.ts";

/** The sidecar answered a request with an error. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  readonly method: string;
  readonly code: number;
  readonly data: ErrorData | undefined;

  constructor(method: string, code: number, message: string, data: ErrorData | undefined) {
    super(message);
    this.method = method;
    this.code = code;
    this.data = data;
  }

  /** The stable name of the error, e.g. `account_not_found`. */
  get kind(): string {
    return this.data?.kind ?? "unknown";
  }
}

/** A completion ended in an error. `failed.status` and `failed.body` are the last answer of upstream itself. */
export class CompletionError extends Error {
  override readonly name = "CompletionError";
  readonly failed: Failed;

  constructor(failed: Failed) {
    super(failed.message);
    this.failed = failed;
  }
}

/** The process ended, or could not be started, while something waited for it. The next request starts a new one. */
export class SidecarGoneError extends Error {
  override readonly name = "SidecarGoneError";
  /** How it ended, e.g. `SIGKILL`, `exit code 2` or `too old`. The message also has the end of its log. */
  readonly how: string;

  constructor(message: string, how: string) {
    super(message);
    this.how = how;
  }
}

/** There is no `multicodex` to start. */
export class BinaryNotFoundError extends Error {
  override readonly name = "BinaryNotFoundError";
}
