import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { signingKey } from "../../src/protocol/signature.ts";
import { type ChannelsNode, createChannelsNode } from "../support/channels-node.ts";
import { createTestApp } from "../support/test-app.ts";

/** Events of a backend, as the adapter brings them. */
function publish(node: ChannelsNode, channel: string, exceptSocketId?: string): void {
  void node.channels.publish(node.app, [
    { eventJson: '"e"', channels: [channel], dataJson: '"d"', exceptSocketId },
  ]);
}

describe("delivery", () => {
  test("an event reaches every subscriber of its channel and nobody else", () => {
    const node = createChannelsNode();
    const [a, b, other] = [node.connect(), node.connect(), node.connect()];
    a.subscribe("room");
    b.subscribe("room");
    other.subscribe("other");
    for (const client of [a, b, other]) client.take();
    publish(node, "room");
    assert.deepEqual(a.take(), [{ event: "e", channel: "room", data: "d" }]);
    assert.deepEqual(b.takeNames(), ["e room"]);
    assert.deepEqual(other.take(), []);
  });

  test("the excluded socket does not get it, whether or not it is subscribed", () => {
    const node = createChannelsNode();
    const [a, b, outsider] = [node.connect(), node.connect(), node.connect()];
    a.subscribe("room");
    b.subscribe("room");
    for (const client of [a, b]) client.take();
    publish(node, "room", a.connection.socketId);
    assert.deepEqual(a.take(), []);
    assert.deepEqual(b.takeNames(), ["e room"]);
    publish(node, "room", outsider.connection.socketId);
    publish(node, "room", "99.99");
    assert.deepEqual(a.takeNames(), ["e room", "e room"]);
    assert.deepEqual(b.takeNames(), ["e room", "e room"]);
  });

  test("a socket id of another app excludes nobody", () => {
    const theirKey = { key: "other-key", signingKey: signingKey("other-secret") };
    const theirs = createTestApp({
      id: "4",
      settings: { keys: new Map([[theirKey.key, theirKey]]) },
    });
    const node = createChannelsNode({ apps: [theirs] });
    const mine = node.connect();
    mine.subscribe("room");
    mine.take();
    const stranger = node.connect({ appKey: theirKey.key });
    stranger.subscribe("room");
    stranger.take();
    publish(node, "room", stranger.connection.socketId);
    assert.deepEqual(mine.takeNames(), ["e room"]);
    assert.deepEqual(stranger.take(), [], "and the other app's channel of that name hears nothing");
  });

  test("a message to a user reaches every connection signed in as it, once each, subscribed or not", () => {
    const node = createChannelsNode();
    const [subscribed, signedIn, other] = [node.connect(), node.connect(), node.connect()];
    subscribed.signIn({ id: "u1" });
    subscribed.subscribe("#server-to-user-u1");
    signedIn.signIn({ id: "u1" });
    other.signIn({ id: "u2" });
    for (const client of [subscribed, signedIn, other]) client.take();
    publish(node, "#server-to-user-u1");
    const expected = [{ event: "e", channel: "#server-to-user-u1", data: "d" }];
    assert.deepEqual(subscribed.take(), expected);
    assert.deepEqual(signedIn.take(), expected);
    assert.deepEqual(other.take(), []);
    publish(node, "#server-to-user-u1", signedIn.connection.socketId);
    assert.deepEqual(subscribed.take(), expected);
    assert.deepEqual(signedIn.take(), []);
  });

  test("terminating a user closes the connections signed in as it with 4009, members of that id stay", () => {
    const node = createChannelsNode();
    const [a, b, member, other] = [1, 2, 3, 4].map(() => node.connect());
    assert.ok(a && b && member && other);
    a.signIn({ id: "u1" });
    b.signIn({ id: "u1" });
    member.subscribe("presence-room", { user_id: "u1" });
    other.signIn({ id: "u2" });
    void node.channels.terminateUser(node.app, "u1");
    assert.equal(a.socket.closed?.code, 4009);
    assert.equal(b.socket.closed?.code, 4009);
    assert.equal(member.socket.closed, undefined);
    assert.equal(other.socket.closed, undefined);
    void node.channels.terminateUser(node.app, "nobody");
    assert.equal(node.connections.size, 2);
  });

  test("what is sent to subscribers is counted with the app, in messages and bytes of UTF-8", () => {
    const node = createChannelsNode();
    const [a, b] = [node.connect(), node.connect()];
    a.subscribe("room");
    b.subscribe("room");
    const { traffic } = node.app;
    const before = { ...traffic };
    const size = Buffer.byteLength('{"event":"e","channel":"room","data":"é€"}');
    const event = { eventJson: '"e"', channels: ["room"], dataJson: '"é€"' };
    void node.channels.publish(node.app, [{ ...event, exceptSocketId: undefined }]);
    assert.equal(traffic.messagesSent - before.messagesSent, 2);
    assert.equal(traffic.bytesSent - before.bytesSent, 2 * size);
    void node.channels.publish(node.app, [{ ...event, exceptSocketId: a.connection.socketId }]);
    assert.equal(traffic.messagesSent - before.messagesSent, 3);
    assert.equal(traffic.bytesSent - before.bytesSent, 3 * size);
  });
});
