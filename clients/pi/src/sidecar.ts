import { getAgentDir } from "@mariozechner/pi-coding-agent";
import { Multicodex, type Status, type Warning } from "../../typescript/src/index.ts";

/** What the running session listens to. */
export interface Listener {
  /** A process started: the first one, or one after a restart, when the status may have changed. */
  started(): void;
  status(status: Status): void;
  warning(warning: Warning): void;
  /** It ended too often, and is started again only for a request. */
  gaveUp(message: string): void;
  /** The sidecar is of another version than this extension. Called once for each pi. */
  otherVersion(message: string): void;
}

/** The version of the package, set when it is bundled. The sources of a checkout have none. */
declare const MULTICODEX_VERSION: string | undefined;
const VERSION = typeof MULTICODEX_VERSION === "string" ? MULTICODEX_VERSION : undefined;

interface Kept {
  multicodex: Multicodex;
  listener: Listener | undefined;
  toldVersion: boolean;
}

/**
 * The one sidecar of this pi. It is kept on the process and not in the module, because pi may load the module again when a
 * session is replaced, and the sidecar outlives sessions.
 */
const KEY = Symbol.for("multicodex.sidecar");
const process_ = globalThis as { [KEY]?: Kept };

/** Returns the sidecar, whose process starts with the first request. */
export function sidecar(): Multicodex {
  return kept().multicodex;
}

/** Replaces the listener. */
export function listen(listener: Listener | undefined): void {
  kept().listener = listener;
}

/** Ends the sidecar. The client kills a process that does not end by itself. */
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
    client: { name: "multicodex-pi", version: VERSION ?? "checkout" },
    agentDir: getAgentDir(),
    onStart: ({ server }) => {
      begun.listener?.started();
      if (VERSION === undefined || server.version === VERSION || begun.toldVersion || !begun.listener) return;
      begun.toldVersion = true;
      begun.listener.otherVersion(
        `multicodex ${server.version} is running, and this extension is of version ${VERSION}: update the older one`,
      );
    },
    onGone: ({ message }, restarts) => {
      if (!restarts) begun.listener?.gaveUp(message);
    },
  });
  const begun: Kept = { multicodex, listener: undefined, toldVersion: false };
  multicodex.on("status/changed", (status) => begun.listener?.status(status));
  multicodex.on("warning", (warning) => begun.listener?.warning(warning));
  return begun;
}
