import { getAgentDir } from "@mariozechner/pi-coding-agent";
import { Multicodex } from "../../typescript/src/index.ts";

/**
 * The one sidecar of this pi. It is kept on the process and not in the module, because pi may load the module anew when a
 * session is replaced, and the sidecar outlives sessions.
 */
const KEY = Symbol.for("multicodex.sidecar");
const holder = globalThis as { [KEY]?: Multicodex };

/** Starts nothing: the process comes with the first request. */
export function sidecar(): Multicodex {
  holder[KEY] ??= new Multicodex({
    client: { name: "multicodex-pi", version: "0.1.0" },
    agentDir: getAgentDir(),
  });
  return holder[KEY];
}

export function sidecarIfAny(): Multicodex | undefined {
  return holder[KEY];
}

/** Bounded by the client: two seconds, then the process is killed. */
export async function endSidecar(): Promise<void> {
  const ending = holder[KEY];
  delete holder[KEY];
  await ending?.close();
}
