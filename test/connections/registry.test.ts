import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createConnectionRegistry } from "../../src/connections/registry.ts";
import { userTopic } from "../../src/protocol/topic.ts";
import { createTestApp } from "../support/test-app.ts";
import { createTestConnection } from "../support/test-connection.ts";

function signedIn(socketId: string, id: string, app = createTestApp()) {
  return createTestConnection({
    app,
    socketId,
    user: { id, userInfoJson: "{}", watchlist: [] },
  });
}

describe("createConnectionRegistry", () => {
  test("finds a connection by its socket id until it is removed", () => {
    const registry = createConnectionRegistry();
    const a = createTestConnection({ socketId: "1.1" });
    const b = createTestConnection({ socketId: "2.2" });
    registry.add(a);
    registry.add(b);
    assert.equal(registry.size, 2);
    assert.deepEqual([...registry.all()], [a, b]);
    assert.equal(registry.bySocketId("1.1"), a);
    registry.remove(a);
    assert.equal(registry.bySocketId("1.1"), undefined);
    assert.equal(registry.size, 1);
  });

  test("counts connections per app and per address, and removing one twice counts once", () => {
    const registry = createConnectionRegistry();
    const first = createTestConnection({ socketId: "1.1", address: "10.0.0.1" });
    registry.add(first);
    registry.add(createTestConnection({ socketId: "1.2", address: "10.0.0.1" }));
    registry.add(createTestConnection({ socketId: "1.3", app: createTestApp({ id: "4" }) }));
    assert.equal(registry.countOfApp("3"), 2);
    assert.equal(registry.countOfApp("4"), 1);
    assert.equal(registry.countOfAddress("10.0.0.1"), 2);
    registry.remove(first);
    registry.remove(first);
    assert.equal(registry.countOfApp("3"), 1);
    assert.equal(registry.countOfAddress("10.0.0.1"), 1);
    assert.equal(registry.countOfApp("unknown"), 0);
    assert.equal(registry.countOfAddress("unknown"), 0);
  });

  test("tells how many connections are signed in as a user, each counted once", () => {
    const registry = createConnectionRegistry();
    const a = signedIn("1.1", "u1");
    const b = signedIn("1.2", "u1");
    assert.equal(registry.signIn(a), 1);
    assert.equal(registry.signIn(a), 1);
    assert.equal(registry.signIn(b), 2);
    assert.deepEqual([...(registry.byUserTopic(userTopic("3", "u1")) ?? [])], [a, b]);
    assert.equal(registry.signOut(a), 1);
    assert.equal(registry.signOut(a), 1);
    assert.equal(registry.signOut(b), 0);
    assert.equal(registry.signOut(b), 0);
    assert.equal(registry.byUserTopic(userTopic("3", "u1")), undefined);
  });

  test("one user id in two apps is two users", () => {
    const registry = createConnectionRegistry();
    assert.equal(registry.signIn(signedIn("1.1", "u1")), 1);
    assert.equal(registry.signIn(signedIn("1.1", "u1", createTestApp({ id: "4" }))), 1);
    assert.equal(registry.byUserTopic(userTopic("4", "u1"))?.size, 1);
  });

  test("a connection that has not signed in counts for nobody", () => {
    const registry = createConnectionRegistry();
    const anonymous = createTestConnection();
    assert.equal(registry.signIn(anonymous), 0);
    assert.equal(registry.signOut(anonymous), 0);
  });
});
