/**
 * Splits a byte stream into lines at LF only. A JSON text may hold U+2028, at which `readline` would split, too.
 */
export class Lines {
  #parts: Buffer[] = [];

  /** Returns the lines that this chunk completes, without LF. */
  push(chunk: Buffer): string[] {
    const lines: string[] = [];
    let from = 0;
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, from)) {
      this.#parts.push(chunk.subarray(from, at));
      lines.push(this.#take());
      from = at + 1;
    }
    if (from < chunk.length) this.#parts.push(chunk.subarray(from));
    return lines;
  }

  #take(): string {
    const [only] = this.#parts;
    const line = this.#parts.length === 1 && only ? only : Buffer.concat(this.#parts);
    this.#parts = [];
    return line.toString("utf8");
  }
}
