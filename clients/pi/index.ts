import type { ExtensionAPI } from "@mariozechner/pi-coding-agent";
import { registerCommand } from "./src/command.ts";
import { Footer } from "./src/footer.ts";
import { endLoopback, registerProvider } from "./src/provider.ts";
import { endSidecar, listen } from "./src/sidecar.ts";

/** Reasons after which another session of the same pi uses the same sidecar. */
const SESSION_GOES_ON = new Set(["new", "resume", "fork"]);

export default function multicodex(pi: ExtensionAPI): void {
  let footer: Footer | undefined;
  registerProvider(pi);
  registerCommand(pi);

  // pi may say twice that a session has started.
  pi.on("session_start", (_event, ctx) => {
    if (!ctx.hasUI) return;
    footer?.end();
    const mine = new Footer(ctx);
    footer = mine;
    listen({
      started: () => mine.refresh(),
      status: (status) => mine.show(status),
      warning: ({ message, hint }) => ctx.ui.notify(hint ? `${message} (${hint})` : message, "warning"),
      gaveUp: (message) => ctx.ui.notify(`${message} (it is started again for the next request)`, "error"),
      otherVersion: (message) => ctx.ui.notify(message, "warning"),
    });
  });
  pi.on("model_select", ({ model }) => footer?.modelChanged(model.provider));
  pi.on("session_shutdown", async ({ reason }) => {
    footer?.end();
    footer = undefined;
    listen(undefined);
    if (SESSION_GOES_ON.has(reason)) return;
    await Promise.all([endSidecar(), endLoopback()]);
  });
}
