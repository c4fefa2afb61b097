// What the extension itself does with codex-accounts.json. Arguments: the node_modules it is in, what to do, and more.
// Its storage.ts is used as it was published, but for the one function from a package that is not published any more.
import { readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";

const [, , modules, task, label, until] = process.argv;
const published = readFileSync(`${modules}/@victor-software-house/pi-multicodex/storage.ts`, "utf8");
const agentPath = "const getAgentPath = (name) => `${process.env.PI_CODING_AGENT_DIR}/${name}`;";
const source = published.replace(/^import .* from "pi-provider-utils\/agent-paths";$/m, agentPath);
const module_ = `${modules}/../storage-${process.pid}.mjs`;
writeFileSync(module_, stripTypeScriptTypes(source));
const { STORAGE_FILE, StorageSchema, loadStorage, saveStorage } = await import(module_);
unlinkSync(module_);

const tasks = {
  // What it reads, and whether the file was as it would have it. What it does not keep it takes out of the file.
  load() {
    const valid = StorageSchema.safeParse(JSON.parse(readFileSync(STORAGE_FILE, "utf8"))).success;
    console.log(JSON.stringify({ valid, ...loadStorage() }));
  },
  // As when this account meets its limit.
  exhaust() {
    const data = loadStorage();
    data.accounts.find((account) => account.email === label).quotaExhaustedUntil = Number(until);
    saveStorage(data);
  },
};
tasks[task]();
