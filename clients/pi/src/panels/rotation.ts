import type { RotationSettings } from "../../../typescript/src/index.ts";
import { sidecar } from "../sidecar.ts";
import type { SettingsPanel } from "./settings.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function minutes(value: unknown): string {
  return `${Math.round(Number(value) / MINUTE)} min`;
}

export const rotationSettings: SettingsPanel<RotationSettings> = {
  title: "Rotation",
  settings: [
    {
      id: "strategy",
      label: "Strategy",
      description: "Which account is chosen among those that can be used.",
      choices: [
        ["reset-first", "reset first"],
        ["least-used", "least used"],
        ["round-robin", "in turn"],
        ["priority", "priority"],
      ],
    },
    {
      id: "affinity",
      label: "Sessions",
      description:
        "Whether a session keeps its account while that can be used. Prompt caches are per account.",
      choices: [
        ["session", "keep their account"],
        ["none", "do not"],
      ],
    },
    {
      id: "maxAttempts",
      label: "Accounts tried",
      description: "At most, for one completion.",
      choices: [1, 2, 3, 4, 6, 8, 12].map((count) => [count, String(count)]),
    },
    {
      id: "reservePercent",
      label: "Reserve",
      description: "Accounts with less than this left of a window are kept for when nothing else is.",
      choices: [0, 5, 10, 20].map((percent) => [percent, percent === 0 ? "none" : `${percent} %`]),
      other: (value) => `${value} %`,
    },
    {
      id: "waitForResetMs",
      label: "Wait for a reset",
      description: "How long a completion waits when every account is at its limit.",
      choices: [
        [0, "no"],
        [5 * MINUTE, "5 min"],
        [15 * MINUTE, "15 min"],
        [HOUR, "60 min"],
      ],
      other: minutes,
    },
    {
      id: "reserve",
      label: "Luna Reserve",
      description: "Whether a second quota, with a weaker model, answers when every account is at its limit.",
      choices: [
        ["never", "never"],
        ["luna", "for Luna only"],
        ["any", "for any model"],
      ],
    },
    {
      id: "resetCredits",
      label: "Reset credits",
      description: "Whether one is redeemed unasked when every account is at its limit, one an hour at most.",
      choices: [
        ["never", "never"],
        ["when-dry", "when all are out"],
      ],
    },
    {
      id: "fallbackCooldownMs",
      label: "Undated limit",
      description: "How long an account rests when upstream does not say when its limit ends.",
      choices: [
        [15 * MINUTE, "15 min"],
        [HOUR, "60 min"],
        [4 * HOUR, "240 min"],
      ],
      other: minutes,
    },
  ],
  read: async () => (await sidecar().request("rotation")).settings,
  save: async (change) => (await sidecar().request("rotation/set", change)).settings,
  preview: async (theme) => {
    const { policy, order } = await sidecar().request("rotation");
    const ranked = order.map(({ label, eligible, rank, reasons }) => {
      const why = theme.fg("dim", reasons.join(", "));
      return eligible ? `${rank}. ${label}  ${why}` : `${theme.fg("warning", `–  ${label}`)}  ${why}`;
    });
    return [theme.fg("muted", policy), "", ...ranked];
  },
};
