import type { ExtensionContext } from "@mariozechner/pi-coding-agent";
import type { Account } from "../../typescript/src/index.ts";
import { standing, usage } from "./account-lines.ts";
import { logIn } from "./login.ts";
import type { SettingsPanel } from "./panels/settings.ts";
import { wordsFor } from "./panels/settings.ts";
import { say } from "./person.ts";
import { sidecar } from "./sidecar.ts";

/** The accounts panel as questions and answers, for RPC mode. */
export async function accountsDialog(ctx: ExtensionContext): Promise<void> {
  const { accounts } = await sidecar().request("accounts");
  const now = Date.now();
  const rows = new Map(
    accounts.map((account) => [
      `${account.label} · ${standing(account, now).text} · ${usage(account)}`,
      account,
    ]),
  );
  const others = { "Log in a new account": "browser", "Log in by device code": "device" } as const;
  const chosen = await ctx.ui.select("Codex accounts", [...rows.keys(), ...Object.keys(others)]);
  const account = rows.get(chosen ?? "");
  if (account) await accountDialog(ctx, account);
  else if (chosen && chosen in others) await logIn(ctx, { flow: others[chosen as keyof typeof others] });
}

async function accountDialog(ctx: ExtensionContext, { id, label }: Account): Promise<void> {
  const multicodex = sidecar();
  switch (await ctx.ui.select(label, ["Use", "Refresh", "Reset credit", "Log in again", "Remove"])) {
    case "Use":
      await multicodex.request("accounts/use", { account: id });
      return say(ctx, `Using ${label}`);
    case "Refresh": {
      const { results } = await multicodex.request("refresh", { account: id });
      const [failed] = results.flatMap(({ error }) => error ?? []);
      return failed ? say(ctx, failed.message, "error") : say(ctx, `Refreshed ${label}`);
    }
    case "Reset credit": {
      const looked = await multicodex.request("accounts/resetCredit", { account: id, dryRun: true });
      if (!looked.credit) return say(ctx, looked.notes[0] ?? "no reset credit", "error");
      if (!(await ctx.ui.confirm("Redeem a reset credit?", [label, ...looked.notes].join("\n")))) return;
      const { verified, notes } = await multicodex.request("accounts/resetCredit", { account: id });
      return say(ctx, `${label}: ${notes[0]}`, verified === true ? "info" : "warning");
    }
    case "Log in again":
      await logIn(ctx, { again: id });
      return;
    case "Remove":
      if (!(await ctx.ui.confirm("Remove the account?", label))) return;
      await multicodex.request("accounts/remove", { account: id });
      return say(ctx, `Removed ${label}`);
  }
}

export async function settingsDialog<V extends object>(
  ctx: ExtensionContext,
  panel: SettingsPanel<V>,
): Promise<void> {
  const values = await panel.read();
  const rows = new Map(
    panel.settings.map((setting) => [`${setting.label}: ${wordsFor(setting, values[setting.id])}`, setting]),
  );
  const setting = rows.get((await ctx.ui.select(panel.title, [...rows.keys()])) ?? "");
  if (!setting) return;
  const words = await ctx.ui.select(
    setting.description,
    setting.choices.map(([, known]) => known),
  );
  const choice = setting.choices.find(([, known]) => known === words);
  if (!choice) return;
  const saved = await panel.save({ [setting.id]: choice[0] } as Partial<V>);
  say(ctx, `${setting.label}: ${wordsFor(setting, saved[setting.id])}`);
}
