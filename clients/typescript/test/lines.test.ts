import assert from "node:assert/strict";
import { test } from "node:test";
import { Lines } from "../src/lines.ts";

const text = '{"a":"é\u2028\u2029\\n"}\n\n{"b":"😀"}\r\n{"c":1}\nrest';

test("lines are the same however the bytes are cut, and end at LF only", () => {
  const bytes = Buffer.from(text);
  const whole = new Lines().push(bytes);
  assert.deepEqual(whole, ['{"a":"é\u2028\u2029\\n"}', "", '{"b":"😀"}\r', '{"c":1}']);
  for (let size = 1; size < bytes.length; size++) {
    const lines = new Lines();
    const cut: string[] = [];
    for (let at = 0; at < bytes.length; at += size) cut.push(...lines.push(bytes.subarray(at, at + size)));
    assert.deepEqual(cut, whole, `in pieces of ${size} bytes`);
  }
});
