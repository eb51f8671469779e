/** That a server with too much to do says so quickly, instead of letting everybody wait. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MAX_TURN_MS } from "../../src/http/turn-budget.ts";
import { createTestApi, type TestApi } from "./test-api.ts";

const EVENTS = "/apps/3/events";
const BODY = '{"name":"foo","channel":"a","data":""}';

interface Turns {
  readonly api: TestApi;
  /** Time passes in which the server works. */
  work(ms: number): void;
  /** Time passes in which the server does not get the core. */
  wait(ms: number): void;
  endTurn(): void;
  /** Whether what was published takes long to send. */
  hasMuchToSend: boolean;
}

/** An API whose turns end when the test says so. */
function apiInTurns(): Turns {
  const ends: (() => void)[] = [];
  let cpuMs = 0;
  const api = createTestApi(undefined, {
    turnWork: {
      afterTurn: (run) => void ends.push(run),
      cpuMs: () => cpuMs,
      hasMuchToSend: () => turns.hasMuchToSend,
    },
  });
  const turns: Turns = {
    api,
    hasMuchToSend: false,
    work(ms) {
      api.nowMs += ms;
      cpuMs += ms;
    },
    wait(ms) {
      api.nowMs += ms;
    },
    endTurn() {
      assert.equal(ends.length, 1, "asked once a turn");
      ends.pop()?.();
    },
  };
  return turns;
}

async function publish(api: TestApi): Promise<number> {
  return (await api.request({ path: EVENTS, body: BODY })).status;
}

describe("in a turn that has made too much work", () => {
  test("requests are refused with 503, before their body is read, and counted", async () => {
    const { api, work } = apiInTurns();
    assert.equal(await publish(api), 200);
    work(MAX_TURN_MS);
    assert.equal(await publish(api), 200);
    work(1);
    const refused = await api.request({ path: EVENTS, body: BODY });
    assert.deepEqual([refused.status, refused.headers?.["Retry-After"]], [503, "1"]);
    assert.equal(refused.wasBodyRead, false);
    assert.equal((await api.request({ path: "/apps/3/channels" })).status, 503);
    assert.equal(api.published.length, 2);
    assert.equal(api.api.counters.overloaded, 2);
  });

  test("health and operators are answered", async () => {
    const { api, work } = apiInTurns();
    await publish(api);
    work(MAX_TURN_MS + 1);
    assert.equal((await api.request({ path: "/health/ready" })).status, 200);
    assert.equal((await api.request({ path: "/apps/3/webhooks" })).status, 200);
  });

  test("what takes long to send counts, though none of the work is done yet", async () => {
    const turns = apiInTurns();
    assert.equal(await publish(turns.api), 200);
    turns.hasMuchToSend = true;
    assert.equal(await publish(turns.api), 503);
    assert.equal((await turns.api.request({ path: "/health/ready" })).status, 200);
    turns.hasMuchToSend = false;
    assert.equal(await publish(turns.api), 200);
  });

  test("the next turn takes requests again", async () => {
    const { api, work, endTurn } = apiInTurns();
    await publish(api);
    work(MAX_TURN_MS + 1);
    assert.equal(await publish(api), 503);
    endTurn();
    assert.equal(await publish(api), 200);
  });
});

describe("requests are taken", () => {
  test("in a turn that was long because the process did not get its core", async () => {
    const { api, wait, work } = apiInTurns();
    await publish(api);
    wait(MAX_TURN_MS * 10);
    assert.equal(await publish(api), 200);
    work(MAX_TURN_MS + 1);
    assert.equal(await publish(api), 503);
  });

  test("after work that was none of this turn's", async () => {
    const { api, work, endTurn } = apiInTurns();
    for (let turn = 0; turn < 3; turn += 1) {
      assert.equal(await publish(api), 200);
      work(MAX_TURN_MS);
      assert.equal(await publish(api), 200);
      endTurn();
      work(MAX_TURN_MS * 10);
    }
  });

  test("in short turns without watching each of them, and a long one after them is found", async () => {
    const { api, work, endTurn } = apiInTurns();
    await publish(api);
    endTurn();
    // The beginning of the long one.
    await publish(api);
    work(20);
    assert.equal(await publish(api), 200);
    work(MAX_TURN_MS + 1);
    assert.equal(await publish(api), 503);
    endTurn();
  });
});
