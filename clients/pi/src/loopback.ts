import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type Answerer = (headers: Headers, signal: AbortSignal) => Promise<Response>;

interface Opened {
  answerer: Answerer;
  /** An old pi repeats a refused request three times. It gets the first answer again. */
  refusal?: { status: number; headers: Record<string, string>; body: string };
}

/**
 * For a pi whose streams do not take a `fetch`: an address on 127.0.0.1 for one request. Only this process knows it. It
 * answers requests for its secret path, and is removed when the request is over.
 */
export class Loopback {
  readonly #opened = new Map<string, Opened>();
  #listening: Promise<Server> | undefined;

  /** The base URL of the request, and the function that removes it. */
  async open(answerer: Answerer): Promise<{ baseUrl: string; close(): void }> {
    this.#listening ??= new Promise((resolve, reject) => {
      const server = createServer((request, response) => void this.#serve(request, response));
      server.once("error", reject);
      server.listen(0, "127.0.0.1", () => resolve(server.unref()));
    });
    const server = await this.#listening;
    const secret = randomBytes(32).toString("hex");
    this.#opened.set(secret, { answerer });
    const { port } = server.address() as AddressInfo;
    return { baseUrl: `http://127.0.0.1:${port}/${secret}`, close: () => this.#opened.delete(secret) };
  }

  async end(): Promise<void> {
    const server = await this.#listening;
    this.#listening = undefined;
    server?.closeAllConnections();
    server?.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, secret = "", ...path] = (request.url ?? "").split("/");
    const opened = this.#opened.get(secret);
    // pi also sends the body to this address; the caller has it already.
    request.resume();
    if (!opened || request.method !== "POST" || path.join("/") !== "codex/responses") {
      response.writeHead(404).end();
      return;
    }
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    try {
      if (!opened.refusal) {
        const answer = await opened.answerer(
          new Headers(request.headers as Record<string, string>),
          gone.signal,
        );
        if (answer.ok) return await relay(answer, response);
        const { status, headers } = answer;
        opened.refusal = { status, headers: Object.fromEntries(headers), body: await answer.text() };
      }
      const { status, headers, body } = opened.refusal;
      response.writeHead(status, headers).end(body);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      // After the answer has begun an event reports the error: an old pi shows no reason for a broken connection.
      if (response.headersSent) response.end(`data: ${JSON.stringify({ type: "error", message })}\n\n`);
      else
        response
          .writeHead(503, { "content-type": "application/json" })
          .end(JSON.stringify({ error: { message } }));
    }
  }
}

async function relay(answer: Response, response: ServerResponse): Promise<void> {
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  for await (const chunk of answer.body ?? []) response.write(chunk);
  response.end();
}
