import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type Answerer = (headers: Headers, signal: AbortSignal) => Promise<Response>;

/**
 * For a pi whose streams cannot be given a `fetch`: an address on 127.0.0.1 for one request. It is known to this process
 * only, answers once asked with its secret path, and is withdrawn when the request is over.
 */
export class Loopback {
  readonly #answerers = new Map<string, Answerer>();
  #listening: Promise<Server> | undefined;

  /** The base URL of the request, and the function that withdraws it. */
  async open(answerer: Answerer): Promise<{ baseUrl: string; close(): void }> {
    this.#listening ??= new Promise((resolve, reject) => {
      const server = createServer((request, response) => void this.#serve(request, response));
      server.once("error", reject);
      server.listen(0, "127.0.0.1", () => resolve(server.unref()));
    });
    const server = await this.#listening;
    const secret = randomBytes(32).toString("hex");
    this.#answerers.set(secret, answerer);
    const { port } = server.address() as AddressInfo;
    return { baseUrl: `http://127.0.0.1:${port}/${secret}`, close: () => this.#answerers.delete(secret) };
  }

  async end(): Promise<void> {
    const server = await this.#listening;
    this.#listening = undefined;
    server?.closeAllConnections();
    server?.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, secret = "", ...path] = (request.url ?? "").split("/");
    const answerer = this.#answerers.get(secret);
    // pi sends what it made to this address, too; the caller has it already.
    request.resume();
    if (!answerer || request.method !== "POST" || path.join("/") !== "codex/responses") {
      response.writeHead(404).end();
      return;
    }
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    try {
      const answer = await answerer(new Headers(request.headers as Record<string, string>), gone.signal);
      response.writeHead(answer.status, Object.fromEntries(answer.headers));
      for await (const chunk of answer.body ?? []) response.write(chunk);
      response.end();
    } catch (error) {
      // Once the answer has begun, an end that is not its end is all that can be said.
      if (response.headersSent) response.destroy();
      else response.writeHead(503, { "content-type": "application/json" }).end(errorBody(error));
    }
  }
}

function errorBody(error: unknown): string {
  return JSON.stringify({ error: { message: error instanceof Error ? error.message : String(error) } });
}
