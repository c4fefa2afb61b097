import type { CompleteParams, Multicodex, Progress } from "../../typescript/src/index.ts";
import { brokenStream, failedResponse, isCompletionError, unreachable } from "./failure.ts";

const TERMINAL = new Set([
  "response.completed",
  "response.done",
  "response.incomplete",
  "response.failed",
  "error",
]);
/** The headers of pi's request that name the client and the session. The sidecar sets all others. */
const FORWARDED = [
  "originator",
  "user-agent",
  "openai-beta",
  "session-id",
  "session_id",
  "thread-id",
  "conversation_id",
  "x-client-request-id",
  "version",
];

export interface Asked {
  /** The Responses body, as pi made it. */
  request: Record<string, unknown>;
  sessionId?: string | undefined;
  /** How the sidecar talks to upstream. */
  transport: "auto" | "sse";
  headers: Headers;
  signal: AbortSignal;
}

/**
 * Makes one completion through the sidecar and returns it as the HTTP response that pi's own code reads: upstream's status,
 * headers and body when it failed, else an event stream of upstream's events. Lines end in LF, because pi's parser does not
 * know CRLF.
 */
export async function respond(
  multicodex: Multicodex,
  { request, sessionId, transport, headers, signal }: Asked,
): Promise<Response> {
  const cancelled = new AbortController();
  const params: CompleteParams = {
    request,
    transport,
    headers: forwarded(headers),
    ...(sessionId && { sessionId }),
  };
  const either = AbortSignal.any([signal, cancelled.signal]);
  const progress = multicodex.complete(params, { signal: either });
  try {
    for (;;) {
      const { value: notice, done } = await progress.next();
      if (done) throw new Error("multicodex ended a completion without an answer");
      if (notice.type !== "accepted") continue;
      return new Response(eventStream(progress, cancelled), {
        status: notice.status,
        headers: { ...notice.headers, "content-type": "text/event-stream" },
      });
    }
  } catch (error) {
    if (isCompletionError(error)) return failedResponse(error);
    throw unreachable(error);
  }
}

function eventStream(
  progress: AsyncGenerator<Progress, void, undefined>,
  cancelled: AbortController,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let terminal = false;
  return new ReadableStream({
    async pull(controller) {
      try {
        for (;;) {
          const { value: notice, done } = await progress.next();
          if (done) return controller.close();
          if (notice.type !== "event") continue;
          terminal ||= TERMINAL.has(String(notice.event.type));
          return controller.enqueue(encoder.encode(`data: ${JSON.stringify(notice.event)}\n\n`));
        }
      } catch (error) {
        controller.error(brokenStream(error));
      }
    },
    async cancel() {
      // pi cancels the stream at its last event. The completion is not aborted: only its end is left to read.
      if (!terminal) cancelled.abort();
      try {
        while (!(await progress.next()).done);
      } catch {
        // The stream was cancelled, so there is no reader for the error.
      }
    },
  });
}

function forwarded(headers: Headers): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of headers) {
    if (FORWARDED.includes(name) || name.startsWith("x-codex-")) kept[name] = value;
  }
  return kept;
}
