/**
 * Installs what .github/scripts/package packed, as users do: with a registry on loopback, fresh directories, and a PATH that
 * has neither multicodex nor cargo. `PACKAGES` names the packed directory, `PI` a pi whose directory brings its own Node.
 */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Rpc } from "../pi/test/pi.ts";
import { Simulator } from "../typescript/test/simulator.ts";
import { registry } from "./registry.ts";

const run = promisify(execFile);
const packages = process.env.PACKAGES ?? "";
const cargo = await readFile(fileURLToPath(new URL("../../Cargo.toml", import.meta.url)), "utf8");
const VERSION = /^version = "(.*)"$/m.exec(cargo)?.[1];
const OWN = `${process.platform}-${process.arch}`;

const ASK_IN_PYTHON = `
import asyncio
from multicodex_client import Multicodex

async def main():
    async with Multicodex("packages-test", version="0") as multicodex:
        request = {"model": "gpt-6.1-sol", "input": [{"role": "user", "content": "Hello from a wheel"}]}
        async for notice in multicodex.complete({"request": request}):
            if notice["type"] == "event" and notice["event"]["type"] == "response.output_text.delta":
                print(notice["event"]["delta"], end="")

asyncio.run(main())
`;

/** A machine without multicodex and without Rust: a home, and a PATH with the given programs and the system's shell only. */
async function machine(t: TestContext, programs: string[]) {
  const home = await mkdtemp(join(tmpdir(), "multicodex-test-"));
  t.after(() => rm(home, { recursive: true, force: true, maxRetries: 5 }));
  const bin = join(home, "bin");
  await mkdir(bin);
  for (const program of programs) await symlink(program, join(bin, basename(program)));
  // pi's own script needs `dirname`.
  for (const name of ["sh", "env", "dirname"]) await symlink(`/usr/bin/${name}`, join(bin, name));
  const env: NodeJS.ProcessEnv = {
    HOME: home,
    PATH: bin,
    LANG: "C.UTF-8",
    npm_config_update_notifier: "false",
  };
  return { home, env };
}

/** The same with npm, which knows the packed packages only. */
async function machineWithNpm(t: TestContext, ...more: string[]) {
  const { stdout } = await run("sh", ["-c", "command -v npm; command -v npx"]);
  const [npm = "", npx = ""] = stdout.trim().split("\n");
  const { home, env } = await machine(t, [process.execPath, npm, npx, ...more]);
  return { home, env: { ...env, npm_config_registry: await registry(t, join(packages, "npm")) } };
}

test("pi installs the extension, which answers with the sidecar of its package", async (t) => {
  const simulator = await Simulator.start(t);
  const program = process.env.PI ?? "";
  const { home, env: npm } = await machineWithNpm(t);
  const env = { ...npm, ...simulator.env, PI_SKIP_VERSION_CHECK: "1", PI_TELEMETRY: "0" };
  await run(program, ["install", "npm:@multicodex/pi"], { cwd: home, env });

  const offline = { cwd: home, env: { ...env, PI_OFFLINE: "1" } };
  const prompted = run(program, ["--no-session", "-p", "Hello from a package"], offline);
  prompted.child.stdin?.end();
  const { stdout, stderr } = await prompted;
  assert.match(stdout, /^You asked: “Hello from a package”\. .*\n$/);
  assert.equal(stderr, "");
  const [asked] = await simulator.completions();
  assert.equal(asked?.headers.originator, "pi");

  // The extension is now older than its sidecar, and says so once.
  const installed = join(simulator.agentDir, "npm/node_modules/@multicodex/pi/index.js");
  const bundle = await readFile(installed, "utf8");
  assert.ok(bundle.includes(`"${VERSION}"`));
  await writeFile(installed, bundle.replaceAll(`"${VERSION}"`, '"0.0.1"'));
  const rpc = new Rpc(spawn(program, ["--no-session", "--mode", "rpc"], { ...offline, stdio: "pipe" }));
  simulator.endFirst(() => rpc.end());
  rpc.send({ type: "prompt", message: "/multicodex show" });
  await rpc.seen("the accounts", ({ message }) => typeof message === "string" && message.includes("ada"));
  await rpc.prompt("Hello");
  const told = rpc.records.filter(
    ({ message }) => typeof message === "string" && message.includes("of version 0.0.1"),
  );
  assert.equal(told.length, 1);
});

test("npm installs the sidecar of the named platform and no other one", async (t) => {
  const { home, env } = await machineWithNpm(t);
  for (const [os, cpu] of [
    ["darwin", "arm64"],
    ["win32", "x64"],
  ]) {
    const there = join(home, `${os}-${cpu}`);
    await mkdir(there);
    await run("npm", ["install", `--os=${os}`, `--cpu=${cpu}`, "@multicodex/client"], { cwd: there, env });
    assert.deepEqual(await readdir(join(there, "node_modules/@multicodex")), ["client", `${os}-${cpu}`]);
    const manifest = await readFile(
      join(there, `node_modules/@multicodex/${os}-${cpu}/package.json`),
      "utf8",
    );
    assert.equal(JSON.parse(manifest).version, VERSION);
  }
});

test("npx runs the sidecar, and passes on its exit code", async (t) => {
  const { home, env } = await machineWithNpm(t);
  const { stdout } = await run("npx", ["--yes", "multicodex", "--version"], { cwd: home, env });
  assert.equal(stdout, `multicodex ${VERSION}\n`);
  await assert.rejects(run("npx", ["--yes", "multicodex", "--no-such-option"], { cwd: home, env }), {
    code: 2,
  });
});

test("npx without the package of the platform says so", async (t) => {
  const { home, env } = await machineWithNpm(t);
  await assert.rejects(
    run("npx", ["--yes", "--omit=optional", "multicodex", "--version"], { cwd: home, env }),
    {
      stderr: new RegExp(`no package brought a program for this platform \\(${OWN}\\)`),
    },
  );
});

test("pip installs the sidecar with the Python client, which finds it outside PATH", async (t) => {
  const simulator = await Simulator.start(t);
  const { home } = await machine(t, []);
  const env = { ...process.env, PIP_NO_INDEX: "1", PIP_FIND_LINKS: join(packages, "wheels") };
  await run("python3", ["-m", "venv", join(home, "venv")]);
  const python = join(home, "venv/bin/python");
  await run(python, ["-m", "pip", "install", "-q", "multicodex-client[bin]"], { env });
  const script = join(home, "ask.py");
  await writeFile(script, ASK_IN_PYTHON);
  const asked = await run(python, [script], { env: { HOME: home, PATH: "", ...simulator.env } });
  assert.match(asked.stdout, /^You asked: “Hello from a wheel”\. /);

  const found = ["-c", "from multicodex_client._binary import find_binary; print(find_binary())"];
  const { stdout } = await run(python, found, { env: { PATH: "" } });
  assert.equal(dirname(await realpath(stdout.trim())), await realpath(join(home, "venv/bin")));
  assert.equal((await run(stdout.trim(), ["--version"])).stdout, `multicodex ${VERSION}\n`);
});

test("uvx runs the sidecar of the wheel", async (t) => {
  const { home } = await machine(t, []);
  await run("python3", ["-m", "venv", join(home, "venv")]);
  await run(join(home, "venv/bin/pip"), ["install", "-q", "uv==0.13.9"]);
  const args = ["--no-index", "--find-links", join(packages, "wheels"), "multicodex", "--version"];
  const { stdout } = await run(join(home, "venv/bin/uvx"), args, {
    env: { ...process.env, UV_CACHE_DIR: join(home, "cache") },
  });
  assert.equal(stdout, `multicodex ${VERSION}\n`);
});
