import type { Account, Window } from "../../typescript/src/index.ts";

export type Tone = "good" | "plain" | "warn" | "bad";

/** The state of an account, in a few words. */
export function standing(account: Account, now: number): { text: string; tone: Tone } {
  const { state, active, pinned, cooldownUntil, backoffUntil } = account;
  if (state === "needs_login") return { text: "login needed", tone: "bad" };
  if (state === "deactivated") return { text: "deactivated", tone: "bad" };
  if (state === "disabled") return { text: "disabled", tone: "plain" };
  if (state === "cooling") {
    return { text: cooldownUntil ? `back in ${until(cooldownUntil, now)}` : "at its limit", tone: "warn" };
  }
  if (active) return { text: pinned ? "in use, pinned" : "in use", tone: "good" };
  if (backoffUntil && backoffUntil > now) return { text: "resting", tone: "warn" };
  return { text: "ready", tone: "plain" };
}

/** `5h 88% left  7d 95% left` */
export function usage({ usage }: Account): string {
  const windows = usage?.windows ?? [];
  return windows.length === 0 ? "usage unknown" : windows.map(share).join("  ");
}

/** What the account has beside its usage: reset credits and Luna Reserve. */
export function extras({ usage }: Account, now: number): string {
  const { resetCredits, reserve } = usage ?? {};
  const parts: string[] = [];
  const count = resetCredits?.available ?? 0;
  if (count > 0) {
    const first = resetCredits?.credits?.map(({ expiresAt }) => expiresAt).find((at) => at != null);
    const expiry = first == null ? "" : `, the first expires in ${until(first, now)}`;
    parts.push(`${count} reset credit${count === 1 ? "" : "s"}${expiry}.`);
  }
  if (reserve?.granted && !reserve.cooldownUntil) parts.push("Luna Reserve may be used.");
  return parts.join(" ");
}

function share({ name, usedPercent }: Window): string {
  return `${name} ${Math.round(100 - usedPercent)}% left`;
}

/** A countdown as in the status line: `3d4h`, `2h13m`, `13m`, `<1m`. */
export function until(at: number, now: number): string {
  const minutes = Math.floor((at - now) / 60_000);
  if (minutes < 1) return "<1m";
  if (minutes < 60) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${hours}h${minutes % 60}m` : `${Math.floor(hours / 24)}d${hours % 24}h`;
}
