import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

test("the types are those of the schema", async () => {
  let home = dirname(fileURLToPath(import.meta.url));
  while (!home.endsWith("typescript")) home = dirname(home);
  const generated = execFileSync(process.execPath, [
    join(home, "scripts/generate.mjs"),
    "--print",
  ]).toString();
  const committed = await readFile(join(home, "src/generated.ts"), "utf8");
  assert.ok(
    committed === generated,
    "schema/ has changed: run `npm run generate` in clients/ and commit the result",
  );
});
