import type { ProviderConfig } from "@mariozechner/pi-coding-agent";
import { sidecar } from "./sidecar.ts";

type OAuth = NonNullable<ProviderConfig["oauth"]>;
type Credentials = Awaited<ReturnType<OAuth["login"]>>;
type Callbacks = Parameters<OAuth["login"]>[0];

/**
 * What pi stores for a login that multicodex keeps: the sidecar does not take it for a login of pi's own. Without an end,
 * so that pi never asks to renew it.
 */
const KEPT_BY_MULTICODEX: Credentials = {
  access: "multicodex",
  refresh: "multicodex",
  expires: Date.UTC(9999, 0, 1),
};

/** Without it pi would redeem the refresh token of its own login before each request, behind the sidecar's back. */
export const oauth: OAuth = {
  name: "ChatGPT (multicodex)",
  isSubscription: true,
  login,
  refreshToken,
  getApiKey: () => "multicodex",
};

async function login(callbacks: Callbacks): Promise<Credentials> {
  const multicodex = sidecar();
  const { signal } = callbacks;
  const { loginId, url } = await multicodex.request("login", { flow: "browser" }, { signal });
  try {
    callbacks.onAuth({ url, instructions: "Log in; this ends by itself when the browser is done." });
    const waited = multicodex.request("login/wait", { loginId }, { signal });
    const pasted = callbacks
      .onManualCodeInput?.()
      .then((input) => multicodex.request("login/submit", { loginId, input }, { signal }));
    // Whoever comes first; a mistake in what was pasted is told, and giving up the pasting is not giving up the login.
    const { account } = await Promise.race([waited, ...(pasted ? [pasted.catch(() => waited)] : [])]);
    callbacks.onProgress?.(`Logged in as ${account.label}`);
    return KEPT_BY_MULTICODEX;
  } catch (error) {
    await multicodex.request("login/cancel", { loginId }).catch(() => {});
    throw error;
  }
}

/**
 * pi calls this under the lock of auth.json, for a login of its own that is about to end. The sidecar redeems such a login
 * itself, under the same lock, so here it is only asked for what it has; it gives up on the lock after two seconds. No
 * answer is no failure: our requests do not use what pi holds.
 */
async function refreshToken(credentials: Credentials, signal?: AbortSignal): Promise<Credentials> {
  try {
    const { accounts } = await sidecar().request("accounts", {}, { signal });
    const own = accounts.find(({ linked }) => linked);
    if (!own) return credentials;
    const { accessToken, expiresAt } = await sidecar().request(
      "accounts/token",
      { account: own.id },
      { signal },
    );
    if (expiresAt <= credentials.expires) return credentials;
    // A millisecond less, so that the sidecar's credential, which has the refresh token to it, stays the newer one.
    return { ...credentials, access: accessToken, expires: expiresAt - 1 };
  } catch {
    return credentials;
  }
}
