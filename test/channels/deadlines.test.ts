import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { createDeadlines, type Deadlines } from "../../src/channels/deadlines.ts";
import { createTestConnection, type TestConnection } from "../support/test-connection.ts";

interface Bench {
  readonly deadlines: Deadlines;
  readonly expired: readonly string[];
  add(socketId: string): TestConnection;
  tick(ms: number): void;
}

function openDeadlines(t: TestContext, timeoutMs: number): Bench {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const expired: string[] = [];
  const deadlines = createDeadlines(timeoutMs, Date.now, (connection) => {
    expired.push(`${connection.socketId} at ${Date.now()}`);
    connection.isOpen = false;
  });
  t.after(() => deadlines.close());
  return {
    deadlines,
    expired,
    add(socketId) {
      const connection = createTestConnection({ socketId });
      deadlines.add(connection);
      return connection;
    },
    tick: (ms) => t.mock.timers.tick(ms),
  };
}

describe("createDeadlines", () => {
  test("tells of each connection that was not authorised in time, once, when its time is over", (t) => {
    const { expired, add, tick } = openDeadlines(t, 1_000);
    add("1.1");
    tick(400);
    add("1.2");
    tick(599);
    assert.deepEqual(expired, []);
    tick(1);
    assert.deepEqual(expired, ["1.1 at 1000"]);
    tick(399);
    assert.equal(expired.length, 1);
    tick(1);
    assert.deepEqual(expired, ["1.1 at 1000", "1.2 at 1400"]);
    tick(10_000);
    assert.equal(expired.length, 2);
  });

  test("leaves alone who was authorised in time, and who has gone", (t) => {
    const { expired, add, tick } = openDeadlines(t, 1_000);
    add("1.1").isAuthorized = true;
    add("1.2").isOpen = false;
    tick(500);
    add("1.3");
    tick(500);
    assert.deepEqual(expired, []);
    tick(500);
    assert.deepEqual(expired, ["1.3 at 1500"]);
  });

  test("goes on for those who come after everybody has been dealt with", (t) => {
    const { expired, add, tick } = openDeadlines(t, 1_000);
    add("1.1");
    tick(1_000);
    tick(4_000);
    add("1.2");
    tick(1_000);
    assert.deepEqual(expired, ["1.1 at 1000", "1.2 at 6000"]);
  });

  test("holds no connection that has been removed", (t) => {
    const { deadlines, expired, add, tick } = openDeadlines(t, 1_000);
    const gone = add("1.1");
    add("1.2");
    assert.equal(deadlines.size(), 2);
    deadlines.remove(gone);
    deadlines.remove(gone);
    assert.equal(deadlines.size(), 1);
    tick(1_000);
    assert.deepEqual(expired, ["1.2 at 1000"]);
    assert.equal(deadlines.size(), 0);
  });

  test("tells of nobody after it is closed", (t) => {
    const { deadlines, expired, add, tick } = openDeadlines(t, 1_000);
    add("1.1");
    deadlines.close();
    tick(5_000);
    assert.deepEqual(expired, []);
  });
});
