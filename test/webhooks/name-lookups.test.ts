import assert from "node:assert/strict";
import { isIP } from "node:net";
import { describe, test } from "node:test";
import {
  createNameLookups,
  FRESH_MS,
  HANGS_AFTER_MS,
  LAST_ANSWER_MS,
  MAX_NAMES,
} from "../../src/webhooks/name-lookups.ts";
import { createFakeClock } from "./fake-clock.ts";

/** Look-ups that end when the test says so, and what became of those who asked. */
function open(direct: Readonly<Record<string, readonly string[]>> = {}) {
  const clock = createFakeClock();
  const underWay = new Map<
    string,
    (error: NodeJS.ErrnoException | null, address: string) => void
  >();
  const started: string[] = [];
  const lookups = createNameLookups({
    lookUpDirectly: async (hostname) =>
      (direct[hostname] ?? []).map((address) => ({ address, family: isIP(address) })),
    now: clock.now,
    after: clock.after,
    resolve(hostname, options, done) {
      assert.equal(options.all, true);
      started.push(hostname);
      underWay.set(hostname, (error, address) => {
        underWay.delete(hostname);
        if (error) done(error, "");
        else done(null, [{ address, family: 4 }]);
      });
    },
  });
  const answers: string[] = [];
  return {
    clock,
    started,
    answers,
    counters: lookups.counters,
    ask(hostname: string, timeoutMs = 4_000) {
      lookups.within(timeoutMs)(hostname, { all: true }, (error, found) => {
        const text = error
          ? error.code
          : [found]
              .flat()
              .map((each) => (typeof each === "string" ? each : each.address))
              .join(" ");
        answers.push(`${hostname}: ${text}`);
      });
    },
    end(hostname: string, address: string) {
      underWay.get(hostname)?.(null, address);
    },
    fail(hostname: string, code: string) {
      underWay.get(hostname)?.(Object.assign(new Error(code), { code }), "");
    },
  };
}

describe("looking names up", () => {
  test("is done once for all who ask at the same time", () => {
    const { ask, end, started, answers } = open();
    ask("a");
    ask("a");
    end("a", "10.0.0.1");
    assert.deepEqual(started, ["a"]);
    assert.deepEqual(answers, ["a: 10.0.0.1", "a: 10.0.0.1"]);
  });

  test("is not done again while the answer is fresh, and done again after", async () => {
    const { ask, end, started, answers, clock } = open();
    ask("a");
    end("a", "10.0.0.1");
    ask("a");
    assert.deepEqual(answers, ["a: 10.0.0.1", "a: 10.0.0.1"]);
    await clock.advance(FRESH_MS);
    ask("a");
    assert.deepEqual(started, ["a", "a"]);
  });

  test("leaves the other place free for names that answer", async () => {
    const { ask, end, started, answers } = open();
    ask("hanging");
    for (const name of ["a", "b", "c"]) {
      ask(name);
      end(name, "10.0.0.1");
    }
    assert.deepEqual(started, ["hanging", "a", "b", "c"]);
    assert.deepEqual(answers, ["a: 10.0.0.1", "b: 10.0.0.1", "c: 10.0.0.1"]);
  });

  test("ends with an error for whoever waited long enough, also without a place", async () => {
    const { ask, answers, clock, started } = open();
    for (const name of ["x", "y", "z"]) ask(name, 2_000);
    await clock.advance(2_000);
    assert.deepEqual(started, ["x", "y"]);
    assert.deepEqual(answers, ["x: ETIMEOUT", "y: ETIMEOUT", "z: ETIMEOUT"]);
  });

  test("gives names that hung one place among them, and only while no other waits", async () => {
    const { ask, end, fail, started, clock, counters } = open();
    ask("x");
    ask("y");
    await clock.advance(HANGS_AFTER_MS);
    assert.equal(counters.hung, 2);
    ask("new");
    fail("x", "EAI_AGAIN");
    ask("x");
    end("new", "10.0.0.1");
    assert.deepEqual(started, ["x", "y", "new"], "y still has the place of those that hung");
    ask("other");
    end("other", "10.0.0.1");
    fail("y", "EAI_AGAIN");
    assert.deepEqual(started, ["x", "y", "new", "other", "x"]);
    ask("y");
    ask("third");
    assert.deepEqual(started.slice(5), ["third"]);
  });

  test("lets no name that hung take the place beside one that may hang for the first time", async () => {
    const { ask, end, fail, started, clock } = open();
    ask("x");
    await clock.advance(HANGS_AFTER_MS);
    fail("x", "EAI_AGAIN");
    ask("new");
    ask("x");
    ask("a");
    end("a", "10.0.0.1");
    assert.deepEqual(started, ["x", "new", "a"]);
    end("new", "10.0.0.1");
    assert.deepEqual(started, ["x", "new", "a", "x"]);
  });

  test("a name that answers in time again is one like all others", async () => {
    const { ask, end, fail, started, clock } = open();
    ask("x");
    await clock.advance(HANGS_AFTER_MS);
    fail("x", "EAI_AGAIN");
    ask("x");
    end("x", "10.0.0.1");
    await clock.advance(FRESH_MS);
    ask("hanging");
    await clock.advance(HANGS_AFTER_MS);
    ask("x");
    assert.deepEqual(started, ["x", "x", "hanging", "x"]);
  });

  test("that hangs is answered with the last addresses, for ten minutes", async () => {
    const { ask, end, answers, clock } = open();
    ask("a");
    end("a", "10.0.0.1");
    await clock.advance(FRESH_MS);
    ask("a");
    await clock.advance(HANGS_AFTER_MS);
    assert.deepEqual(answers, ["a: 10.0.0.1", "a: 10.0.0.1"]);
    ask("a");
    assert.equal(answers.length, 3, "nobody waits for it again");
    await clock.advance(LAST_ANSWER_MS);
    ask("a");
    await clock.advance(4_000);
    assert.equal(answers.at(-1), "a: ETIMEOUT");
  });

  test("goes around the threads for a name that has no answer in a second", async () => {
    const { ask, answers, clock, started } = open({ a: ["10.0.0.2", "fd00::2"] });
    for (const name of ["x", "y", "a"]) ask(name);
    await clock.advance(HANGS_AFTER_MS);
    assert.deepEqual(started, ["x", "y"]);
    assert.deepEqual(answers, ["a: 10.0.0.2 fd00::2"]);
  });

  test("takes the system's answer whenever it comes", async () => {
    const { ask, end, answers, clock } = open({ a: ["10.0.0.2"] });
    ask("a");
    await clock.advance(HANGS_AFTER_MS);
    end("a", "10.0.0.1");
    ask("a");
    assert.deepEqual(answers, ["a: 10.0.0.2", "a: 10.0.0.1"]);
  });

  test("that fails at once says so, whatever the name was before", async () => {
    const { ask, end, fail, answers, clock } = open();
    ask("a");
    end("a", "10.0.0.1");
    await clock.advance(FRESH_MS);
    ask("a");
    fail("a", "ENOTFOUND");
    assert.equal(answers.at(-1), "a: ENOTFOUND");
  });

  test("of localhost needs no place", () => {
    const { ask, answers, started } = open();
    ask("x");
    ask("y");
    ask("localhost");
    assert.deepEqual(answers, ["localhost: 127.0.0.1 ::1"]);
    assert.deepEqual(started, ["x", "y"]);
  });

  test("is refused, and counted, when too many are under way or wait", () => {
    const { ask, answers, counters } = open();
    for (let i = 0; i <= MAX_NAMES; i++) ask(`n${i}`);
    assert.deepEqual(answers, [`n${MAX_NAMES}: ETIMEOUT`]);
    assert.equal(counters.refused, 1);
  });
});
