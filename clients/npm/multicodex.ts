#!/usr/bin/env node
/** The command of the npm package `multicodex`: runs the sidecar of the package for this platform, and nothing else. */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { packagedBinary } from "../typescript/src/binary.ts";

const FORWARDED: NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP"];
const binary = packagedBinary();
const args = process.argv.slice(2);

if (binary === undefined) {
  // PATH is not searched: it usually leads back to this file.
  process.stderr.write(
    `multicodex: no package brought a program for this platform (${process.platform}-${process.arch}). If npm was told to ` +
      "leave out optional dependencies, install again without that.\n",
  );
  process.exitCode = 1;
} else {
  run(binary);
}

function run(program: string): void {
  // Replacing this process saves 44 MiB for as long as the sidecar runs. Node has it from 22.15, and not on Windows.
  if (process.execve && process.platform !== "win32")
    process.execve(program, [program, ...args], process.env);
  const child = spawn(program, args, { stdio: "inherit" });
  for (const signal of FORWARDED) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    process.stderr.write(`multicodex: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on("exit", (code, signal) => {
    process.exitCode = code ?? 128 + (signal ? constants.signals[signal] : 0);
  });
}
