import assert from "node:assert/strict";
import { test } from "node:test";
import { channelTopic, USER_CHANNEL_PREFIX, userTopic } from "../../src/protocol/topic.ts";

test("one channel name in two apps is two topics", () => {
  assert.notEqual(channelTopic("1", "room"), channelTopic("2", "room"));
  assert.notEqual(channelTopic("1", "2room"), channelTopic("12", "room"));
});

test("a user's topic is that of the channel by which backends send to the user", () => {
  assert.equal(USER_CHANNEL_PREFIX, "#server-to-user-");
  assert.equal(userTopic("1", "u1"), channelTopic("1", "#server-to-user-u1"));
});
