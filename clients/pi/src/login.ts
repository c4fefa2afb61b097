import type { ExtensionContext } from "@mariozechner/pi-coding-agent";
import { type Account, type LoginFlow, type LoginStarted, RequestError } from "../../typescript/src/index.ts";
import { messageOf, say } from "./person.ts";
import { sidecar } from "./sidecar.ts";

export interface WhoLogsIn {
  /** An account that is logged in again; without it, a new one. */
  again?: string | undefined;
  /** What a new account is to be called. */
  label?: string | undefined;
  flow?: LoginFlow;
}

/** From the address that is shown to the account that is logged in; nothing when the person gives it up. */
export async function logIn(
  ctx: ExtensionContext,
  { again, label, flow = "browser" }: WhoLogsIn,
): Promise<Account | undefined> {
  try {
    const started = again
      ? await sidecar().request("reauth", { account: again, flow, open: true })
      : await sidecar().request("login", { flow, open: true, ...(label && { label }) });
    say(ctx, told(started));
    const account = await finished(ctx, started);
    say(ctx, account ? `Logged in as ${account.label}` : "The login was given up");
    return account;
  } catch (error) {
    say(ctx, messageOf(error), "error");
    return undefined;
  }
}

function told({ flow, url, userCode, opened }: LoginStarted): string {
  if (flow === "device") return `Enter the code ${userCode} at ${url}`;
  return opened
    ? `Your browser was opened for the login. If it was not: ${url}`
    : `Log in with a browser at ${url}`;
}

/** The login ends by itself when the browser is done, or by what the person types or pastes here. */
async function finished(
  ctx: ExtensionContext,
  { loginId, flow, url, userCode }: LoginStarted,
): Promise<Account | undefined> {
  const waiting = sidecar().request("login/wait", { loginId });
  if (!ctx.hasUI) return (await waiting).account;
  const over = new AbortController();
  const close = () => over.abort();
  waiting.then(close, close);
  const { signal } = over;
  for (;;) {
    const typed =
      flow === "device"
        ? await ctx.ui.select(`Waiting for the code ${userCode} to be entered at ${url}`, ["Give up"], {
            signal,
          })
        : await ctx.ui.input(
            "Waiting for the browser. When it cannot come back here, paste the address it ended at",
            "http://127.0.0.1:1455/auth/callback?code=…",
            { signal },
          );
    if (signal.aborted) return (await waiting).account;
    if (flow === "device" || typed === undefined) {
      // What the wait says now is that it was cancelled, by us.
      waiting.catch(() => {});
      await sidecar().request("login/cancel", { loginId });
      return undefined;
    }
    try {
      return (await sidecar().request("login/submit", { loginId, input: typed })).account;
    } catch (error) {
      if (!(error instanceof RequestError && error.data?.path === "input")) throw error;
      say(ctx, messageOf(error), "error");
    }
  }
}
