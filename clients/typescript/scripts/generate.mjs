// Writes src/generated.ts from schema/multicodex.schema.json; `--print` writes to stdout instead.
import { readFile, writeFile } from "node:fs/promises";
import { compile } from "json-schema-to-typescript";

const source = new URL("../../../schema/multicodex.schema.json", import.meta.url);
const target = new URL("../src/generated.ts", import.meta.url);

/** The TypeScript spelling of a schema that is a reference or one of a few plain types. */
function spelled(schema) {
  if (schema === true) return "unknown";
  if (schema === null) return "undefined";
  if (typeof schema.$ref === "string") return schema.$ref.replace("#/$defs/", "");
  if (["string", "boolean", "null"].includes(schema.type)) return schema.type;
  if (schema.type === "object") return "Record<string, unknown>";
  throw new Error(`teach scripts/generate.mjs to spell ${JSON.stringify(schema)}`);
}

/** A reference with a description beside it would become a second copy of the type. */
function bareReferences(_key, value) {
  return typeof value?.$ref === "string" ? { $ref: value.$ref } : value;
}

const schema = JSON.parse(await readFile(source, "utf8"), bareReferences);
const everyType = { $defs: schema.$defs, title: "Everything", type: "object", properties: {} };
for (const name of Object.keys(schema.$defs)) {
  // json-schema-to-typescript names a type by its title when there is one; here the key is the name.
  delete schema.$defs[name].title;
  everyType.properties[name] = { $ref: `#/$defs/${name}` };
}
const types = await compile(everyType, "Everything", {
  additionalProperties: false,
  bannerComment: "",
  customName: (_schema, key) => key,
  format: true,
  style: { printWidth: 110 },
  unreachableDefinitions: false,
});
const withoutTheRoot = types.replace(/export interface Everything \{[\s\S]*?\n\}\n/, "");

const methods = Object.entries(schema["x-methods"]).map(
  ([name, { params, result }]) =>
    `  ${JSON.stringify(name)}: { params: ${spelled(params)}; result: ${spelled(result)} };`,
);
const notifications = Object.entries(schema["x-notifications"])
  .filter(([name]) => name !== "exit" && name !== "$/cancelRequest")
  .map(([name, params]) => `  ${JSON.stringify(name)}: ${spelled(params)};`);

const text = `// Generated from schema/multicodex.schema.json by scripts/generate.mjs: do not edit, run \`npm run generate\`.

/** What each method takes and answers. */
export interface Methods {
${methods.join("\n")}
}

/** What the sidecar sends unasked, beside the notices of a completion. */
export interface Notifications {
${notifications.join("\n")}
}

${withoutTheRoot.trim()}
`;

if (process.argv.includes("--print")) process.stdout.write(text);
else await writeFile(target, text);
