import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createWatchers } from "../../src/connections/watchers.ts";
import { createTestApp } from "../support/test-app.ts";
import { createTestConnection } from "../support/test-connection.ts";

describe("createWatchers", () => {
  test("knows who watches a user, each connection once", () => {
    const watchers = createWatchers();
    const a = createTestConnection({ socketId: "1.1" });
    const b = createTestConnection({ socketId: "1.2" });
    watchers.add(a, ["u1", "u2"]);
    watchers.add(a, ["u1"]);
    watchers.add(b, ["u1"]);
    assert.deepEqual([...watchers.of("3", "u1")], [a, b]);
    assert.deepEqual([...watchers.of("3", "u2")], [a]);
    assert.deepEqual([...watchers.of("3", "u3")], []);
  });

  test("forgets exactly what is removed", () => {
    const watchers = createWatchers();
    const a = createTestConnection({ socketId: "1.1" });
    const b = createTestConnection({ socketId: "1.2" });
    watchers.add(a, ["u1", "u2"]);
    watchers.add(b, ["u1"]);
    watchers.remove(a, ["u1", "never watched"]);
    assert.deepEqual([...watchers.of("3", "u1")], [b]);
    assert.deepEqual([...watchers.of("3", "u2")], [a]);
    watchers.remove(b, ["u1"]);
    watchers.remove(b, ["u1"]);
    assert.deepEqual([...watchers.of("3", "u1")], []);
  });

  test("a user of another app is another user", () => {
    const watchers = createWatchers();
    watchers.add(createTestConnection({ app: createTestApp({ id: "4" }) }), ["u1"]);
    assert.deepEqual([...watchers.of("3", "u1")], []);
  });

  test("a connection that goes while its watchers are told disturbs nobody else", () => {
    const watchers = createWatchers();
    const all = ["1.1", "1.2", "1.3"].map((socketId) => createTestConnection({ socketId }));
    for (const connection of all) watchers.add(connection, ["u1"]);
    const told: string[] = [];
    for (const connection of watchers.of("3", "u1")) {
      told.push(connection.socketId);
      watchers.remove(connection, ["u1"]);
    }
    assert.deepEqual(told, ["1.1", "1.2", "1.3"]);
  });
});
