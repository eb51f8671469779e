/** Events that a receiver refuses, at random places and in any number, with minutes in which it refuses all. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createSeededRandom } from "../support/delayed-calls.ts";
import { answered } from "./fake-target.ts";
import { channelsApart, SETTINGS } from "./fixtures.ts";
import { createOrderKeeper } from "./order-keeper.ts";
import { openRig } from "./rig.ts";

const EVENTS = 300;
/** The first has a lane of its own and no event that is refused: what is refused elsewhere is proven by it. */
const [LIVELY = "", ...CHANNELS] = channelsApart(21);

for (const share of [0.02, 0.3, 0.7, 0.95]) {
  test(`of events of which ${share} are refused each is delivered once and in order, or dead`, async (t) => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    t.diagnostic(`seed ${seed}`);
    const random = createSeededRandom(seed);
    const kept = createOrderKeeper();
    const bad = new Map<string, boolean>();
    let isOut = false;
    const isBad = (id: string, channel: string) => {
      const known = bad.get(id) ?? (channel !== LIVELY && random() < share);
      bad.set(id, known);
      return known;
    };
    const { occupy, clock, webhooks } = await openRig(t, {
      partitions: 64,
      random,
      settings: { retry: { ...SETTINGS.retry, budgetMs: 86_400_000 } },
      respond({ ids, events }) {
        const named = ids.map((id, at) => ({ id, channel: events[at]?.channel ?? "" }));
        const refused = named.filter(({ id, channel }) => isBad(id, channel));
        if (isOut || refused.length > 0) return answered(422);
        for (const { id, channel } of named) kept.arrived(id, channel);
        return answered(200);
      },
    });
    async function drain(): Promise<void> {
      const backlog = async () => (await webhooks.endpoints())[0]?.backlog;
      for (let i = 0; i < 400 && (await backlog()) !== 0; i++) {
        occupy(LIVELY);
        await clock.advance(5_000);
      }
      assert.equal(await backlog(), 0);
    }
    for (let i = 0; i < EVENTS; i++) {
      // What has been refused before is proven by what was taken then, and would die of it.
      if (i === EVENTS / 3) await drain();
      isOut = i >= EVENTS / 3 && i < EVENTS / 2;
      occupy(CHANNELS[Math.floor(random() * CHANNELS.length)] ?? "");
      if (i % 10 === 0) occupy(LIVELY);
      await clock.advance(Math.floor(random() * 2_000));
    }
    await drain();
    for (const [id, wasBad] of bad) if (!wasBad) kept.expect(id);
    const dead = (await webhooks.deadLetters("app", "one", 0, EVENTS)).map(({ event }) => event.id);
    assert.deepEqual(
      dead.toSorted(),
      [...bad]
        .filter(([, wasBad]) => wasBad)
        .map(([id]) => id)
        .toSorted(),
    );
    assert.deepEqual([kept.counts, kept.waiting], [{ repeats: 0, unordered: 0 }, 0]);
    assert.deepEqual(kept.unwanted(), []);
  });
}
