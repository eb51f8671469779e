/** What every driver of CacheStore promises. Each driver's own test file runs this and adds what is its own. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { CacheStore } from "../../src/cache/cache-store.ts";
import { until } from "../support/until.ts";

/** A fresh store, and what a test sees of it. */
export interface CacheStoreUnderTest {
  readonly store: CacheStore;
  /** The JSON of each event appended for the channel, in order. */
  appended(appId: string, channel: string): readonly string[] | Promise<readonly string[]>;
  /** Lets `ms` pass. */
  advance(ms: number): Promise<void>;
}

const APP = "1";
const CHANNEL = "cache-a";
const TTL_MS = 1_000;
const EVENT = { eventJson: '"price"', dataJson: '"{\\"eur\\":\\"€\\"}"' };
const MISS = '{"name":"cache_miss","channel":"cache-a"}';

export function cacheStoreContract(
  driver: string,
  open: () => CacheStoreUnderTest | Promise<CacheStoreUnderTest>,
): void {
  const rule = (sentence: string, run: (opened: CacheStoreUnderTest) => Promise<void>) =>
    test(sentence, async (t) => {
      const opened = await open();
      t.after(() => opened.store.close());
      await run(opened);
    });

  describe(`${driver} cache store`, () => {
    rule(
      "keeps the last event of a channel to the byte, with the time it has left",
      async (opened) => {
        const { store } = opened;
        await store.set(APP, CHANNEL, { eventJson: '"old"', dataJson: '"1"' }, TTL_MS);
        await store.set(APP, CHANNEL, EVENT, TTL_MS);
        await opened.advance(TTL_MS / 2);
        for (const found of [
          await store.get(APP, CHANNEL),
          await store.getForSubscriber(APP, CHANNEL, TTL_MS),
        ]) {
          assert.ok(found);
          assert.deepEqual({ eventJson: found.eventJson, dataJson: found.dataJson }, EVENT);
          assert.ok(found.ttlMs > 0 && found.ttlMs <= TTL_MS / 2, `${found.ttlMs} ms left`);
        }
        assert.deepEqual(await opened.appended(APP, CHANNEL), []);
      },
    );

    rule(
      "forgets an event when its time is over; a later event has its own time",
      async (opened) => {
        const { store } = opened;
        await store.set(APP, CHANNEL, EVENT, TTL_MS);
        await store.set(APP, "cache-b", EVENT, 10 * TTL_MS);
        await opened.advance(TTL_MS);
        assert.equal(await store.get(APP, CHANNEL), undefined);
        assert.ok(await store.get(APP, "cache-b"));
        await store.set(APP, CHANNEL, EVENT, TTL_MS);
        assert.ok(await store.get(APP, CHANNEL));
      },
    );

    rule("keeps channels of one name in two apps apart", async ({ store }) => {
      await store.set(APP, CHANNEL, EVENT, TTL_MS);
      assert.equal(await store.get("2", CHANNEL), undefined);
      assert.equal(await store.get(APP, "cache-b"), undefined);
    });

    rule("appends one miss for all subscribers of an empty channel", async (opened) => {
      const { store } = opened;
      const answers = [1, 2, 3].map(() => store.getForSubscriber(APP, CHANNEL, 10 * TTL_MS));
      assert.deepEqual(await Promise.all(answers), [undefined, undefined, undefined]);
      assert.equal(await store.getForSubscriber("2", CHANNEL, 10 * TTL_MS), undefined);
      await expectMisses(opened, 1);
    });

    rule(
      "an episode ends with the next event: when that has gone, a miss is appended again",
      async (opened) => {
        const { store } = opened;
        await store.getForSubscriber(APP, CHANNEL, 100 * TTL_MS);
        await store.set(APP, CHANNEL, EVENT, TTL_MS);
        assert.ok(await store.getForSubscriber(APP, CHANNEL, 100 * TTL_MS));
        await expectMisses(opened, 1);
        await opened.advance(TTL_MS);
        await store.getForSubscriber(APP, CHANNEL, 100 * TTL_MS);
        await store.getForSubscriber(APP, CHANNEL, 100 * TTL_MS);
        await expectMisses(opened, 2);
      },
    );

    rule("an episode ends by itself after the time given with it", async (opened) => {
      const { store } = opened;
      await store.getForSubscriber(APP, CHANNEL, TTL_MS);
      await opened.advance(TTL_MS / 4);
      await store.getForSubscriber(APP, CHANNEL, TTL_MS);
      await expectMisses(opened, 1);
      await opened.advance(TTL_MS);
      await store.getForSubscriber(APP, CHANNEL, TTL_MS);
      await expectMisses(opened, 2);
    });

    rule("a plain read appends nothing and begins no episode", async (opened) => {
      const { store } = opened;
      assert.equal(await store.get(APP, CHANNEL), undefined);
      assert.deepEqual(await opened.appended(APP, CHANNEL), []);
      await store.getForSubscriber(APP, CHANNEL, TTL_MS);
      await expectMisses(opened, 1);
    });

    rule("calls for one channel take effect in order", async ({ store }) => {
      const answers: unknown[] = [];
      for (let n = 0; n < 10; n++) {
        answers.push(store.set(APP, CHANNEL, { eventJson: '"n"', dataJson: `"${n}"` }, TTL_MS));
      }
      await Promise.all(answers);
      assert.equal((await store.get(APP, CHANNEL))?.dataJson, '"9"');
    });
  });
}

async function expectMisses({ appended }: CacheStoreUnderTest, count: number): Promise<void> {
  const found = await until(`${count} misses have been appended`, async () => {
    const events = await appended(APP, CHANNEL);
    return events.length >= count && events;
  });
  assert.deepEqual(found, Array(count).fill(MISS));
}
