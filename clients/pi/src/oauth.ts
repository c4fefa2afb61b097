import type { ProviderConfig } from "@mariozechner/pi-coding-agent";
import { sidecar } from "./sidecar.ts";

type OAuth = NonNullable<ProviderConfig["oauth"]>;
type Credentials = Awaited<ReturnType<OAuth["login"]>>;
type Callbacks = Parameters<OAuth["login"]>[0];

/**
 * What pi stores for a login that multicodex keeps. The sidecar knows that it is not a login of pi. It never expires, so that
 * pi does not try to refresh it.
 */
const KEPT_BY_MULTICODEX: Credentials = {
  access: "multicodex",
  refresh: "multicodex",
  expires: Date.UTC(9999, 0, 1),
};

/** Without this pi would refresh its own login before each request, without the sidecar's knowledge. */
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
    // The browser or the paste, whichever comes first. A wrong paste is reported, and the login goes on without a paste.
    const { account } = await Promise.race([waited, ...(pasted ? [pasted.catch(() => waited)] : [])]);
    callbacks.onProgress?.(`Logged in as ${account.label}`);
    return KEPT_BY_MULTICODEX;
  } catch (error) {
    await multicodex.request("login/cancel", { loginId }).catch(() => {});
    throw error;
  }
}

/**
 * pi calls this under the lock of auth.json, for a login of its own that expires soon. The sidecar refreshes such a login
 * itself, under the same lock, so this only asks for the token that it has; it waits for the lock for two seconds at most.
 * A missing answer is no failure: our requests do not use the token that pi holds.
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
    // A millisecond less, so that the sidecar's credential, which has the matching refresh token, stays the newer one.
    return { ...credentials, access: accessToken, expires: expiresAt - 1 };
  } catch {
    return credentials;
  }
}
