import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { DeliverLocally } from "../../src/adapters/adapter.ts";
import { createLocalAdapter } from "../../src/adapters/local-adapter.ts";
import { createDelayedAdapter } from "../support/delayed-adapter.ts";
import { createDelayedCalls, createSeededRandom } from "../support/delayed-calls.ts";
import { adapterContract } from "./adapter-contract.ts";

adapterContract("local", 1, (deliver) => deliver.map(createLocalAdapter));

adapterContract("delayed local", 1, (deliver) =>
  deliver.map((each) => delayed(each, createSeededRandom(16))),
);

describe("local adapter", () => {
  test("delivers within the call and gives no promise, so that one node waits for nothing", () => {
    const frames: string[] = [];
    const adapter = createLocalAdapter((_kind, _topic, frame) => {
      frames.push(frame);
    });
    assert.equal(adapter.subscribe("1:a"), undefined);
    assert.equal(adapter.publish("event", "1:a", "x"), undefined);
    assert.deepEqual(frames, ["x"]);
  });
});

describe("delayed adapter", () => {
  test("delivers nothing on a topic that nobody has subscribed to, or that was left", async (t) => {
    const frames: string[] = [];
    const adapter = delayed((_kind, _topic, frame) => frames.push(frame), createSeededRandom(17));
    t.after(() => adapter.close());
    await adapter.publish("event", "1:a", "never heard");
    await adapter.subscribe("1:a");
    await adapter.publish("event", "1:a", "heard");
    adapter.unsubscribe("1:a");
    await adapter.subscribe("1:b");
    await adapter.close();
    await adapter.publish("event", "1:a", "left");
    assert.deepEqual(frames, ["heard"]);
  });
});

function delayed(deliver: DeliverLocally, random: () => number) {
  return createDelayedAdapter(createLocalAdapter(deliver), createDelayedCalls(random));
}
