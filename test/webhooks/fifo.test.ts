import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createFifo } from "../../src/webhooks/fifo.ts";
import type { OutboxEvent } from "../../src/webhooks/outbox.ts";
import { seededSource } from "../support/random-source.ts";

function event(n: number): OutboxEvent {
  const times = { decidedMs: n, retriedFromMs: n };
  return {
    id: String(n),
    appId: "a",
    channel: "c",
    type: "cache_miss",
    json: "{}",
    bytes: 2,
    ...times,
  };
}

const ids = (events: readonly OutboxEvent[]) => events.map(({ id }) => Number(id));

describe("a fifo of events", () => {
  test("gives out what came first, and knows its length and bytes, also through thousands of turns", () => {
    const fifo = createFifo();
    let out = 0;
    for (let n = 0; n < 10_000; n++) {
      fifo.push(event(n));
      if (n % 3 > 0) assert.equal(fifo.shift()?.id, String(out++));
      assert.equal(fifo.length, n + 1 - out);
      assert.equal(fifo.bytes, 2 * fifo.length);
      assert.equal(fifo.first?.id, fifo.length > 0 ? String(out) : undefined);
    }
  });

  test("removes by id from the head and from the middle, passing over what is not in it", () => {
    const fifo = createFifo();
    for (let n = 0; n < 10; n++) fifo.push(event(n));
    assert.deepEqual(ids(fifo.remove(["0", "1", "5", "99"])), [0, 1, 5]);
    assert.deepEqual(ids(fifo.peek(100)), [2, 3, 4, 6, 7, 8, 9]);
    assert.deepEqual(ids(fifo.remove(["0", "5"])), []);
    assert.deepEqual([fifo.length, fifo.bytes], [7, 14]);
    assert.equal(fifo.shift()?.id, "2");
  });

  test("gives one out of the middle, and those in front of it stay in order", () => {
    const fifo = createFifo();
    for (let n = 0; n < 5; n++) fifo.push(event(n));
    assert.equal(fifo.at(2)?.id, "2");
    assert.equal(fifo.takeAt(2)?.id, "2");
    assert.equal(fifo.takeAt(9), undefined);
    assert.deepEqual(ids(fifo.peek(100)), [0, 1, 3, 4]);
    assert.deepEqual(ids(fifo.remove(["1", "2"])), [1]);
    assert.deepEqual([fifo.length, fifo.bytes], [3, 6]);
  });

  test("holds what a plain list would, whatever is asked of it in whatever order", (t) => {
    const { below: some } = seededSource(t);
    for (let round = 0; round < 200; round++) {
      const fifo = createFifo();
      let plain: OutboxEvent[] = [];
      let next = 0;
      for (let step = 0; step < 60; step++) {
        const kind = some(5);
        if (kind < 2) {
          for (let n = some(4); n > 0; n--) {
            fifo.push(event(next));
            plain.push(event(next++));
          }
        } else if (kind === 2) {
          // The head in order, as what is settled is.
          const head = plain.splice(0, some(4));
          assert.deepEqual(fifo.remove(head.map(({ id }) => id)), head);
        } else if (kind === 3) {
          const sought = Array.from({ length: some(6) }, () => String(some(next + 2)));
          const removed = plain.filter(({ id }) => sought.includes(id));
          plain = plain.filter(({ id }) => !sought.includes(id));
          assert.deepEqual(fifo.remove(sought), removed);
        } else {
          const at = some(3);
          assert.deepEqual(fifo.takeAt(at), plain[at]);
          plain.splice(at, 1);
        }
        if (some(8) === 0) {
          const id = String(some(next + 2));
          assert.equal(
            fifo.has(id),
            plain.some((each) => each.id === id),
          );
        }
        assert.deepEqual(fifo.peek(100), plain);
        assert.deepEqual([fifo.length, fifo.bytes], [plain.length, plain.length * 2]);
      }
    }
  });

  test("is not searched for ids that are gone", () => {
    const fifo = createFifo();
    for (let n = 0; n < 200_000; n++) fifo.push(event(n));
    const startedMs = performance.now();
    for (let i = 0; i < 1_000; i++) fifo.remove([`gone-${i}`]);
    assert.ok(performance.now() - startedMs < 500);
  });
});
