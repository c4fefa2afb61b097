// One client of npm's proper-lockfile, as pi uses it. Arguments: the module, the file, what to do, and a number.
const [, , module_, file, task, number] = process.argv;
const lockfile = require(module_);
const fs = require("node:fs");

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const lock = () =>
  lockfile.lock(file, { stale: 30000, retries: { retries: 200, factor: 1.2, minTimeout: 5, maxTimeout: 50 } });

const tasks = {
  // Adds one to the number in the file, so many times, each under the lock.
  async count() {
    for (let turn = 0; turn < Number(number); turn++) {
      const release = await lock();
      const seen = Number(fs.readFileSync(file, "utf8"));
      await pause(1);
      fs.writeFileSync(file, String(seen + 1));
      await release();
    }
  },
  // Adds one to a member of its own, so many times, in place as pi writes; every reading has to parse.
  async edit() {
    for (let turn = 0; turn < Number(number); turn++) {
      const release = await lock();
      const file_ = JSON.parse(fs.readFileSync(file, "utf8"));
      file_.count = (file_.count ?? 0) + 1;
      fs.writeFileSync(file, JSON.stringify(file_, null, 2));
      await release();
      await pause(5);
    }
  },
  // Takes the lock, says so, and lets go when its input ends.
  async hold() {
    const release = await lock();
    console.log("held");
    for await (const _ of process.stdin);
    await release();
    console.log("released");
  },
  // Tries once and says what came of it.
  async try() {
    try {
      const release = await lockfile.lock(file, { stale: Number(number), retries: 0 });
      await release();
      console.log("free");
    } catch (error) {
      console.log(error.code);
    }
  },
};

tasks[task]().catch((error) => {
  console.error(error);
  process.exit(1);
});
