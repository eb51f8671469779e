import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createLocalChannels } from "../../src/channels/local-channels.ts";
import { channelKind } from "../../src/protocol/channel-name.ts";
import { createTestApp } from "../support/test-app.ts";

describe("createLocalChannels", () => {
  const app = createTestApp();
  const kind = channelKind("room");

  test("a channel exists once, for as long as anybody holds it", () => {
    const locals = createLocalChannels();
    const channel = locals.hold(app, "room", kind);
    assert.equal(locals.hold(app, "room", kind), channel);
    assert.equal(locals.get(channel.topic), channel);
    assert.deepEqual([...locals.all()], [channel]);
    assert.equal(locals.release(channel), false);
    assert.equal(locals.size, 1);
    assert.equal(locals.release(channel), true);
    assert.equal(locals.size, 0);
    assert.equal(locals.get(channel.topic), undefined);
  });

  test("begins empty, also when it existed before", () => {
    const locals = createLocalChannels();
    const before = locals.hold(app, "presence-room", channelKind("presence-room"));
    before.users.set("u1", 1);
    locals.release(before);
    const after = locals.hold(app, "presence-room", channelKind("presence-room"));
    assert.equal(after.users.size, 0);
    assert.equal(after.subscribers, 0);
    assert.equal(after.receivers, 0);
  });

  test("one name in two apps is two channels", () => {
    const locals = createLocalChannels();
    const mine = locals.hold(app, "room", kind);
    const theirs = locals.hold(createTestApp({ id: "4" }), "room", kind);
    assert.notEqual(mine, theirs);
    assert.equal(locals.size, 2);
  });

  test("the name is kept as JSON for the frames", () => {
    const channel = createLocalChannels().hold(app, "a=b;c", kind);
    assert.equal(channel.nameJson, '"a=b;c"');
    assert.equal(channel.topic, "3:a=b;c");
  });
});
