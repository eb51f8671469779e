import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  channelEvent,
  clientEvent,
  DEFAULT_EVENT_TYPES,
  isUserEventType,
  isWebhookEventType,
  memberEvent,
  subscriptionCountEvent,
  userEvent,
  WEBHOOK_EVENT_TYPES,
} from "../../src/protocol/webhook-event.ts";

describe("webhook events are the objects of protocol.md §7.2 and nothing more", () => {
  test("channel_occupied, channel_vacated and cache_miss tell the channel", () => {
    for (const type of ["channel_occupied", "channel_vacated", "cache_miss"] as const) {
      const json = `{"name":"${type}","channel":"test_channel"}`;
      assert.deepEqual(channelEvent(type, "test_channel"), { type, json });
    }
  });

  test("member_added and member_removed tell the user as a string", () => {
    for (const type of ["member_added", "member_removed"] as const) {
      for (const userId of ["10", '"\\é']) {
        const { json, ...rest } = memberEvent(type, "presence-c", userId);
        assert.deepEqual(rest, { type });
        assert.deepEqual(JSON.parse(json), {
          name: type,
          channel: "presence-c",
          user_id: userId,
        });
      }
    }
  });

  test("client_event carries data as a string, and user_id only where there is one", () => {
    const data = '{"isTyping":true}';
    const dataJson = JSON.stringify(data);
    const fields = { event: "client-x", data, socket_id: "1.2" };
    const without = clientEvent("private-c", '"client-x"', dataJson, "1.2", undefined);
    assert.equal(without.type, "client_event");
    assert.deepEqual(JSON.parse(without.json), {
      name: "client_event",
      channel: "private-c",
      ...fields,
    });
    const withUser = clientEvent("presence-c", '"client-x"', dataJson, "1.2", '"7');
    assert.deepEqual(JSON.parse(withUser.json), {
      name: "client_event",
      channel: "presence-c",
      ...fields,
      user_id: '"7',
    });
  });

  test("user_online and user_offline tell the user and no channel", () => {
    for (const type of ["user_online", "user_offline"] as const) {
      const { json, ...rest } = userEvent(type, '"\\é');
      assert.deepEqual(rest, { type });
      assert.deepEqual(JSON.parse(json), { name: type, user_id: '"\\é' });
    }
    assert.deepEqual(WEBHOOK_EVENT_TYPES.filter(isUserEventType), ["user_online", "user_offline"]);
  });

  test("subscription_count tells an integer", () => {
    assert.deepEqual(subscriptionCountEvent("c", 12), {
      type: "subscription_count",
      json: '{"name":"subscription_count","channel":"c","subscription_count":12}',
    });
  });
});

describe("isWebhookEventType", () => {
  test("knows Pusher's seven names, the two of users and no other", () => {
    assert.equal(DEFAULT_EVENT_TYPES.length, 7);
    assert.deepEqual(WEBHOOK_EVENT_TYPES, [...DEFAULT_EVENT_TYPES, "user_online", "user_offline"]);
    for (const type of WEBHOOK_EVENT_TYPES) assert.equal(isWebhookEventType(type), true);
    for (const other of ["", "channel_occupied ", "member_updated", "toString", null, 1]) {
      assert.equal(isWebhookEventType(other), false, String(other));
    }
  });
});
