import type { ExtensionAPI, ExtensionContext } from "@mariozechner/pi-coding-agent";
import type { AutocompleteItem } from "@mariozechner/pi-tui";
import { RequestError } from "../../typescript/src/index.ts";
import { accountsDialog, settingsDialog } from "./dialogs.ts";
import { logIn } from "./login.ts";
import { accountsPanel } from "./panels/accounts.ts";
import { footerSettings } from "./panels/footer.ts";
import { linesPanel } from "./panels/lines.ts";
import { rotationSettings } from "./panels/rotation.ts";
import { type SettingsPanel, settingsPanel } from "./panels/settings.ts";
import { messageOf, say } from "./person.ts";
import { sidecar } from "./sidecar.ts";

export function registerCommand(pi: ExtensionAPI): void {
  pi.registerCommand("multicodex", {
    description: "ChatGPT/Codex accounts: panel, use, refresh, login, footer, rotation, verify, help",
    getArgumentCompletions: complete,
    handler: async (line, ctx) => {
      try {
        await obey(line.trim(), ctx);
      } catch (error) {
        say(ctx, messageOf(error), "error");
      }
    },
  });
}

async function complete(line: string): Promise<AutocompleteItem[] | null> {
  try {
    const { items } = await sidecar().request("command/suggest", { line });
    return items.length > 0 ? items : null;
  } catch {
    // Without suggestions. The error is shown when the command runs.
    return null;
  }
}

/** Commands with a panel or a browser are handled here, all others by the sidecar. */
async function obey(line: string, ctx: ExtensionContext): Promise<void> {
  const [word = "", ...rest] = line.split(/\s+/);
  const argument = rest.join(" ");
  if (word === "reauth") {
    await logIn(ctx, { again: argument || (await inUse()) });
  } else if (word === "login") {
    await logIn(ctx, { label: argument });
  } else if (word === "use" && argument !== "") {
    await use(argument, ctx);
  } else if (!ctx.hasUI || argument !== "") {
    await byWords(line || "show", ctx);
  } else if (word === "" || word === "accounts") {
    await accounts(ctx);
  } else if (word === "footer") {
    await settings(ctx, footerSettings);
  } else if (word === "rotation") {
    await settings(ctx, rotationSettings);
  } else if (word === "verify") {
    await verify(ctx);
  } else {
    await byWords(line, ctx);
  }
}

async function byWords(line: string, ctx: ExtensionContext): Promise<void> {
  const { level, lines } = await sidecar().request("command", { line });
  say(ctx, lines.join("\n"), level);
}

/** Offers a login for an account that needs one. */
async function use(account: string, ctx: ExtensionContext): Promise<void> {
  try {
    const used = await sidecar().request("accounts/use", { account });
    say(ctx, `Using ${used.account.label}`);
  } catch (error) {
    if (!(error instanceof RequestError && error.kind === "login_required" && ctx.hasUI)) throw error;
    if (!(await ctx.ui.confirm("Log in again?", messageOf(error)))) return;
    const { label } = (await logIn(ctx, { again: error.data?.account ?? account })) ?? {};
    if (label) await use(label, ctx);
  }
}

/** Returns the account that `reauth` without a name means. */
async function inUse(): Promise<string> {
  const { accounts, active } = await sidecar().request("accounts");
  const account = active ?? accounts.find(({ state }) => state === "needs_login")?.id;
  if (!account) throw new Error("There is no account to log in again; /multicodex login adds one");
  return account;
}

async function accounts(ctx: ExtensionContext): Promise<void> {
  for (;;) {
    const leave = await accountsPanel(ctx);
    if (!leave) return accountsDialog(ctx);
    switch (leave.to) {
      case "nothing":
        return;
      case "new":
        await logIn(ctx, { flow: "browser" });
        break;
      case "device":
        await logIn(ctx, { flow: "device" });
        break;
      case "again":
        await logIn(ctx, { again: leave.account });
        break;
      case "footer":
        await settings(ctx, footerSettings);
        break;
      case "rotation":
        await settings(ctx, rotationSettings);
        break;
      case "verify":
        await verify(ctx);
    }
  }
}

async function settings<V extends object>(ctx: ExtensionContext, panel: SettingsPanel<V>): Promise<void> {
  if (!(await settingsPanel(ctx, panel))) await settingsDialog(ctx, panel);
}

async function verify(ctx: ExtensionContext): Promise<void> {
  const { level, lines } = await sidecar().request("command", { line: "verify" });
  if (!(await linesPanel(ctx, "Verify", lines))) say(ctx, lines.join("\n"), level);
}
