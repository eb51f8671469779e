import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandFailure } from "../../src/cli/command-failure.ts";
import { runSteps } from "../../src/cli/webhooks-steps.ts";
import { fakeWorld } from "./fake-world.ts";

/** Steps that change two events each, three in all. */
function threeSteps(cursors: (string | undefined)[] = []) {
  return {
    done: "replayed",
    total: 6,
    async step(cursor: string | undefined) {
      cursors.push(cursor);
      const at = Number(cursor ?? 0) + 1;
      return { changed: 2, next: at === 3 ? null : String(at) };
    },
  };
}

test("each step goes on where the one before ended, and their changes add up", async () => {
  const cursors: (string | undefined)[] = [];
  const world = fakeWorld("/");
  const result = await runSteps(world, threeSteps(cursors));
  assert.deepEqual(result, { changed: 6, isInterrupted: false });
  assert.deepEqual(cursors, [undefined, "1", "2"]);
  assert.equal(world.written.err, "");
});

test("progress is written over on a terminal, and now and then a line elsewhere", async () => {
  const terminal = fakeWorld("/", { isErrTerminal: true });
  await runSteps(terminal, threeSteps());
  const { err } = terminal.written;
  assert.equal(err, "\rreplayed 2 of 6\rreplayed 4 of 6\rreplayed 6 of 6\n");
  let nowMs = 0;
  const file = fakeWorld("/", {
    now: () => {
      nowMs += 2_000;
      return nowMs;
    },
  });
  await runSteps(file, threeSteps());
  assert.equal(file.written.err, "replayed 6 of 6\n");
});

test("Ctrl-C stops between two steps, and a second one at once", async () => {
  const world = fakeWorld("/");
  const press = () => world.listeners.get("SIGINT")?.(undefined);
  const { step, ...rest } = threeSteps();
  const result = await runSteps(world, {
    ...rest,
    step(cursor) {
      if (cursor === "1") press();
      return step(cursor);
    },
  });
  assert.deepEqual(result, { changed: 4, isInterrupted: true });
  assert.match(world.written.err, /stopping after this step/);
  assert.deepEqual(world.exits, []);
  press();
  assert.deepEqual(world.exits, [130]);
});

test("a step that may work later is tried again, and told once", async () => {
  const world = fakeWorld("/");
  const { step, ...rest } = threeSteps();
  let failures = 0;
  const result = await runSteps(world, {
    ...rest,
    step(cursor) {
      failures += 1;
      if (failures < 4) throw new CommandFailure(2, "Cannot answer now.", 0);
      return step(cursor);
    },
  });
  assert.equal(result.changed, 6);
  assert.equal(world.written.err, "pipit: Cannot answer now. Waiting …\n");
});

test("a failure on the way says what was done until then", async () => {
  const { step, ...rest } = threeSteps();
  const failing = runSteps(fakeWorld("/"), {
    ...rest,
    step(cursor) {
      if (cursor === "2") throw new CommandFailure(2, "Nothing listens.");
      return step(cursor);
    },
  });
  await assert.rejects(failing, (error) => {
    assert.ok(error instanceof CommandFailure);
    assert.match(error.message, /^Nothing listens\. 4 events replayed until then; the same/);
    return true;
  });
});
