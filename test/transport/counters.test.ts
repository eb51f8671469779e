import assert from "node:assert/strict";
import { test } from "node:test";
import { CLOSE_CODES } from "../../src/protocol/close-code.ts";
import { countClose, createTransportCounters } from "../../src/transport/counters.ts";

test("closes are counted by code: each that the server or WebSocket itself uses has its own", () => {
  const counters = createTransportCounters();
  const codes = [1000, 1001, 1006, ...Object.values(CLOSE_CODES)];
  for (const code of codes) countClose(counters, code);
  countClose(counters, 1006);
  assert.deepEqual(counters.closes, new Map(codes.map((code) => [code, code === 1006 ? 2 : 1])));
});

test("codes that a client made up share one label, so that clients cannot make labels", () => {
  const counters = createTransportCounters();
  for (let code = 3_000; code < 5_000; code++) countClose(counters, code);
  const { size } = counters.closes;
  assert.equal(size, Object.values(CLOSE_CODES).length + 1);
  assert.equal(counters.closes.get(0), 2_000 - (size - 1));
});
