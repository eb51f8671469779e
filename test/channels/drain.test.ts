import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { drainConnections } from "../../src/channels/drain.ts";
import { createConnectionRegistry } from "../../src/connections/registry.ts";
import { createTestConnection, type TestConnection } from "../support/test-connection.ts";

/** A registry of so many connections, and when each was told to go, in ms from now. */
function openConnections(count: number) {
  const registry = createConnectionRegistry();
  const startMs = performance.now();
  const closedAtMs: number[] = [];
  const connections: TestConnection[] = [];
  for (let i = 0; i < count; i++) {
    const connection = createTestConnection({ socketId: `1.${i}` });
    connection.socket.onClose = () => {
      closedAtMs.push(performance.now() - startMs);
      registry.remove(connection);
    };
    registry.add(connection);
    connections.push(connection);
  }
  return { registry, connections, closedAtMs };
}

describe("drainConnections", () => {
  test("sends every client away with 4200, so that it comes back at once elsewhere", async () => {
    const { registry, connections } = openConnections(7);
    await drainConnections(registry, 100);
    assert.equal(registry.size, 0);
    for (const { socket } of connections) assert.equal(socket.closed?.code, 4200);
  });

  test("spreads the closes evenly over the time it is given", async () => {
    // 10 rounds in 500 ms: 21 clients are two in most rounds, never three at once and then nobody.
    const { registry, closedAtMs } = openConnections(21);
    await drainConnections(registry, 500);
    const rounds = new Map<number, number>();
    let round = 0;
    closedAtMs.forEach((ms, at) => {
      // Timers never fire early, so whoever goes 25 ms later belongs to another round.
      if (at > 0 && ms - (closedAtMs[at - 1] ?? 0) > 25) round += 1;
      rounds.set(round, (rounds.get(round) ?? 0) + 1);
    });
    assert.equal(rounds.size, 10, JSON.stringify([...rounds]));
    assert.ok([...rounds.values()].every((count) => count === 2 || count === 3));
  });

  test("few clients need not wait for the whole time", async () => {
    const { registry, closedAtMs } = openConnections(2);
    const startMs = performance.now();
    await drainConnections(registry, 60_000);
    assert.equal(closedAtMs.length, 2);
    assert.ok(performance.now() - startMs < 5_000);
  });

  test("no time means all at once, nobody means at once too", async () => {
    const { registry, closedAtMs } = openConnections(5);
    const drained = drainConnections(registry, 0);
    assert.equal(closedAtMs.length, 5);
    await drained;
    await drainConnections(createConnectionRegistry(), 60_000);
  });
});
