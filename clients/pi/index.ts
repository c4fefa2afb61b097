import type { ExtensionAPI } from "@mariozechner/pi-coding-agent";
import { endLoopback, registerProvider } from "./src/provider.ts";
import { endSidecar } from "./src/sidecar.ts";

/** Outlives the session: another one of the same pi goes on with the same sidecar. */
const SESSION_GOES_ON = new Set(["new", "resume", "fork"]);

export default function multicodex(pi: ExtensionAPI): void {
  registerProvider(pi);
  pi.on("session_shutdown", async ({ reason }) => {
    if (SESSION_GOES_ON.has(reason)) return;
    await Promise.all([endSidecar(), endLoopback()]);
  });
}
