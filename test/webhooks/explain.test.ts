import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { describe, test } from "node:test";
import type { AppSettings, ChannelFilter } from "../../src/apps/app.ts";
import { WEBHOOK_EVENT_TYPES, type WebhookEventType } from "../../src/protocol/webhook-event.ts";
import { explain } from "../../src/webhooks/explain.ts";
import { createMatcher } from "../../src/webhooks/match.ts";
import { appSettings, endpoint } from "./fixtures.ts";

const NONE: ChannelFilter = { startsWith: undefined, endsWith: undefined, pattern: undefined };

/** Why the app never has the event on the channel, as one text. */
function impossible(
  type: WebhookEventType,
  channel: string,
  changes: Partial<AppSettings> = {},
): string {
  return explain(appSettings(changes), type, channel).impossible.join(" ");
}

function refusals(changes: Parameters<typeof endpoint>[1], channel = "room"): readonly string[] {
  const settings = appSettings({ webhooks: [endpoint("one", changes)] });
  const [one] = explain(settings, "channel_occupied", channel).endpoints;
  assert.ok(one);
  assert.equal(one.isTaken, one.refusals.length === 0);
  return one.refusals;
}

function withFeatures(changes: Partial<AppSettings["features"]>): Partial<AppSettings> {
  return { features: { ...appSettings().features, ...changes } };
}

describe("an explanation", () => {
  test("names what keeps an event away from an endpoint, and every part of it", () => {
    assert.deepEqual(refusals({}), []);
    assert.match(String(refusals({ enabled: false })), /enabled is false/);
    assert.deepEqual(refusals({ eventTypes: new Set(["cache_miss", "client_event"]) }), [
      "event_types does not name channel_occupied, only cache_miss, client_event.",
    ]);
    const filter = { startsWith: "beta-", endsWith: "om", pattern: "[0-9]" };
    assert.deepEqual(refusals({ filter }), [
      'filter.channel_name_starts_with is "beta-", which "room" does not match.',
      'filter.channel_name_pattern is "[0-9]", which "room" does not match.',
    ]);
  });

  test("says which channels cannot have the event", () => {
    assert.equal(impossible("member_added", "presence-x"), "");
    assert.match(impossible("member_removed", "private-x"), /Only presence channels/);
    assert.equal(impossible("cache_miss", "private-cache-x"), "");
    assert.match(impossible("cache_miss", "private-x"), /Only cache channels/);
    assert.equal(impossible("subscription_count", "x"), "");
    assert.match(impossible("subscription_count", "presence-x"), /member events/);
    assert.equal(impossible("client_event", "private-x"), "");
    assert.match(impossible("client_event", "x"), /public.*_on_public_channels is false/);
    assert.match(impossible("client_event", "private-encrypted-x"), /encrypted_channels is false/);
    assert.match(impossible("channel_occupied", "two words"), /forbidden character/);
    assert.match(impossible("channel_occupied", "#server-to-user-7"), /reserved/);
    assert.equal(impossible("user_online", "#server-to-user-7"), "");
    assert.match(impossible("user_offline", "presence-x"), /of a user.*#server-to-user-/);
  });

  test("says what is switched off for the whole app", () => {
    const off = withFeatures({ clientMessages: false, subscriptionCount: false });
    assert.match(impossible("client_event", "private-x", off), /enable_client_messages is false/);
    assert.match(impossible("subscription_count", "x", off), /enable_subscription_count is false/);
    const strangers = withFeatures({ userAuthentication: false });
    assert.match(
      impossible("user_online", "#server-to-user-7", strangers),
      /enable_user_authentication is false/,
    );
    const open = withFeatures({
      clientMessagesOnPublicChannels: true,
      clientMessagesOnEncryptedChannels: true,
    });
    assert.equal(impossible("client_event", "x", open), "");
    assert.equal(impossible("client_event", "private-encrypted-x", open), "");
    assert.match(impossible("channel_occupied", "x", { enabled: false }), /enabled: false/);
    const keyless = { keys: new Map(), webhookKey: undefined };
    assert.match(impossible("channel_occupied", "x", keyless), /no enabled key/);
  });

  test("says taken exactly of the endpoints that an event is routed to, and why of all others", (t) => {
    let state = randomInt(2 ** 31);
    t.diagnostic(`seed ${state}`);
    const below = (n: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * n);
    };
    const word = () => Array.from({ length: below(4) }, () => "ab-1"[below(4)]).join("");
    const maybe = <T>(value: T): T | undefined => (below(2) === 0 ? value : undefined);
    for (let round = 0; round < 2_000; round++) {
      const webhooks = Array.from({ length: below(5) }, (_, n) =>
        endpoint(`e${n}`, {
          enabled: below(4) > 0,
          eventTypes: new Set(WEBHOOK_EVENT_TYPES.filter(() => below(3) > 0)),
          filter: { startsWith: maybe(word()), endsWith: maybe(word()), pattern: maybe("[ab]1") },
        }),
      );
      const settings = appSettings({ webhooks });
      const type = WEBHOOK_EVENT_TYPES[below(WEBHOOK_EVENT_TYPES.length)];
      assert.ok(type);
      const channel = `${word()}${word()}`;
      const routed = createMatcher().endpointIds(settings, type, channel);
      const { endpoints } = explain(settings, type, channel);
      const taken = endpoints.filter(({ isTaken }) => isTaken).map((one) => one.endpoint.id);
      const unrefused = endpoints.filter((one) => one.refusals.length === 0);
      assert.deepEqual(taken, routed);
      assert.deepEqual(
        unrefused.map((one) => one.endpoint.id),
        routed,
      );
    }
  });

  test("has no refusal where every part of the filter holds", () => {
    assert.deepEqual(refusals({ filter: { ...NONE, startsWith: "ro", endsWith: "om" } }), []);
  });
});
