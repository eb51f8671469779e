import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { describe, test } from "node:test";
import { seededRandom } from "../../bench/support/statistics.ts";
import {
  type Beating,
  backstopTimeoutS,
  createHeartbeat,
  type Heartbeat,
} from "../../src/transport/heartbeat.ts";

interface Listener extends Beating {
  /** The ticks in which a PING went out, and in which the socket was given up. */
  readonly pings: number[];
  readonly silent: number[];
  hear(): void;
}

function addSocket(heartbeat: Heartbeat, onPing?: (socket: Listener) => void): Listener {
  const socket: Listener = {
    heardAtTick: 0,
    before: undefined,
    after: undefined,
    pings: [],
    silent: [],
    ping() {
      socket.pings.push(heartbeat.tick);
      onPing?.(socket);
    },
    onSilent() {
      socket.silent.push(heartbeat.tick);
    },
    hear() {
      socket.heardAtTick = heartbeat.tick;
    },
  };
  heartbeat.add(socket);
  return socket;
}

function advance(heartbeat: Heartbeat, ticks: number): void {
  for (let i = 0; i < ticks; i++) heartbeat.advance();
}

describe("createHeartbeat", () => {
  for (const [activityTimeoutS, pongTimeoutS] of [
    [120, 30],
    [10, 30],
    [1, 1],
    [7, 7],
  ] as const) {
    test(`a silent socket is pinged after ${activityTimeoutS} s and given up ${pongTimeoutS} s later, once`, () => {
      const heartbeat = createHeartbeat(activityTimeoutS, pongTimeoutS);
      advance(heartbeat, 3);
      const socket = addSocket(heartbeat);
      advance(heartbeat, activityTimeoutS - 1);
      assert.deepEqual(socket.pings, []);
      advance(heartbeat, 10 * (activityTimeoutS + pongTimeoutS));
      assert.deepEqual(socket.pings, [3 + activityTimeoutS]);
      assert.deepEqual(socket.silent, [3 + activityTimeoutS + pongTimeoutS]);
    });
  }

  test("a socket that speaks is never pinged, one that answers its PINGs is never given up", () => {
    const heartbeat = createHeartbeat(5, 3);
    const speaks = addSocket(heartbeat);
    const answers = addSocket(heartbeat, (socket) => socket.hear());
    for (let tick = 0; tick < 200; tick++) {
      if (tick % 4 === 0) speaks.hear();
      heartbeat.advance();
    }
    assert.deepEqual(speaks.pings, []);
    assert.deepEqual(answers.silent, []);
    assert.ok(answers.pings.length >= 200 / (5 + 3), `${answers.pings.length} pings`);
  });

  test("the time runs from the last sign of life, not from the first look", () => {
    const heartbeat = createHeartbeat(10, 4);
    const socket = addSocket(heartbeat);
    advance(heartbeat, 7);
    socket.hear();
    advance(heartbeat, 9);
    assert.deepEqual(socket.pings, []);
    advance(heartbeat, 1);
    assert.deepEqual(socket.pings, [17]);
    assert.deepEqual(socket.silent, []);
  });

  test("any frame during the pong wait counts as life, also the last moment before its end", () => {
    const heartbeat = createHeartbeat(10, 4);
    const socket = addSocket(heartbeat);
    advance(heartbeat, 13);
    assert.deepEqual(socket.pings, [10]);
    socket.hear();
    advance(heartbeat, 9);
    assert.deepEqual(socket.silent, []);
    advance(heartbeat, 1);
    assert.deepEqual(socket.pings, [10, 23]);
  });

  test("a removed socket is left alone", () => {
    const heartbeat = createHeartbeat(2, 2);
    const before = addSocket(heartbeat);
    heartbeat.remove(before);
    heartbeat.remove(before);
    const during = addSocket(heartbeat);
    advance(heartbeat, 2);
    assert.deepEqual(during.pings, [2]);
    heartbeat.remove(during);
    advance(heartbeat, 20);
    assert.deepEqual(before.pings, []);
    assert.deepEqual(during.silent, []);
  });

  test("whoever comes, speaks and goes when, it pings and gives up in the same ticks as a look at each socket", (t) => {
    const seed = randomInt(2 ** 31);
    t.diagnostic(`seed ${seed}`);
    const random = seededRandom(seed);
    const [activityTimeoutS, pongTimeoutS] = [7, 4];
    const heartbeat = createHeartbeat(activityTimeoutS, pongTimeoutS);
    const sockets: { listener: Listener; heardAt: number; pings: number[]; silent: number[] }[] =
      [];
    const present = new Set<(typeof sockets)[number]>();
    for (let tick = 1; tick <= 500; tick += 1) {
      heartbeat.advance();
      for (const each of present) {
        const silentTicks = tick - each.heardAt;
        if (silentTicks === activityTimeoutS) each.pings.push(tick);
        if (silentTicks !== activityTimeoutS + pongTimeoutS) continue;
        each.silent.push(tick);
        present.delete(each);
      }
      for (const each of present) {
        if (random() < 0.1) {
          each.listener.hear();
          each.heardAt = tick;
        } else if (random() < 0.02) {
          heartbeat.remove(each.listener);
          present.delete(each);
        }
      }
      if (random() < 0.3) {
        const each = { listener: addSocket(heartbeat), heardAt: tick, pings: [], silent: [] };
        sockets.push(each);
        present.add(each);
      }
    }
    for (const { listener, pings, silent } of sockets) {
      assert.deepEqual({ pings: listener.pings, silent: listener.silent }, { pings, silent });
    }
    assert.ok(sockets.some(({ silent }) => silent.length > 0));
  });

  test("a socket that is closed by its own PING is not put back", () => {
    const heartbeat = createHeartbeat(2, 2);
    const socket = addSocket(heartbeat, (closing) => heartbeat.remove(closing));
    advance(heartbeat, 20);
    assert.deepEqual(socket.pings, [2]);
    assert.deepEqual(socket.silent, []);
    assert.equal(socket.after, undefined);
  });

  test("a socket that is closed while another of its slot is looked at is left alone", () => {
    const heartbeat = createHeartbeat(2, 2);
    const others: Listener[] = [];
    addSocket(heartbeat, () => {
      for (const other of others) heartbeat.remove(other);
    });
    others.push(addSocket(heartbeat));
    advance(heartbeat, 20);
    assert.deepEqual(others[0]?.pings, []);
    assert.deepEqual(others[0]?.silent, []);
  });

  test("owns no timer until it is started, and none after it is closed", async (t) => {
    t.mock.timers.enable({ apis: ["setInterval"] });
    const heartbeat = createHeartbeat(2, 2);
    t.mock.timers.tick(5_000);
    assert.equal(heartbeat.tick, 0);
    heartbeat.start();
    heartbeat.start();
    t.mock.timers.tick(3_000);
    assert.equal(heartbeat.tick, 3);
    heartbeat.close();
    t.mock.timers.tick(5_000);
    assert.equal(heartbeat.tick, 3);
  });
});

test("the backstop comes after the wheel's own close, or not at all", () => {
  for (const [activity, pong] of [
    [5, 1],
    [120, 30],
    [900, 30],
    [1_000, 30],
    [3_600, 600],
  ] as const) {
    const seconds = backstopTimeoutS(activity, pong);
    assert.ok(seconds === 0 || seconds > activity + pong, `${activity} ${pong} ${seconds}`);
    assert.ok(seconds <= 960, "uWebSockets.js takes no more");
  }
});
