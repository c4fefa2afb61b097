import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { TestContext } from "node:test";

/** Serves the packed packages of a directory as an npm registry on loopback, and returns its address. Knows no others. */
export async function registry(test: TestContext, directory: string): Promise<string> {
  const archives = new Map<string, Buffer>(
    readdirSync(directory).map((file) => [`/-/${file}`, readFileSync(join(directory, file))]),
  );
  const manifests = [...archives].map(([path, archive]) => {
    const text = execFileSync("tar", ["-xzO", "package/package.json"], { input: archive, encoding: "utf8" });
    const integrity = `sha512-${createHash("sha512").update(archive).digest("base64")}`;
    return { ...(JSON.parse(text) as { name: string; version: string }), path, integrity };
  });
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? "");
    const archive = archives.get(path);
    if (archive) return response.end(archive);
    const found = manifests.find(({ name }) => path === `/${name}`);
    if (!found) return response.writeHead(404).end("{}");
    const { path: file, integrity, ...manifest } = found;
    const dist = { tarball: `http://${request.headers.host}${file}`, integrity };
    const versions = { [manifest.version]: { ...manifest, dist } };
    const latest = { latest: manifest.version };
    response.setHeader("content-type", "application/json");
    return response.end(JSON.stringify({ name: manifest.name, "dist-tags": latest, versions }));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  test.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}
