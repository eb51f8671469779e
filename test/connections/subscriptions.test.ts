/** Subscriptions in little space: they do what a Map by channel name does. */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { describe, test } from "node:test";
import { seededRandom } from "../../bench/support/statistics.ts";
import { createLocalChannels } from "../../src/channels/local-channels.ts";
import type { Subscription } from "../../src/connections/subscription.ts";
import { Subscriptions } from "../../src/connections/subscriptions.ts";
import { channelKind } from "../../src/protocol/channel-name.ts";
import { createTestApp } from "../support/test-app.ts";

describe("the subscriptions of a connection", () => {
  const app = createTestApp();
  const locals = createLocalChannels();

  function subscriptionTo(name: string): Subscription {
    const channel = locals.hold(app, name, channelKind(name));
    return { status: "joined", channel, userId: undefined };
  }

  test("answer as a Map does, whatever is added and deleted", (t) => {
    const seed = randomInt(2 ** 31);
    t.diagnostic(`seed ${seed}`);
    const random = seededRandom(seed);
    for (let run = 0; run < 200; run += 1) {
      const plain = new Map<string, Subscription>();
      const few = new Subscriptions();
      for (let step = 0; step < 30; step += 1) {
        const name = `channel-${Math.floor(random() * 4)}`;
        if (random() < 0.5) {
          const subscription = subscriptionTo(name);
          plain.set(name, subscription);
          few.add(subscription);
        } else {
          plain.delete(name);
          few.delete(name);
        }
        assert.equal(few.get(name), plain.get(name));
        assert.equal(few.size, plain.size);
        const all = few.all();
        assert.equal(all.length, plain.size);
        for (const [n, subscription] of [...plain.values()].entries()) {
          assert.equal(all[n], subscription);
        }
      }
    }
  });

  test("can all be deleted while they are gone through", () => {
    for (const count of [0, 1, 5]) {
      const few = new Subscriptions();
      for (let n = 0; n < count; n += 1) few.add(subscriptionTo(`${n}`));
      const all = few.all();
      for (const { channel } of all) few.delete(channel.name);
      assert.equal(all.length, count);
      assert.equal(few.size, 0);
    }
  });
});
