import { getAgentDir } from "@mariozechner/pi-coding-agent";
import { Multicodex, type Status, type Warning } from "../../typescript/src/index.ts";

/** What the running session wants to hear of. */
export interface Listener {
  /** Also after a restart, when what was told before may have changed. */
  started(): void;
  status(status: Status): void;
  warning(warning: Warning): void;
}

interface Kept {
  multicodex: Multicodex;
  listener: Listener | undefined;
}

/**
 * The one sidecar of this pi. It is kept on the process and not in the module, because pi may load the module anew when a
 * session is replaced, and the sidecar outlives sessions.
 */
const KEY = Symbol.for("multicodex.sidecar");
const process_ = globalThis as { [KEY]?: Kept };

/** Starts nothing: the process comes with the first request. */
export function sidecar(): Multicodex {
  return kept().multicodex;
}

/** In place of whoever listened before. */
export function listen(listener: Listener | undefined): void {
  kept().listener = listener;
}

/** Bounded by the client: two seconds, then the process is killed. */
export async function endSidecar(): Promise<void> {
  const ending = process_[KEY];
  delete process_[KEY];
  await ending?.multicodex.close();
}

function kept(): Kept {
  process_[KEY] ??= begin();
  return process_[KEY];
}

function begin(): Kept {
  const multicodex = new Multicodex({
    client: { name: "multicodex-pi", version: "0.1.0" },
    agentDir: getAgentDir(),
    onStart: () => begun.listener?.started(),
  });
  const begun: Kept = { multicodex, listener: undefined };
  multicodex.on("status/changed", (status) => begun.listener?.status(status));
  multicodex.on("warning", (warning) => begun.listener?.warning(warning));
  return begun;
}
