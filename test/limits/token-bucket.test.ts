import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  createTokenBucket,
  MAX_RETRY_AFTER_S,
  takeToken,
  takeTokens,
} from "../../src/limits/token-bucket.ts";

describe("takeToken", () => {
  test("lets a burst through at once, then the rate", () => {
    const bucket = createTokenBucket(3, 0);
    const allowed = (nowMs: number) => takeToken(bucket, 10, 3, nowMs);
    assert.deepEqual([0, 0, 0, 0].map(allowed), [true, true, true, false]);
    assert.deepEqual([99, 100, 100].map(allowed), [false, true, false]);
  });

  test("never saves up more than the burst, however long nobody came", () => {
    const bucket = createTokenBucket(2, 0);
    const allowed = () => takeToken(bucket, 1, 2, 1_000_000);
    assert.deepEqual([allowed(), allowed(), allowed()], [true, true, false]);
  });

  test("over a long time lets exactly the burst and the rate through", () => {
    const bucket = createTokenBucket(5, 0);
    let passed = 0;
    for (let nowMs = 0; nowMs <= 10_000; nowMs += 7) {
      if (takeToken(bucket, 20, 5, nowMs)) passed += 1;
    }
    assert.ok(passed >= 203 && passed <= 205, `${passed} of 5 + 20 × 10`);
  });

  test("follows a rate and a burst that change between two calls", () => {
    const bucket = createTokenBucket(100, 0);
    assert.equal(takeToken(bucket, 100, 1, 0), true);
    assert.equal(takeToken(bucket, 100, 1, 0), false);
    assert.equal(takeToken(bucket, 1_000, 1, 1), true);
  });

  test("a clock set back neither gives nor takes tokens", () => {
    const bucket = createTokenBucket(1, 10_000);
    assert.equal(takeToken(bucket, 1, 1, 10_000), true);
    assert.equal(takeToken(bucket, 1, 1, 0), false);
    assert.equal(takeToken(bucket, 1, 1, 999), false);
    assert.equal(takeToken(bucket, 1, 1, 1_000), true);
  });

  test("a rate of Infinity always passes, a burst of 0 never", () => {
    const bucket = createTokenBucket(0, 0);
    assert.equal(takeToken(bucket, Infinity, 0, 0), true);
    assert.equal(takeToken(bucket, 100, 0, 60_000), false);
  });
});

describe("takeTokens", () => {
  test("tells what remains, and when the same request would pass", () => {
    const bucket = createTokenBucket(10, 0);
    const take = (count: number, nowMs: number) => takeTokens(bucket, count, 2, 10, nowMs);
    assert.deepEqual(take(7, 0), { isAllowed: true, remaining: 3, retryAfterS: 0 });
    assert.deepEqual(take(8, 0), { isAllowed: false, remaining: 3, retryAfterS: 3 });
    assert.deepEqual(take(8, 2_499), { isAllowed: false, remaining: 7, retryAfterS: 1 });
    assert.deepEqual(take(8, 2_500), { isAllowed: true, remaining: 0, retryAfterS: 0 });
  });

  test("more than the burst passes on a full bucket and is paid off afterwards", () => {
    const bucket = createTokenBucket(10, 0);
    const take = (count: number, nowMs: number) => takeTokens(bucket, count, 10, 10, nowMs);
    assert.deepEqual(take(25, 0), { isAllowed: true, remaining: 0, retryAfterS: 0 });
    assert.deepEqual(take(1, 0), { isAllowed: false, remaining: 0, retryAfterS: 2 });
    assert.deepEqual(take(25, 2_400), { isAllowed: false, remaining: 9, retryAfterS: 1 });
    assert.deepEqual(take(25, 2_500), { isAllowed: true, remaining: 0, retryAfterS: 0 });
  });

  test("a rate of 0 asks for the longest wait, a rate of Infinity for none", () => {
    const none = takeTokens(createTokenBucket(0, 0), 1, 0, 0, 5_000);
    assert.deepEqual(none, { isAllowed: false, remaining: 0, retryAfterS: MAX_RETRY_AFTER_S });
    const all = takeTokens(createTokenBucket(1, 0), 1_000, Infinity, 1, 0);
    assert.deepEqual(all, { isAllowed: true, remaining: Infinity, retryAfterS: 0 });
  });
});
