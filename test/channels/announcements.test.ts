import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createAnnouncements } from "../../src/channels/announcements.ts";
import { createDelivery } from "../../src/channels/delivery.ts";
import { createLocalChannels } from "../../src/channels/local-channels.ts";
import { createConnectionRegistry } from "../../src/connections/registry.ts";
import { createWatchers } from "../../src/connections/watchers.ts";
import { channelKind } from "../../src/protocol/channel-name.ts";
import { dataOf } from "../support/channels-node.ts";
import { createFakeSockets } from "../support/fake-sockets.ts";
import { createTestApp } from "../support/test-app.ts";
import { createTestConnection } from "../support/test-connection.ts";

function openRoom(name: string) {
  const app = createTestApp();
  const sockets = createFakeSockets();
  const locals = createLocalChannels();
  const watchers = createWatchers();
  const connections = createConnectionRegistry();
  const { publishToTopic } = sockets;
  const delivery = createDelivery({ locals, connections, publishToTopic });
  const announce = createAnnouncements(locals, delivery, watchers);
  const socket = sockets.open();
  const channel = locals.hold(app, name, channelKind(name));
  socket.subscribe(channel.topic);
  channel.receivers = 1;
  const connection = createTestConnection({ app, socket });
  return { app, announce, socket, channel, connection, watchers };
}

describe("createAnnouncements", () => {
  test("tells the channel's subscribers here of members and counts, and counts what it sends", () => {
    const { app, announce, socket } = openRoom("presence-room");
    const member = { userId: "u1", userInfoJson: '{"name":"Ann"}' };
    announce.memberAdded("3", "presence-room", member);
    announce.memberRemoved("3", "presence-room", "u1");
    const [added, removed] = socket.take();
    assert.equal(added?.event, "pusher_internal:member_added");
    assert.deepEqual(dataOf(added), { user_id: "u1", user_info: { name: "Ann" } });
    assert.equal(removed?.event, "pusher_internal:member_removed");
    assert.deepEqual(dataOf(removed), { user_id: "u1" });
    assert.equal(app.traffic.messagesSent, 2);
    assert.equal(app.traffic.bytesSent, Buffer.byteLength(socket.texts.join("")));
  });

  test("tells the count on any channel but encrypted ones, where Java takes it for ciphertext", () => {
    for (const [name, isTold] of [
      ["room", true],
      ["private-room", true],
      ["cache-room", true],
      ["private-encrypted-room", false],
      ["private-encrypted-cache-room", false],
    ] as const) {
      const { announce, socket } = openRoom(name);
      announce.subscriptionCount("3", name, 12);
      const [frame] = socket.take();
      assert.equal(frame?.event, isTold ? "pusher_internal:subscription_count" : undefined, name);
      if (isTold) assert.deepEqual(dataOf(frame), { subscription_count: 12 });
    }
  });

  test("tells nobody of a channel that has no subscriber here, or belongs to another app", () => {
    const { announce, socket, channel } = openRoom("room");
    announce.subscriptionCount("3", "other", 1);
    announce.subscriptionCount("4", "room", 1);
    channel.receivers = 0;
    announce.subscriptionCount("3", "room", 1);
    assert.deepEqual(socket.take(), []);
  });

  test("tells those who watch a user that it came or went", () => {
    const { announce, socket, connection, watchers } = openRoom("room");
    watchers.add(connection, ["u2"]);
    announce.userOnline("3", "u2");
    announce.userOffline("3", "u2");
    announce.userOnline("3", "u3");
    announce.userOnline("4", "u2");
    const frames = socket.take();
    assert.deepEqual(frames.map(dataOf), [
      { events: [{ name: "online", user_ids: ["u2"] }] },
      { events: [{ name: "offline", user_ids: ["u2"] }] },
    ]);
  });
});
