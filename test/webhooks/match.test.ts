import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ChannelFilter } from "../../src/apps/app.ts";
import { createMatcher } from "../../src/webhooks/match.ts";
import { pick, seededSource } from "../support/random-source.ts";
import { appSettings, endpoint } from "./fixtures.ts";

const NONE: ChannelFilter = { startsWith: undefined, endsWith: undefined, pattern: undefined };

function takes(filter: Partial<ChannelFilter>, channel: string): boolean {
  const settings = appSettings({ webhooks: [endpoint("one", { filter: { ...NONE, ...filter } })] });
  return createMatcher().endpointIds(settings, "channel_occupied", channel).length === 1;
}

describe("an endpoint takes an event", () => {
  test("when every given part of its filter holds", () => {
    assert.equal(takes({}, "any"), true);
    assert.equal(takes({ startsWith: "beta-" }, "beta-x"), true);
    assert.equal(takes({ startsWith: "beta-" }, "x-beta-"), false);
    assert.equal(takes({ startsWith: "beta-", endsWith: "-app" }, "beta-x-app"), true);
    assert.equal(takes({ startsWith: "beta-", endsWith: "-app" }, "beta-x"), false);
    assert.equal(takes({ pattern: "[0-9]{2}" }, "room-42-x"), true, "a pattern may match anywhere");
    assert.equal(takes({ pattern: "^[0-9]{2}$" }, "room-42"), false);
    assert.equal(takes({ pattern: "room", endsWith: "x" }, "room-y"), false);
    assert.equal(takes({ endsWith: "-app" }, "x-app-y"), false);
  });

  test("of its types, while it is enabled", () => {
    const settings = appSettings({
      webhooks: [
        endpoint("both", { eventTypes: new Set(["cache_miss", "client_event"]) }),
        endpoint("one", { eventTypes: new Set(["cache_miss"]) }),
        endpoint("off", { enabled: false }),
      ],
    });
    const matcher = createMatcher();
    assert.deepEqual(matcher.endpointIds(settings, "cache_miss", "c"), ["both", "one"]);
    assert.deepEqual(matcher.endpointIds(settings, "client_event", "c"), ["both"]);
    assert.deepEqual(matcher.endpointIds(settings, "member_added", "c"), []);
  });

  test("of a user whatever its filter says: there is no channel that could pass", () => {
    const filter = { ...NONE, startsWith: "presence-" };
    const settings = appSettings({
      webhooks: [
        endpoint("both", { filter, eventTypes: new Set(["user_online", "user_offline"]) }),
        endpoint("one", { eventTypes: new Set(["user_offline"]) }),
        endpoint("off", { eventTypes: new Set(["user_offline"]), enabled: false }),
      ],
    });
    const matcher = createMatcher();
    const channel = "#server-to-user-7";
    assert.deepEqual(matcher.endpointIds(settings, "user_online", channel), ["both"]);
    assert.deepEqual(matcher.endpointIds(settings, "user_offline", channel), ["both", "one"]);
  });

  test("of a name made to slow a backtracking engine down, without delay", () => {
    const startedMs = performance.now();
    assert.equal(takes({ pattern: "^(a+)+$" }, `${"a".repeat(190)}!`), false);
    assert.ok(performance.now() - startedMs < 1_000);
  });

  test("alike whether it is asked for each channel or once for all", (t) => {
    const { below } = seededSource(t);
    const channels = ["beta-x", "beta-app", "x-app", "room"];
    for (let round = 0; round < 300; round++) {
      const webhooks = ["a", "b", "c"].slice(round % 4).map((id) => {
        const filter = { ...NONE, startsWith: pick(below, [undefined, undefined, "beta-"]) };
        const eventTypes = new Set([pick(below, ["cache_miss", "user_online"] as const)]);
        return endpoint(id, { filter, eventTypes, enabled: pick(below, [true, true, false]) });
      });
      const settings = appSettings({ webhooks });
      const matcher = createMatcher();
      for (const type of ["cache_miss", "user_online"] as const) {
        for (const channel of channels) {
          const plain = webhooks.filter(({ enabled, eventTypes, filter: { startsWith } }) => {
            if (!enabled || !eventTypes.has(type)) return false;
            return type === "user_online" || channel.startsWith(startsWith ?? "");
          });
          const ids = plain.map(({ id }) => id);
          assert.deepEqual(matcher.endpointIds(settings, type, channel), ids);
          assert.deepEqual(matcher.onAnyChannel(settings, type) ?? ids, ids);
        }
      }
    }
  });

  test("as new settings say", () => {
    const matcher = createMatcher();
    const before = appSettings({ webhooks: [endpoint("one")] });
    assert.deepEqual(matcher.endpointIds(before, "cache_miss", "c"), ["one"]);
    assert.deepEqual(matcher.endpointIds({ ...before, webhooks: [] }, "cache_miss", "c"), []);
  });
});
