import type { ExtensionContext } from "@mariozechner/pi-coding-agent";
import { type Account, type LoginFlow, type LoginStarted, RequestError } from "../../typescript/src/index.ts";
import { messageOf, say } from "./person.ts";
import { sidecar } from "./sidecar.ts";

export interface WhoLogsIn {
  /** The account to log in again; a new one when absent. */
  again?: string | undefined;
  /** The label of a new account. */
  label?: string | undefined;
  flow?: LoginFlow;
}

/** Shows the address and waits for the login. Returns the account, or undefined when the person cancels. */
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

/** The login ends when the browser returns, or with what the person pastes here. */
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
      // `login/wait` now fails because we cancelled the login.
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
