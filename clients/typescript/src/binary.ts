import { accessSync, constants, statSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";
import { BinaryNotFoundError } from "./errors.ts";

export interface ProcessEnv {
  env: Record<string, string | undefined>;
  platform: string;
  arch: string;
  /** Resolves a file of an installed package, or throws. */
  resolve(specifier: string): string;
}

const here: ProcessEnv = {
  env: process.env,
  platform: process.platform,
  arch: process.arch,
  resolve: createRequire(import.meta.url).resolve,
};

/**
 * Returns the path of the sidecar: the given path, `MULTICODEX_BIN`, the package for this platform, or `PATH`. A path that
 * was given and cannot be run is an error; nothing else is tried.
 */
export function findBinary(given: string | undefined, processEnv: ProcessEnv = here): string {
  const { env, platform, arch, resolve } = processEnv;
  const file = platform === "win32" ? "multicodex.exe" : "multicodex";
  const named = given ?? (env.MULTICODEX_BIN || undefined);
  if (named !== undefined) {
    if (runs(named)) return named;
    const where = given === undefined ? "MULTICODEX_BIN names" : "the option `binary` names";
    throw new BinaryNotFoundError(`${where} ${named}, which is not a program that can be run`);
  }
  const packaged = `@multicodex/${platform}-${arch}/bin/${file}`;
  try {
    const path = resolve(packaged);
    if (runs(path)) return path;
  } catch {
    // Usually not installed; look on PATH next.
  }
  for (const directory of (env.PATH ?? "").split(delimiter)) {
    const path = join(directory, file);
    if (directory !== "" && runs(path)) return path;
  }
  throw new BinaryNotFoundError(
    `cannot find the multicodex program: MULTICODEX_BIN is not set, the package @multicodex/${platform}-${arch} is not ` +
      "installed, and PATH has no multicodex. Install it with `cargo install --path .` in a checkout of multicodex, " +
      "or set MULTICODEX_BIN to its path",
  );
}

function runs(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
