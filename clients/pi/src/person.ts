import type { ExtensionContext, Theme } from "@mariozechner/pi-coding-agent";
import { RequestError, type Severity, type Status } from "../../typescript/src/index.ts";

export type Level = "info" | "warning" | "error";

/** Shows a text to the person: as a notification, or on stderr without a user interface, because stdout is for answers. */
export function say(ctx: ExtensionContext, text: string, level: Level = "info"): void {
  if (ctx.hasUI) ctx.ui.notify(text, level);
  else process.stderr.write(`${text}\n`);
}

export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const hint = error instanceof RequestError ? error.data?.hint : undefined;
  return hint ? `${error.message} (${hint})` : error.message;
}

type Color = Parameters<Theme["fg"]>[0];

const BY_SEVERITY: Record<Severity, Color> = {
  success: "success",
  notice: "accent",
  warning: "warning",
  error: "error",
  unknown: "dim",
};

/** The sidecar's status line in the theme's colours. */
export function coloured(theme: Theme, { segments }: Status): string {
  return segments
    .map(({ text, role, severity }) => {
      if (severity) return theme.fg(BY_SEVERITY[severity], text);
      return theme.fg(role === "account" ? "text" : "dim", text);
    })
    .join(" ");
}
