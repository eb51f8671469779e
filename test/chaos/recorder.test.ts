import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Arrival, createRecorder, type Recorder } from "./recorder.ts";

const ROOM = "room";

function arrival(...events: readonly [id: number, name: string][]): Arrival {
  return {
    ids: events.map(([id]) => `1-0-${id}-0`),
    events: events.map(([, name]) => ({ name, channel: ROOM })),
    atMs: Date.now(),
    isAccepted: true,
  };
}

function rig() {
  const recorder = createRecorder();
  recorder.addEndpoint("all");
  const occupied = recorder.mayCome("channel_occupied", ROOM);
  const vacated = recorder.mayCome("channel_vacated", ROOM);
  return { recorder, occupied, vacated };
}

function arriveAndTake(recorder: Recorder, delivery: Arrival, endpointId = "all"): void {
  recorder.arrived(endpointId, delivery);
  recorder.taken(endpointId, delivery);
}

describe("createRecorder", () => {
  test("what is owed and has not come is waited for, and lost in the end", () => {
    const { recorder, occupied, vacated } = rig();
    recorder.owe(occupied);
    recorder.owe(vacated);
    arriveAndTake(recorder, arrival([1, "channel_occupied"]));
    assert.equal(recorder.waiting(), 1);
    assert.deepEqual(recorder.verdict().lost, [vacated]);
    assert.equal(recorder.verdict().events, 2);
  });

  test("what was refused has not been taken, and its repeat is in order", () => {
    const { recorder, occupied, vacated } = rig();
    recorder.owe(occupied);
    recorder.owe(vacated);
    const both = arrival([1, "channel_occupied"], [2, "channel_vacated"]);
    recorder.arrived("all", both);
    assert.equal(recorder.waiting(), 2);
    arriveAndTake(recorder, both);
    assert.equal(recorder.waiting(), 0);
    assert.equal(recorder.verdict().unordered, 0);
  });

  test("what may come is neither lost when it stays away nor invented when it comes", () => {
    const { recorder } = rig();
    assert.equal(recorder.waiting(), 0);
    arriveAndTake(recorder, arrival([1, "channel_occupied"]));
    const { lost, invented } = recorder.verdict();
    assert.deepEqual({ lost, invented }, { lost: [], invented: [] });
  });

  test("what came before it was known to be owed is not waited for", () => {
    const { recorder, occupied } = rig();
    arriveAndTake(recorder, arrival([1, "channel_occupied"]));
    recorder.owe(occupied);
    assert.equal(recorder.waiting(), 0);
  });

  test("an event that hangs on another is owed where that one has come", () => {
    const { recorder, occupied, vacated } = rig();
    recorder.oweAfter(vacated, occupied);
    assert.equal(recorder.waiting(), 0);
    arriveAndTake(recorder, arrival([1, "channel_occupied"]));
    assert.equal(recorder.waiting("all"), 1);
    assert.deepEqual(recorder.verdict().lost, [vacated]);
  });

  test("an event is invented when nobody caused it, when it is not wanted, and under a second id", () => {
    const { recorder } = rig();
    recorder.addEndpoint("none", () => false);
    arriveAndTake(recorder, arrival([1, "cache_miss"]));
    arriveAndTake(recorder, arrival([2, "channel_occupied"]), "none");
    arriveAndTake(recorder, arrival([2, "channel_occupied"], [3, "channel_occupied"]));
    assert.equal(recorder.verdict().invented.length, 3);
  });

  test("a repeat has the same id, and its place in the order does not matter", () => {
    const { recorder } = rig();
    arriveAndTake(recorder, arrival([1, "channel_occupied"], [2, "channel_vacated"]));
    arriveAndTake(recorder, arrival([1, "channel_occupied"]));
    const { repeats, unordered, invented } = recorder.verdict();
    assert.deepEqual({ repeats, unordered, invented }, { repeats: 1, unordered: 0, invented: [] });
  });

  test("another event under an id that came before is invented", () => {
    const { recorder } = rig();
    arriveAndTake(recorder, arrival([1, "channel_occupied"], [1, "channel_vacated"]));
    assert.equal(recorder.verdict().invented.length, 1);
  });

  test("order is broken by a later event that comes first, and by an id that does not grow", () => {
    const early = rig().recorder;
    arriveAndTake(early, arrival([2, "channel_vacated"], [3, "channel_occupied"]));
    assert.equal(early.verdict().unordered, 1);
    const low = rig().recorder;
    arriveAndTake(low, arrival([2, "channel_occupied"], [1, "channel_vacated"]));
    assert.equal(low.verdict().unordered, 1);
  });

  test("a delivery that a receiver would refuse, or whose ids do not fit, is counted", () => {
    const { recorder } = rig();
    arriveAndTake(recorder, { ...arrival([1, "channel_occupied"]), isAccepted: false });
    arriveAndTake(recorder, { ...arrival([2, "channel_vacated"]), ids: [] });
    assert.equal(recorder.verdict().refused, 2);
  });
});
