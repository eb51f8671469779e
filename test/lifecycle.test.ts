import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createLifecycle } from "../src/lifecycle.ts";

/** A promise that the test settles, and what it stands for as a step. */
function step(): { run: () => Promise<void>; runs: number; done: () => void; fail: () => void } {
  let done = (): void => {};
  let fail = (): void => {};
  const promise = new Promise<void>((resolve, reject) => {
    done = resolve;
    fail = () => reject(new Error("failed"));
  });
  const self = {
    runs: 0,
    done,
    fail,
    run: () => {
      self.runs += 1;
      return promise;
    },
  };
  return self;
}

const nothing = async (): Promise<void> => {};

describe("createLifecycle", () => {
  test("is ready between start and stop only, and says why not", async () => {
    const lifecycle = createLifecycle();
    const start = step();
    const stop = step();
    assert.deepEqual(lifecycle.readiness(), {
      ready: false,
      reasons: ["The server has not been started."],
      isDraining: false,
    });
    const started = lifecycle.start(start.run, nothing);
    assert.deepEqual(lifecycle.readiness().reasons, ["The server is starting."]);
    start.done();
    await started;
    assert.deepEqual(lifecycle.readiness(), { ready: true, reasons: [] });
    const stopped = lifecycle.stop(stop.run);
    assert.deepEqual(lifecycle.readiness(), {
      ready: false,
      reasons: ["The server is stopping."],
      isDraining: true,
    });
    stop.done();
    await stopped;
    assert.deepEqual(lifecycle.readiness(), {
      ready: false,
      reasons: ["The server has stopped."],
      isDraining: true,
    });
  });

  test("is not ready while it may not serve, and says why", async () => {
    let mayServe = false;
    const lifecycle = createLifecycle(
      () => ["Redis is another's."],
      () => mayServe,
    );
    await lifecycle.start(nothing, nothing);
    assert.deepEqual(lifecycle.readiness(), { ready: false, reasons: ["Redis is another's."] });
    mayServe = true;
    assert.equal(lifecycle.readiness().ready, true);
  });

  test("starts once: never a second time, and not after a stop", async () => {
    const lifecycle = createLifecycle();
    const again = step();
    await lifecycle.start(nothing, nothing);
    const refused = { code: "PIPIT_ALREADY_STARTED" };
    await assert.rejects(lifecycle.start(again.run, nothing), refused);
    assert.equal(lifecycle.readiness().ready, true);
    await lifecycle.stop(nothing);
    await assert.rejects(lifecycle.start(again.run, nothing), refused);
    assert.equal(again.runs, 0);
  });

  test("a start that fails is undone, and tells its own error even when the undoing fails too", async () => {
    const lifecycle = createLifecycle();
    const undo = step();
    const first = new Error("first");
    const started = lifecycle.start(() => Promise.reject(first), undo.run);
    undo.fail();
    await assert.rejects(started, first);
    assert.equal(undo.runs, 1);
    assert.deepEqual(lifecycle.readiness().reasons, ["The server has stopped."]);
  });

  test("stops once, and every caller waits for that stop", async () => {
    const lifecycle = createLifecycle();
    await lifecycle.start(nothing, nothing);
    const stop = step();
    const order: string[] = [];
    const both = [1, 2].map((caller) =>
      lifecycle.stop(stop.run).then(() => order.push(`caller ${caller}`)),
    );
    order.push("asked");
    stop.done();
    await Promise.all(both);
    assert.equal(stop.runs, 1);
    assert.deepEqual(order, ["asked", "caller 1", "caller 2"]);
  });

  test("stopping again later changes nothing", async () => {
    const lifecycle = createLifecycle();
    await lifecycle.start(nothing, nothing);
    await lifecycle.stop(nothing);
    const again = step();
    await lifecycle.stop(again.run);
    assert.equal(again.runs, 0);
    assert.deepEqual(lifecycle.readiness().reasons, ["The server has stopped."]);
  });

  test("a stop that fails tells so, and the server counts as stopped", async () => {
    const lifecycle = createLifecycle();
    await lifecycle.start(nothing, nothing);
    await assert.rejects(
      lifecycle.stop(() => Promise.reject(new Error("no"))),
      /no/,
    );
    assert.deepEqual(lifecycle.readiness().reasons, ["The server has stopped."]);
  });

  test("a stop in the middle of a start waits for it, then closes what it opened", async () => {
    const lifecycle = createLifecycle();
    const start = step();
    const stop = step();
    stop.done();
    const started = lifecycle.start(start.run, nothing);
    const stopped = lifecycle.stop(stop.run);
    assert.deepEqual(lifecycle.readiness().reasons, ["The server is stopping."]);
    assert.equal(stop.runs, 0, "nothing is open yet that could be closed");
    start.done();
    await started;
    assert.equal(lifecycle.readiness().ready, false, "a start that ends late does not make ready");
    await stopped;
    assert.equal(stop.runs, 1);
    assert.deepEqual(lifecycle.readiness().reasons, ["The server has stopped."]);
  });

  test("a stop during the undoing of a failed start waits for it and stops nothing twice", async () => {
    const lifecycle = createLifecycle();
    const undo = step();
    const stop = step();
    const started = lifecycle.start(() => Promise.reject(new Error("no")), undo.run);
    await Promise.resolve();
    const order: string[] = [];
    const stopped = lifecycle.stop(stop.run).then(() => order.push("stopped"));
    setImmediate(() => {
      order.push("undone");
      undo.done();
    });
    await assert.rejects(started, /no/);
    await stopped;
    assert.deepEqual(order, ["undone", "stopped"]);
    assert.equal(stop.runs, 0);
  });

  test("a server that never ran stops at once, without running the stop", async () => {
    const lifecycle = createLifecycle();
    const stop = step();
    await lifecycle.stop(stop.run);
    assert.equal(stop.runs, 0);
    assert.deepEqual(lifecycle.readiness().reasons, ["The server has stopped."]);
  });
});
