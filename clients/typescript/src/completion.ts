import { CompletionError } from "./errors.ts";
import type { Notice } from "./generated.ts";

/** What a completion yields: every notice but `error` and `cancelled`, which are thrown. */
export type Progress = Exclude<Notice, { type: "error" } | { type: "cancelled" }>;

/** The notices of one completion, kept until they are read. */
export class Completion {
  #kept: Progress[] = [];
  #end: { error?: unknown } | undefined;
  #wake: () => void = () => {};

  /** Whether the last notice has arrived, read or not. */
  get over(): boolean {
    return this.#end !== undefined;
  }

  take(notice: Notice): void {
    if (this.#end) return;
    if (notice.type === "error") {
      this.fail(new CompletionError(notice.error));
    } else if (notice.type === "cancelled") {
      this.fail(new DOMException("The completion was cancelled", "AbortError"));
    } else {
      this.#kept.push(notice);
      if (notice.type === "done") this.#end = {};
      this.#wake();
    }
  }

  fail(error: Error): void {
    if (this.#end) return;
    this.#end = { error };
    this.#wake();
  }

  /** Drops the notices that were not read. */
  abort(reason: unknown): void {
    this.#kept = [];
    this.#end = { error: reason };
    this.#wake();
  }

  async *read(): AsyncGenerator<Progress, void, undefined> {
    for (;;) {
      const next = this.#kept.shift();
      if (next) yield next;
      else if (!this.#end) await new Promise<void>((resolve) => (this.#wake = resolve));
      else if ("error" in this.#end) throw this.#end.error;
      else return;
    }
  }
}
