import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createWatchers, type Watchers } from "../../src/connections/watchers.ts";
import { createTestApp } from "../support/test-app.ts";
import { createTestConnection, type TestConnection } from "../support/test-connection.ts";

/** Which of the connections hear what is told of a user. */
function told(
  watchers: Watchers,
  userId: string,
  ...connections: readonly TestConnection[]
): boolean[] {
  for (const { socket } of connections) socket.take();
  watchers.tell("3", userId, '{"event":"told"}');
  return connections.map(({ socket }) => {
    const { length } = socket.take();
    assert.ok(length <= 1, `told ${length} times`);
    return length === 1;
  });
}

describe("createWatchers", () => {
  test("tells those who watch a user, each once", () => {
    const watchers = createWatchers();
    const [a, b] = [createTestConnection(), createTestConnection()];
    watchers.add(a, ["u1", "u2"]);
    watchers.add(a, ["u1"]);
    watchers.add(b, ["u1"]);
    assert.deepEqual(told(watchers, "u1", a, b), [true, true]);
    assert.deepEqual(told(watchers, "u2", a, b), [true, false]);
    assert.deepEqual(told(watchers, "u3", a, b), [false, false]);
  });

  test("forgets exactly what is removed", () => {
    const watchers = createWatchers();
    const [a, b] = [createTestConnection(), createTestConnection()];
    watchers.add(a, ["u1", "u2"]);
    watchers.add(b, ["u1"]);
    watchers.remove(a, ["u1", "never watched"]);
    assert.deepEqual(told(watchers, "u1", a, b), [false, true]);
    assert.deepEqual(told(watchers, "u2", a, b), [true, false]);
    watchers.remove(b, ["u1"]);
    watchers.remove(b, ["u1"]);
    assert.deepEqual(told(watchers, "u1", a, b), [false, false]);
  });

  test("a user of another app is another user", () => {
    const watchers = createWatchers();
    const connection = createTestConnection({ app: createTestApp({ id: "4" }) });
    watchers.add(connection, ["u1"]);
    assert.deepEqual(told(watchers, "u1", connection), [false]);
  });

  test("what is told to a connection that is held comes when it is released, in order", () => {
    const watchers = createWatchers();
    const [held, other] = [createTestConnection(), createTestConnection()];
    for (const connection of [held, other]) watchers.add(connection, ["u1"]);
    watchers.hold(held);
    for (const n of [1, 2]) watchers.tell("3", "u1", `{"event":"${n}"}`);
    assert.deepEqual(held.socket.take(), []);
    assert.deepEqual(other.socket.take(), [{ event: "1" }, { event: "2" }]);
    watchers.release(held);
    watchers.release(held);
    assert.deepEqual(held.socket.take(), [{ event: "1" }, { event: "2" }]);
    assert.deepEqual(told(watchers, "u1", held, other), [true, true]);
  });

  test("a connection that goes while it is told disturbs nobody else", () => {
    const watchers = createWatchers();
    const all = [1, 2, 3].map(() => createTestConnection());
    for (const connection of all) {
      watchers.add(connection, ["u1"]);
      const { socket } = connection;
      const { send } = socket;
      socket.send = (frame) => {
        send(frame);
        watchers.remove(connection, ["u1"]);
      };
    }
    assert.deepEqual(told(watchers, "u1", ...all), [true, true, true]);
    assert.deepEqual(told(watchers, "u1", ...all), [false, false, false]);
  });
});
