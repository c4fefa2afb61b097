import type { ExtensionContext } from "@mariozechner/pi-coding-agent";
import type { Status } from "../../typescript/src/index.ts";
import { coloured } from "./person.ts";
import { PROVIDER } from "./provider.ts";
import { sidecar } from "./sidecar.ts";

const KEY = "multicodex";
/** A key cycles through the models, so wait for the one at which the person stops. */
const SETTLE_MS = 150;

/** The status line of a session, shown while its model is from our provider. */
export class Footer {
  readonly #ctx: ExtensionContext;
  #ours: boolean;
  #timer: NodeJS.Timeout | undefined;
  #over = false;
  #asked = false;

  constructor(ctx: ExtensionContext) {
    this.#ctx = ctx;
    this.#ours = ctx.model?.provider === PROVIDER;
    this.refresh();
  }

  modelChanged(provider: string): void {
    this.#ours = provider === PROVIDER;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.refresh(), SETTLE_MS);
    this.#timer.unref();
  }

  show(status: Status): void {
    if (this.#ours && !this.#over) this.#ctx.ui.setStatus(KEY, coloured(this.#ctx.ui.theme, status));
  }

  /** Reads the status again. A failure is not shown here; the next completion reports it. */
  refresh(): void {
    if (this.#over) return;
    if (!this.#ours) {
      this.#ctx.ui.setStatus(KEY, undefined);
      return;
    }
    sidecar()
      .request("status")
      .then((status) => {
        this.show(status);
        this.#askForUsage(status);
      })
      .catch(() => {
        if (!this.#over) this.#ctx.ui.setStatus(KEY, undefined);
      });
  }

  /** Reads the usage once if it is unknown. The answer comes as `status/changed`. */
  #askForUsage({ account, segments }: Status): void {
    if (this.#asked || !account || !segments.some(({ severity }) => severity === "unknown")) return;
    this.#asked = true;
    sidecar()
      .request("refresh", { account })
      .catch(() => {});
  }

  /** After this the session is not touched any more. */
  end(): void {
    this.#over = true;
    clearTimeout(this.#timer);
  }
}
