import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type KeptBounds, TopicPublisher } from "../../src/transport/topic-publisher.ts";
import type { WebSocket } from "../../src/transport/uws.ts";
import { type Held, UwsSocket } from "../../src/transport/uws-socket.ts";
import { pick, seededSource } from "../support/random-source.ts";

/** What uWebSockets.js keeps for a subscriber: the 33rd message has them sent early. */
const MAX_WAITING = 32;

interface Client {
  readonly socket: UwsSocket;
  /** What it received, and with which code it was closed. */
  readonly received: string[];
}

/** The library's topics: who is in which, and what everybody received. */
class Topics {
  readonly passed: string[] = [];
  readonly #members = new Map<string, Set<Client>>();

  publish(topic: string, frame: string, except?: Client): void {
    this.passed.push(frame);
    for (const client of this.#members.get(topic) ?? []) {
      if (client !== except) client.received.push(frame);
    }
  }

  open(publisher: TopicPublisher): Client {
    const client: Client = { socket: new UwsSocket(publisher), received: [] };
    const members = (topic: string) => {
      const all = this.#members.get(topic) ?? new Set();
      this.#members.set(topic, all);
      return all;
    };
    client.socket.ws = {
      send: (frame: string) => client.received.push(frame),
      subscribe: (topic: string) => members(topic).add(client),
      unsubscribe: (topic: string) => members(topic).delete(client),
      publish: (topic: string, frame: string) => this.publish(topic, frame, client),
      end: (code: number) => {
        client.received.push(`closed with ${code}`);
        this.gone(client);
      },
    } as unknown as WebSocket<Held>;
    return client;
  }

  /** The client has closed its end. */
  gone(client: Client): void {
    client.socket.ws = undefined;
    for (const members of this.#members.values()) members.delete(client);
  }
}

/** A publisher and what it has put off until the callbacks of the turn are done. */
function createSubject(bounds?: KeptBounds) {
  const topics = new Topics();
  const tasks: (() => void)[] = [];
  const publisher = new TopicPublisher(
    (topic, frame) => topics.publish(topic, frame),
    { number: () => turn, later: (task) => tasks.push(task) },
    bounds,
  );
  let turn = 0;
  const endTurn = () => {
    turn += 1;
    for (const task of tasks.splice(0)) task();
  };
  return { topics, publisher, tasks, endTurn };
}

const frames = (n: number) => Array.from({ length: n }, (_, i) => `frame ${i}`);

describe("TopicPublisher", () => {
  test("passes as many in a turn as the library keeps, and the rest after the turn's callbacks", () => {
    const { topics, publisher, tasks, endTurn } = createSubject();
    const all = frames(MAX_WAITING + 10);
    for (const frame of all) publisher.publish("a", frame, 1, undefined);
    assert.deepEqual(topics.passed, all.slice(0, MAX_WAITING));
    assert.equal(tasks.length, 1);
    endTurn();
    assert.deepEqual(topics.passed, all);
    for (const frame of all) publisher.publish("a", frame, 1, undefined);
    assert.deepEqual(topics.passed, [...all, ...all.slice(0, MAX_WAITING)]);
  });

  test("keeps what comes to other topics too while it keeps anything, so that all stays in order", () => {
    const { topics, publisher, endTurn } = createSubject();
    const all = frames(MAX_WAITING + 1);
    for (const frame of all) publisher.publish("a", frame, 1, undefined);
    publisher.publish("b", "to b", 1, undefined);
    assert.deepEqual(topics.passed, all.slice(0, MAX_WAITING));
    endTurn();
    assert.deepEqual(topics.passed, [...all, "to b"]);
  });

  test("passes what is few for each topic, in turn after turn, and no more than 512 in one", () => {
    const { topics, publisher, tasks, endTurn } = createSubject();
    for (let turn = 1; turn <= 20; turn += 1) {
      for (let n = 0; n < 8; n += 1) {
        for (let topic = 0; topic < 32; topic += 1)
          publisher.publish(`${topic}`, "x", 1, undefined);
      }
      assert.equal(topics.passed.length, turn * 256);
      assert.equal(tasks.length, 0);
      endTurn();
    }
    const before = topics.passed.length;
    for (let n = 0; n < 600; n += 1) publisher.publish(`${n}`, "x", 1, undefined);
    assert.ok(topics.passed.length - before <= 512);
    endTurn();
    assert.equal(topics.passed.length - before, 600);
  });

  test("has no more than 32 waiting in the library, wherever a turn begins", (t) => {
    const { below } = seededSource(t);
    const { topics, publisher, endTurn } = createSubject();
    for (let turn = 0; turn < 2_000; turn += 1) {
      const before = topics.passed.length;
      for (let n = below(40); n > 0; n -= 1) publisher.publish("a", "x", 1, undefined);
      assert.ok(topics.passed.length - before <= MAX_WAITING);
      endTurn();
    }
  });

  test("keeps until the callbacks of the turn are done, and no longer", async () => {
    const passed: string[] = [];
    const publisher = new TopicPublisher((_, frame) => passed.push(frame));
    for (const frame of frames(MAX_WAITING + 1)) publisher.publish("a", frame, 1, undefined);
    await new Promise<void>((resolve) => process.nextTick(resolve));
    await Promise.resolve();
    assert.equal(passed.length, MAX_WAITING);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(passed, frames(MAX_WAITING + 1));
  });

  for (const [what, bounds, frame, receivers] of [
    ["deliveries", { deliveries: 100, characters: 10_000 }, "x", 10],
    ["characters", { deliveries: 10_000, characters: 100 }, "x".repeat(10), 1],
  ] as const) {
    test(`is full past its bound of ${what}, and publishes at once past twice of it`, () => {
      const { topics, publisher, endTurn } = createSubject(bounds);
      const publish = () => publisher.publish("a", frame, receivers, undefined);
      for (let n = 0; n < MAX_WAITING + 10; n += 1) publish();
      assert.equal(publisher.isFull, false);
      publish();
      assert.equal(publisher.isFull, true);
      for (let n = 0; n < 9; n += 1) publish();
      assert.equal(topics.passed.length, MAX_WAITING);
      publish();
      assert.equal(topics.passed.length, MAX_WAITING + 21);
      assert.equal(publisher.isFull, false);
      for (let n = 0; n < 11; n += 1) publish();
      assert.equal(topics.passed.length, MAX_WAITING + 21);
      endTurn();
      assert.equal(publisher.isFull, false);
      assert.equal(topics.passed.length, MAX_WAITING + 32);
    });
  }

  test("what a socket that has closed since published reaches the others", () => {
    const { topics, publisher, endTurn } = createSubject();
    const [from, to] = [topics.open(publisher), topics.open(publisher)];
    for (const { socket } of [from, to]) socket.subscribe("a");
    for (const frame of frames(MAX_WAITING + 1)) from.socket.publish("a", frame, 1);
    topics.gone(from);
    endTurn();
    assert.deepEqual(to.received, frames(MAX_WAITING + 1));
    assert.deepEqual(from.received, []);
  });

  test("what is behind a message that the library refuses comes, once and in order", () => {
    const tasks: (() => void)[] = [];
    const passed: string[] = [];
    const publisher = new TopicPublisher(
      (_, frame) => {
        if (frame === "bad") throw new Error("as the library on a bad call");
        passed.push(frame);
      },
      { number: () => 1, later: (task) => tasks.push(task) },
    );
    const publish = (frame: string) => publisher.publish("a", frame, 1, undefined);
    for (const frame of [...frames(MAX_WAITING), "bad", "second", "third"]) publish(frame);
    assert.throws(() => tasks.shift()?.(), /bad call/);
    publish("fourth");
    while (tasks.length > 0) tasks.shift()?.();
    for (const frame of frames(MAX_WAITING + 1)) publish(frame);
    while (tasks.length > 0) tasks.shift()?.();
    const behind = ["second", "third", "fourth"];
    assert.deepEqual(passed, [...frames(MAX_WAITING), ...behind, ...frames(MAX_WAITING + 1)]);
  });

  test("what is published while it publishes comes behind the rest", () => {
    const tasks: (() => void)[] = [];
    const passed: string[] = [];
    const publisher = new TopicPublisher(
      (_, frame) => {
        passed.push(frame);
        if (frame !== "closes another") return;
        publisher.publish("a", "has gone", 1, undefined);
        publisher.flush();
      },
      { number: () => 1, later: (task) => tasks.push(task) },
    );
    for (const frame of [...frames(MAX_WAITING), "closes another", "last"]) {
      publisher.publish("a", frame, 1, undefined);
    }
    for (const task of tasks) task();
    assert.deepEqual(passed, [...frames(MAX_WAITING), "closes another", "last", "has gone"]);
  });

  test("every client receives the same in the same order as without it, whatever is done", (t) => {
    const { below } = seededSource(t);
    for (let run = 0; run < 300; run += 1) {
      const subject = createSubject({
        deliveries: pick(below, [1, 5, 1_000]),
        characters: pick(below, [20, 400, 100_000]),
      });
      const plain = new Topics();
      const atOnce = new TopicPublisher(
        (topic, frame) => plain.publish(topic, frame),
        { number: () => 0, later: () => undefined },
        { deliveries: 0, characters: 0 },
      );
      const pairs = Array.from({ length: 5 }, () => ({
        subject: subject.topics.open(subject.publisher),
        plain: plain.open(atOnce),
      }));
      const gone = new Set<Client>();
      for (let step = 0; step < 300; step += 1) {
        const pair = pick(below, pairs);
        const topic = pick(below, ["a", "b"]);
        const frame = `${run} ${step}`;
        const choice = below(100);
        if (choice < 40) {
          subject.publisher.publish(topic, frame, 1, undefined);
          plain.publish(topic, frame);
        } else if (choice < 75) {
          for (const { socket } of [pair.subject, pair.plain]) socket.publish(topic, frame, 1);
        } else if (choice < 80) {
          for (const { socket } of [pair.subject, pair.plain]) socket.subscribe(topic);
        } else if (choice < 83) {
          for (const { socket } of [pair.subject, pair.plain]) socket.unsubscribe(topic);
        } else if (choice < 86) {
          for (const { socket } of [pair.subject, pair.plain]) socket.send(frame);
        } else if (choice === 86) {
          for (const { socket } of [pair.subject, pair.plain]) socket.close(4200, "Come back.");
        } else if (choice === 87) {
          subject.topics.gone(pair.subject);
          plain.gone(pair.plain);
          gone.add(pair.subject);
        } else if (choice < 90) {
          subject.endTurn();
        }
      }
      subject.endTurn();
      for (const { subject: ours, plain: theirs } of pairs) {
        // Who has gone may have gone before what was published in the same turn.
        const length = gone.has(ours) ? ours.received.length : theirs.received.length;
        assert.deepEqual(ours.received, theirs.received.slice(0, length));
      }
    }
  });
});
