import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { compareEventIds, createEventIds } from "../../src/webhooks/event-id.ts";

describe("event ids", () => {
  test("name epoch, partition and place, and grow also within a ms and when the clock steps back", () => {
    const ids = createEventIds(100, 7);
    const made = [ids.next(500), ids.next(500), ids.next(400), ids.next(501)];
    assert.deepEqual(made, ["100-7-500-0", "100-7-500-1", "100-7-500-2", "100-7-501-0"]);
  });

  test("are compared by number, epoch first", () => {
    const ordered = ["9-1-1000-0", "10-1-999-0", "10-1-999-2", "10-1-999-10", "10-1-1000-0"];
    assert.deepEqual(ordered.toReversed().toSorted(compareEventIds), ordered);
    assert.equal(compareEventIds("1-1-1-1", "1-1-1-1"), 0);
  });
});
