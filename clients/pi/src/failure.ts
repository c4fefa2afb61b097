import {
  BinaryNotFoundError,
  type CompletionError,
  RequestError,
  SidecarGoneError,
} from "../../typescript/src/index.ts";

/**
 * How a completion that failed before any output looks to pi: as upstream's own answer if there was one. pi decides by the
 * text of the error whether it tries again, so the texts are chosen for that.
 */
export function failedResponse(error: CompletionError): Response {
  const { kind, message, status, body, retryAt, accounts } = error.failed;
  const refused = status && status >= 400 ? status : undefined;
  if (refused && body) {
    return new Response(body, { status: refused, headers: { "content-type": contentType(body) } });
  }
  const inUse = accounts?.filter(({ state }) => state !== "disabled");
  const everyoneCools = inUse?.length && inUse.every(({ state }) => state === "cooling");
  if (kind === "no_available_account" && everyoneCools && retryAt) {
    const limit = { type: "usage_limit_reached", message, resets_at: Math.ceil(retryAt / 1000) };
    return Response.json({ error: limit }, { status: 429 });
  }
  return Response.json({ error: { code: kind, message: worded(kind, message) } }, { status: refused ?? 503 });
}

/** How a stream that failed after output looks to pi. */
export function brokenStream(error: unknown): Error {
  if (error instanceof SidecarGoneError) {
    return new Error(
      `The multicodex sidecar ended (${error.how}) while it answered. The next request starts it again.`,
    );
  }
  if (!isCompletionError(error)) return error instanceof Error ? error : new Error(String(error));
  return new Error(worded(error.failed.kind, error.failed.message));
}

/** Why the sidecar could not be asked. */
export function unreachable(error: unknown): Error {
  if (error instanceof BinaryNotFoundError || error instanceof RequestError)
    return new Error(`multicodex: ${error.message}`);
  return error instanceof SidecarGoneError ? brokenStream(error) : (error as Error);
}

export function isCompletionError(error: unknown): error is CompletionError {
  return error instanceof Error && error.name === "CompletionError";
}

/** pi tries again on "network error" and on "timed out". */
function worded(kind: string, message: string): string {
  switch (kind) {
    case "stream_interrupted":
      return `Network error: the stream ended before a terminal response event: ${message}`;
    case "network":
    case "challenge":
      return `Network error: ${message}`;
    case "idle_timeout":
      return `The answer timed out: ${message}`;
    default:
      return message;
  }
}

function contentType(body: string): string {
  return /^\s*[[{]/.test(body) ? "application/json" : "text/plain";
}
