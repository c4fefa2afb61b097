import { accessSync, constants, realpathSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
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
  // A package manager may link to this file, and install the packages that it needs beside the real one.
  resolve: createRequire(realpathSync(fileURLToPath(import.meta.url))).resolve,
};

/**
 * Returns the path of the sidecar: the given path, `MULTICODEX_BIN`, the package for this platform, or `PATH`. A path that
 * was given and cannot be run is an error; nothing else is tried.
 */
export function findBinary(given: string | undefined, processEnv: ProcessEnv = here): string {
  const { env } = processEnv;
  const named = given ?? (env.MULTICODEX_BIN || undefined);
  if (named !== undefined) {
    if (runs(named)) return named;
    const where = given === undefined ? "MULTICODEX_BIN names" : "the option `binary` names";
    throw new BinaryNotFoundError(`${where} ${named}, which is not a program that can be run`);
  }
  const packaged = packagedBinary(processEnv);
  if (packaged !== undefined) return packaged;
  for (const directory of (env.PATH ?? "").split(delimiter)) {
    const path = join(directory, fileName(processEnv));
    if (directory !== "" && runs(path)) return path;
  }
  throw new BinaryNotFoundError(
    "cannot find the multicodex program: MULTICODEX_BIN is not set, no package brought one for this platform " +
      `(${processEnv.platform}-${processEnv.arch}), and PATH has no multicodex. Install it with ` +
      "`cargo install --locked --path .` in a checkout of multicodex, or set MULTICODEX_BIN to its path",
  );
}

/** Returns the path of the sidecar in the installed package for this platform. */
export function packagedBinary(processEnv: ProcessEnv = here): string | undefined {
  const { platform, arch, resolve } = processEnv;
  try {
    const path = resolve(`@multicodex/${platform}-${arch}/bin/${fileName(processEnv)}`);
    return runs(path) ? path : undefined;
  } catch {
    return undefined; // The package is not installed.
  }
}

function fileName({ platform }: ProcessEnv): string {
  return platform === "win32" ? "multicodex.exe" : "multicodex";
}

function runs(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
