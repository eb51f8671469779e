/** The look at all partitions every 2 s: what fails in it stops nothing else. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { LOOK_EVERY_MS } from "../../src/webhooks/context.ts";
import { OutboxUnavailableError } from "../../src/webhooks/outbox.ts";
import { openRig } from "./rig.ts";

/** Two partitions, of which calls fail that the test names: `claim 1`. What is called is kept in `called`. */
async function openLooks(t: TestContext) {
  const failing = new Set<string>();
  const wanted = new Set([0, 1]);
  let called: string[] = [];
  function call<T>(name: string, partition: number | undefined, run: () => T): T {
    const own = partition === undefined ? name : `${name} ${partition}`;
    called.push(own);
    if (failing.has(own)) throw new OutboxUnavailableError(partition ?? 0, "away");
    return run();
  }
  const rig = await openRig(t, {
    partitions: 2,
    wrap: (outbox) => ({
      ...outbox,
      async enlist() {
        return call("enlist", undefined, () => [...wanted]);
      },
      claim: async (partition) => call("claim", partition, () => outbox.claim(partition)),
      release: async (partition) => call("release", partition, () => outbox.release(partition)),
      expireDeadLetters: async () => call("expire", undefined, outbox.expireDeadLetters),
      controls: {
        ...outbox.controls,
        pauses: async () => call("pauses", undefined, outbox.controls.pauses),
      },
    }),
  });
  return {
    ...rig,
    failing,
    wanted,
    /** What one look calls. */
    async look() {
      called = [];
      await rig.clock.advance(LOOK_EVERY_MS);
      return called.toSorted();
    },
  };
}

const ALL = ["claim 0", "claim 1", "enlist", "expire", "pauses"];

for (const step of ["enlist", "claim 0", "claim 1", "expire", "pauses"]) {
  test(`a look does everything else when ${step} fails, and says so once`, async (t) => {
    const { look, failing, errors, lines } = await openLooks(t);
    assert.deepEqual(await look(), ALL);
    failing.add(step);
    for (let i = 0; i < 2; i++) assert.deepEqual(await look(), ALL);
    assert.deepEqual(errors(), ["webhook outbox failed"]);
    failing.clear();
    await look();
    assert.equal(lines.at(-1)?.message, "webhook outbox works again");
  });
}

test("a partition is given to the node that should have it while another cannot be claimed", async (t) => {
  const { look, failing, wanted } = await openLooks(t);
  failing.add("claim 0");
  wanted.delete(1);
  assert.ok((await look()).includes("release 1"));
});

test("events that were not moved are counted as queued only once they are", async (t) => {
  const forgets = { isNext: true };
  const { occupyAndWait, webhooks, outbox } = await openRig(t, {
    wrap: (inner) => ({
      ...inner,
      async route(partition, heldApp, routes, underWay) {
        const isForgotten = forgets.isNext;
        forgets.isNext = false;
        // As after a doubt between the read and the move.
        return inner.route(partition, heldApp, isForgotten ? [] : routes, underWay);
      },
    }),
  });
  await occupyAndWait("room");
  const [report] = await webhooks.endpoints();
  assert.equal(report?.counters.routed.channel_occupied, 1);
  assert.equal((await outbox.backlogs()).unrouted, 0);
});
