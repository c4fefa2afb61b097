import type { CompleteParams, Multicodex, Progress } from "../../typescript/src/index.ts";
import { brokenStream, failedResponse, isCompletionError, unreachable } from "./failure.ts";

const TERMINAL = new Set([
  "response.completed",
  "response.done",
  "response.incomplete",
  "response.failed",
  "error",
]);
/** Of what pi would send to ChatGPT, what says who asks and in which session. The rest is the sidecar's business. */
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
  headers: Headers;
  signal: AbortSignal;
}

/**
 * One completion by the sidecar, as the HTTP response that pi's own code reads: status, headers and body of upstream
 * when it failed, else an event stream made of upstream's events. LF alone, because pi's parser knows no CRLF.
 */
export async function respond(
  multicodex: Multicodex,
  { request, sessionId, headers, signal }: Asked,
): Promise<Response> {
  const cancelled = new AbortController();
  const params: CompleteParams = { request, headers: forwarded(headers), ...(sessionId && { sessionId }) };
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
      // pi stops reading at the terminal event, by cancelling. That is no abort: what is left is the end itself.
      if (!terminal) cancelled.abort();
      try {
        while (!(await progress.next()).done);
      } catch {
        // Nobody reads any more; the reason is the cancellation.
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
