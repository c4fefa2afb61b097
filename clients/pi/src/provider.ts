import type {
  Api,
  AssistantMessage,
  AssistantMessageEventStream,
  Model,
  SimpleStreamOptions,
  TranscriptContext,
} from "@mariozechner/pi-ai";
import * as piAi from "@mariozechner/pi-ai";
import type { ExtensionAPI } from "@mariozechner/pi-coding-agent";
import { Loopback } from "./loopback.ts";
import { oauth } from "./oauth.ts";
import { sidecar } from "./sidecar.ts";
import { respond } from "./transport.ts";

export const PROVIDER = "openai-codex";
const API = "openai-codex-responses";
/** pi reads an account id from the key. This key holds only our name and never leaves the process. */
const PLACEHOLDER_KEY = [
  { alg: "none" },
  { "https://api.openai.com/auth": { chatgpt_account_id: "multicodex" } },
]
  .map((part) => btoa(JSON.stringify(part)))
  .concat("unsigned")
  .join(".");

const { streamSimpleOpenAICodexResponses, createAssistantMessageEventStream } = piAi;
/** pi has `normalizeContext` since 0.86, and takes a `fetch` for a stream since 0.83. */
const takesFetch = "normalizeContext" in piAi;
const loopback = new Loopback();

type CodexModel = Model<"openai-codex-responses">;

export function registerProvider(pi: ExtensionAPI): void {
  pi.registerProvider(PROVIDER, {
    name: "ChatGPT (multicodex)",
    api: API,
    apiKey: "multicodex",
    oauth,
    streamSimple: takesFetch ? streamBySidecar : streamByLoopback,
  });
}

export function endLoopback(): Promise<void> {
  return loopback.end();
}

/**
 * pi's own stream function makes the body and reads the events; only the transport between is ours. `options.apiKey` may
 * hold a real token of pi's login: it is replaced, not used.
 */
function streamBySidecar(
  model: Model<Api>,
  context: TranscriptContext,
  options: SimpleStreamOptions = {},
): AssistantMessageEventStream {
  const { kept, onPayload } = keepBody(options);
  return streamSimpleOpenAICodexResponses(model as CodexModel, context, {
    ...options,
    apiKey: PLACEHOLDER_KEY,
    transport: "sse",
    maxRetries: 0,
    onPayload,
    fetch: (_url, init) =>
      respond(sidecar(), {
        request: kept(),
        sessionId: options.sessionId,
        transport: toUpstream(options),
        headers: new Headers(init?.headers),
        signal: init?.signal ?? new AbortController().signal,
      }),
  });
}

/** An older pi passes every model of this API to us, also models of other providers, which we do not answer. */
function streamByLoopback(
  model: Model<Api>,
  context: TranscriptContext,
  options: SimpleStreamOptions = {},
): AssistantMessageEventStream {
  if (model.provider !== PROVIDER)
    return streamSimpleOpenAICodexResponses(model as CodexModel, context, options);
  const { kept, onPayload } = keepBody(options);
  const relayed = createAssistantMessageEventStream();
  const relay = async () => {
    const { baseUrl, close } = await loopback.open((headers, signal) =>
      respond(sidecar(), {
        request: kept(),
        sessionId: options.sessionId,
        transport: toUpstream(options),
        headers,
        signal,
      }),
    );
    try {
      const stream = streamSimpleOpenAICodexResponses({ ...(model as CodexModel), baseUrl }, context, {
        ...options,
        apiKey: PLACEHOLDER_KEY,
        transport: "sse",
        onPayload,
      });
      for await (const event of stream) relayed.push(event);
    } finally {
      close();
    }
  };
  // Without a last event pi would not stop waiting.
  relay()
    .catch((error: Error) =>
      relayed.push({ type: "error", reason: "error", error: failedMessage(model, error) }),
    )
    .finally(() => relayed.end());
  return relayed;
}

/**
 * pi's own setting, for the way from the sidecar to upstream: towards pi it is always a stream. pi, too, falls back to SSE
 * when there is no WebSocket, whichever kind of it was asked for.
 */
function toUpstream({ transport }: SimpleStreamOptions): "auto" | "sse" {
  return transport === "sse" ? "sse" : "auto";
}

function failedMessage({ api, provider, id }: Model<Api>, error: Error): AssistantMessage {
  const cost = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, total: 0 };
  return {
    role: "assistant",
    content: [],
    api,
    provider,
    model: id,
    usage: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, totalTokens: 0, cost },
    stopReason: "error",
    errorMessage: error.message,
    timestamp: Date.now(),
  };
}

/** The body as extensions may have changed it; the one that pi passes to `fetch` is compressed. */
function keepBody(options: SimpleStreamOptions) {
  let body: unknown;
  return {
    kept: () => body as Record<string, unknown>,
    onPayload: async (payload: unknown, model: Model<Api>) => {
      const replaced = await options.onPayload?.(payload, model);
      body = replaced ?? payload;
      return replaced;
    },
  };
}
