import assert from "node:assert/strict";
import { test } from "node:test";
import type { Log } from "../../src/protocol/log.ts";
import { createMemoryWatch, memoryProblems } from "../../src/redis/memory-watch.ts";
import { until } from "../support/until.ts";

const SOUND = { usedBytes: 80, maxBytes: 100, policy: "noeviction" };

test("a policy that evicts and memory above 80 % are problems, each told once", () => {
  assert.deepEqual(memoryProblems([SOUND, { ...SOUND, maxBytes: 0 }]), []);
  const evicts = { ...SOUND, policy: "allkeys-lru" };
  const [first, second, ...more] = memoryProblems([evicts, evicts, { ...SOUND, usedBytes: 81 }]);
  assert.match(first ?? "", /maxmemory-policy allkeys-lru .*noeviction/);
  assert.match(second ?? "", /more than 80 %/);
  assert.deepEqual(more, []);
});

test("what Redis said last stands while it does not answer, and a change is logged once", async (t) => {
  const logged: string[] = [];
  const note = (_fields: object, message: string) => void logged.push(message);
  const log: Log = { debug: note, info: note, warn: note, error: note };
  let answer: (() => Promise<readonly (typeof SOUND)[]>) | undefined;
  let looks = 0;
  const watch = createMemoryWatch({
    read() {
      looks += 1;
      return answer?.() ?? Promise.reject(new Error("away"));
    },
    log,
    everyMs: 1,
  });
  t.after(watch.close);
  await watch.start();
  assert.deepEqual(watch.latest(), []);
  const lookedSince = async (change: typeof answer) => {
    answer = change;
    const before = looks;
    await until("it has looked twice more", () => looks >= before + 2);
  };
  await lookedSince(async () => [{ ...SOUND, policy: "volatile-lru" }]);
  await lookedSince(undefined);
  assert.equal(watch.problems().length, 1);
  await lookedSince(async () => [SOUND]);
  assert.deepEqual(watch.problems(), []);
  assert.deepEqual(logged, ["redis may lose or refuse data", "redis has memory to spare again"]);
});
