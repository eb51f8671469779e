import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { runCli } from "../../src/cli/run.ts";
import type { CommandedServer, World } from "../../src/cli/world.ts";
import { until } from "../support/until.ts";
import { type FakeWorld, fakeWorld } from "./fake-world.ts";

async function started(
  t: TestContext,
  server: Partial<World & CommandedServer> = {},
): Promise<FakeWorld> {
  const cwd = mkdtempSync(join(tmpdir(), "pipit-stop-"));
  t.after(() => rmSync(cwd, { recursive: true }));
  const world = fakeWorld(cwd, server);
  assert.equal(await runCli(["start"], world), undefined);
  return world;
}

const exited = (world: FakeWorld) => until("the process exits", () => world.exits.length > 0);

for (const signal of ["SIGTERM", "SIGINT"]) {
  test(`the first ${signal} closes the server and exits with 0 once it is closed`, async (t) => {
    let finish = () => {};
    const closed = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const world = await started(t, { close: () => closed });
    world.listeners.get(signal)?.(signal);
    assert.deepEqual(world.exits, []);
    finish();
    await exited(world);
    assert.deepEqual(world.exits, [0]);
  });
}

test("a second signal exits at once with 130", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const world = await started(t, { close: () => new Promise(() => {}) });
  world.listeners.get("SIGINT")?.("SIGINT");
  world.listeners.get("SIGTERM")?.("SIGTERM");
  assert.deepEqual(world.exits, [130]);
});

test("an uncaught fault is logged, the server closed, and the exit code is 1", async (t) => {
  for (const [event, message] of [
    ["uncaughtException", "uncaught exception"],
    ["unhandledRejection", "unhandled rejection"],
  ] as const) {
    let closes = 0;
    const close = async () => {
      closes += 1;
    };
    const world = await started(t, { close });
    world.listeners.get(event)?.(new Error("oops"));
    assert.deepEqual(world.fatal, [message]);
    await exited(world);
    assert.deepEqual([world.exits, closes], [[1], 1]);
  }
});

test("a fault that cannot be logged still closes the server and exits with 1", async (t) => {
  const logFatal = () => {
    throw new Error("no space left");
  };
  const world = await started(t, { logFatal });
  world.listeners.get("uncaughtException")?.(new Error("oops"));
  await exited(world);
  assert.deepEqual(world.exits, [1]);
  assert.match(world.written.err, /uncaught exception, and it could not be logged/);
});

test("a close that fails is logged and exits with 1", async (t) => {
  const world = await started(t, { close: () => Promise.reject(new Error("oops")) });
  world.listeners.get("SIGTERM")?.("SIGTERM");
  await exited(world);
  assert.deepEqual([world.exits, world.fatal], [[1], ["close failed"]]);
});

test("a close that hangs is given up a little after the grace period", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const world = await started(t, { close: () => new Promise(() => {}) });
  world.listeners.get("SIGTERM")?.("SIGTERM");
  t.mock.timers.tick(14_999);
  assert.deepEqual(world.exits, []);
  t.mock.timers.tick(1);
  assert.deepEqual(world.exits, [1]);
  assert.match(world.written.err, /closing took too long/);
});
