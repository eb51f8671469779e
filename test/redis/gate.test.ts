import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createGate } from "../../src/redis/gate.ts";
import { until } from "../support/until.ts";

const UNAVAILABLE = { code: "PIPIT_REDIS_UNAVAILABLE" };

describe("a gate", () => {
  test("ends a call in time, and refuses its lane at once until the call is answered after all", async () => {
    const { gate, changes } = open({ timeoutMs: 20 });
    const call = deferred<string>();
    await assert.rejects(
      gate.run("a", "1", () => call.promise),
      /not answered in 20 ms/,
    );
    assert.deepEqual(
      [gate.isSilent(), gate.isSilent("1"), gate.isSilent("2")],
      [true, true, false],
    );
    await assert.rejects(gate.run("b", "1", never), UNAVAILABLE);
    assert.equal(await gate.run("c", "2", async () => "other lane"), "other lane");
    call.resolve("late");
    await until("the lane is heard again", () => !gate.isSilent());
    assert.equal(await gate.run("d", "1", async () => "x"), "x");
    assert.equal(changes(), 2);
    assert.equal(gate.counters.timeouts, 1);
    assert.equal(gate.counters.refusedSilent, 1);
  });

  test("a silent lane is heard again when the connection of its call is lost", async () => {
    const { gate } = open({ timeoutMs: 20 });
    const call = deferred<string>();
    await assert.rejects(
      gate.run("a", "1", () => call.promise),
      UNAVAILABLE,
    );
    call.reject(new Error("Connection is closed."));
    await until("the lane is heard again", () => !gate.isSilent());
    assert.equal(gate.counters.connectionFailures, 1);
  });

  test("lets no more calls wait than are allowed, those that ran out of time among them", async () => {
    const { gate } = open({ timeoutMs: 20, maxInFlight: 2 });
    const calls = ["1", "2"].map(() => deferred<string>());
    const waiting = calls.map(({ promise }, n) => gate.run("a", `${n}`, () => promise));
    await assert.rejects(gate.run("b", "3", never), /2 calls wait/);
    for (const each of waiting) await assert.rejects(each, UNAVAILABLE);
    await assert.rejects(gate.run("b", "3", never), /2 calls wait/);
    for (const call of calls) call.resolve("late");
    await until("there is room again", () => !gate.isSilent());
    assert.equal(await gate.run("c", "3", async () => "x"), "x");
    assert.equal(gate.counters.refusedFull, 2);
  });

  test("tells errors that no repeating mends from those that pass", async () => {
    const { gate } = open({});
    for (const [message, isMistake] of [
      ["WRONGTYPE Operation against a key holding the wrong kind of value", true],
      ["CROSSSLOT Keys in request don't hash to the same slot", true],
      ["ERR user_script:1: attempt to index a nil value", true],
      ["OOM command not allowed when used memory > 'maxmemory'.", false],
      ["LOADING Redis is loading the dataset in memory", false],
      ["CLUSTERDOWN The cluster is down", false],
      ["READONLY You can't write against a read only replica.", false],
    ] as const) {
      const reply = Object.assign(new Error(message), { name: "ReplyError" });
      const expected = isMistake ? { name: "ReplyError", message } : UNAVAILABLE;
      await assert.rejects(
        gate.run("a", "", () => Promise.reject(reply)),
        expected,
      );
    }
    assert.equal(gate.counters.errors, 7);
  });

  test("says what Redis refused, with which word and what to do, and quotes nothing else", async () => {
    const { gate } = open({});
    const answer = async (message: string) => {
      const reply = Object.assign(new Error(message), { name: "ReplyError" });
      const error = await gate.run("write", "", () => Promise.reject(reply)).catch((each) => each);
      return error.message;
    };
    assert.equal(
      await answer("OOM command not allowed when used memory > 'maxmemory'."),
      "write: Redis refuses it with OOM: it is full, raise its maxmemory.",
    );
    assert.equal(await answer("TRYAGAIN key:secret"), "write: Redis refuses it with TRYAGAIN.");
    assert.equal(await answer("no word"), "write: Redis refuses it with an error.");
  });

  test("refuses everything once it is closed", async () => {
    const { gate } = open({});
    gate.close();
    await assert.rejects(gate.run("a", "", never), UNAVAILABLE);
  });

  test("measures the calls that are answered, by name", async () => {
    const { gate, observed } = open({});
    await gate.run("edge", "", async () => 1);
    await assert.rejects(gate.run("other", "", () => Promise.reject(new Error("lost"))));
    assert.deepEqual(observed, ["edge"]);
  });
});

function open({ timeoutMs = 1_000, maxInFlight = 10 }) {
  let changes = 0;
  const observed: string[] = [];
  const gate = createGate({
    timeoutMs,
    maxInFlight,
    onChange: () => {
      changes += 1;
    },
    observe: (name) => observed.push(name),
  });
  return { gate, changes: () => changes, observed };
}

/** A call that the gate must not make. */
function never(): Promise<never> {
  throw new Error("The call was made.");
}

function deferred<T>() {
  let resolve = (_value: T): void => {};
  let reject = (_error: Error): void => {};
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return {
    promise,
    resolve: (value: T) => resolve(value),
    reject: (error: Error) => reject(error),
  };
}
