import type { Footer } from "../../../typescript/src/index.ts";
import { coloured } from "../person.ts";
import { sidecar } from "../sidecar.ts";
import type { SettingsPanel } from "./settings.ts";

export const footerSettings: SettingsPanel<Footer> = {
  title: "Footer",
  settings: [
    {
      id: "usageMode",
      label: "Percentages",
      description: "What is left of a window, or what is used of it.",
      choices: [
        ["left", "left"],
        ["used", "used"],
      ],
    },
    {
      id: "resetWindow",
      label: "Countdown of",
      description: "The windows whose time to their reset is shown.",
      choices: [
        ["5h", "5h"],
        ["7d", "7d"],
        ["both", "both"],
      ],
    },
    {
      id: "showReset",
      label: "Countdown",
      description: "Whether it is shown at all.",
      choices: [
        [true, "shown"],
        [false, "hidden"],
      ],
    },
    {
      id: "showAccount",
      label: "Account",
      description: "Whether the name of the account is shown.",
      choices: [
        [true, "shown"],
        [false, "hidden"],
      ],
    },
    {
      id: "order",
      label: "Order",
      description: "What comes first.",
      choices: [
        ["account-first", "account first"],
        ["usage-first", "usage first"],
      ],
    },
  ],
  read: () => sidecar().request("footer"),
  save: (change) => sidecar().request("footer/set", change),
  preview: async (theme) => [coloured(theme, await sidecar().request("status"))],
};
