import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { findBinary } from "../src/index.ts";

test("the option wins over MULTICODEX_BIN, the package and PATH, in this order", async (t) => {
  const root = await mkdtemp(join(tmpdir(), "multicodex-test-"));
  t.after(() => rm(root, { recursive: true }));
  const program = async (directory: string) => {
    const path = join(root, directory, "multicodex");
    await mkdir(join(root, directory));
    await writeFile(path, "");
    await chmod(path, 0o755);
    return path;
  };
  const [given, named, packaged, first, second] = await Promise.all(["a", "b", "c", "d", "e"].map(program));
  const path = [join(root, "empty"), join(root, "d"), join(root, "e")].join(delimiter);
  const nothing = () => {
    throw new Error("not installed");
  };
  const here = { platform: "linux", arch: "x64", resolve: nothing, env: { PATH: path } };
  const withPackage = {
    ...here,
    resolve: (specifier: string) =>
      specifier === "@multicodex/linux-x64/bin/multicodex" ? String(packaged) : nothing(),
  };

  assert.equal(findBinary(given, { ...withPackage, env: { PATH: path, MULTICODEX_BIN: named } }), given);
  assert.equal(findBinary(undefined, { ...withPackage, env: { PATH: path, MULTICODEX_BIN: named } }), named);
  assert.equal(findBinary(undefined, withPackage), packaged);
  assert.equal(findBinary(undefined, here), first);
  await chmod(String(first), 0o644);
  assert.equal(findBinary(undefined, here), second);

  assert.throws(() => findBinary(undefined, { ...here, env: { PATH: "" } }), /cargo install.*MULTICODEX_BIN/);
  assert.throws(
    () => findBinary(undefined, { ...here, env: { PATH: path, MULTICODEX_BIN: root } }),
    /MULTICODEX_BIN names .* not a program that can be run/,
  );
});
