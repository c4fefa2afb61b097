// Loaded into pi with `node --import`: what pi sends to OpenAI's sign-in host goes to the simulator in AUTH_URL.
// pi has the host as a constant, and puts a `fetch` of its own in place at start; so the property is taken, not a value.
let inner = globalThis.fetch;
const there = process.env.AUTH_URL;
const fetch = (input, init) => {
  const url = typeof input === "string" ? input : (input.url ?? String(input));
  return inner(url.startsWith("https://auth.openai.com/") ? url.replace("https://auth.openai.com", there) : input, init);
};
Object.defineProperty(globalThis, "fetch", {
  configurable: true,
  get: () => fetch,
  set: (theirs) => {
    if (theirs !== fetch) inner = theirs;
  },
});
