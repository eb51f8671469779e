/** The whole command, as a process of its own. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { freePort } from "../support/free-port.ts";
import { openRawSocket } from "../support/raw-socket.ts";
import { until } from "../support/until.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

interface Run {
  readonly child: ChildProcess;
  readonly exit: Promise<unknown[]>;
  out: string;
  err: string;
}

function run(t: TestContext, ...args: string[]): Run {
  const child = spawn(process.execPath, ["--import", "tsx", "src/main.ts", ...args], { cwd: ROOT });
  const result: Run = { child, exit: once(child, "close"), out: "", err: "" };
  child.stdout.on("data", (text) => {
    result.out += text;
  });
  child.stderr.on("data", (text) => {
    result.err += text;
  });
  t.after(() => child.kill("SIGKILL"));
  return result;
}

test("start listens with the config.json of the repository, and SIGTERM ends it with 0", async (t) => {
  const pipit = run(t, "start", "--port", "0", "--metrics-port", "0");
  const url = await until("the start text came", () => /curl (http:\S+)/.exec(pipit.out)?.[1]);
  assert.equal((await fetch(url)).status, 200);
  pipit.child.kill("SIGTERM");
  assert.deepEqual(await pipit.exit, [0, null]);
  assert.doesNotMatch(pipit.out + pipit.err, /pipit-secret/);
});

test("start serves on and stops in order when nothing can be written any more", async (t) => {
  const full = openSync("/dev/full", "w");
  t.after(() => closeSync(full));
  const port = await freePort();
  const flags = ["--port", String(port), "--metrics-port", "0", "--log-level", "debug"];
  const url = `http://127.0.0.1:${port}/health/ready`;

  for (const stdio of [full, "pipe"] as const) {
    const child = spawn(process.execPath, ["--import", "tsx", "src/main.ts", "start", ...flags], {
      cwd: ROOT,
      stdio: ["ignore", stdio, stdio],
    });
    t.after(() => child.kill("SIGKILL"));
    const exit = once(child, "close");
    // A reader that takes a line and goes, as `head -1` does.
    child.stdout?.once("data", () => child.stdout?.destroy());
    child.stderr?.destroy();
    const isReady = () =>
      fetch(url).then(
        ({ ok }) => ok,
        () => false,
      );
    await until("the server is ready", isReady);
    const client = await openRawSocket(t, port, "/app/pipit-key?protocol=7");
    await client.socketId();
    assert.equal(await isReady(), true);
    child.kill("SIGTERM");
    assert.deepEqual(await exit, [0, null]);
  }
});

test("a command whose text does not fit on the disk ends with 1 and says so", async (t) => {
  const full = openSync("/dev/full", "w");
  t.after(() => closeSync(full));
  const child = spawn(process.execPath, ["--import", "tsx", "src/main.ts", "check"], {
    cwd: ROOT,
    stdio: ["ignore", full, "pipe"],
  });
  t.after(() => child.kill("SIGKILL"));
  let err = "";
  child.stderr?.on("data", (text) => {
    err += text;
  });
  assert.deepEqual(await once(child, "close"), [1, null]);
  assert.equal(err, "pipit: standard output cannot be written (ENOSPC).\n");
});

test("start on a port that is taken ends with 1, one line and no stack", async (t) => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  t.after(() => other.close());
  const address = other.address();
  assert.ok(typeof address === "object" && address !== null);
  const pipit = run(t, "start", "--port", String(address.port), "--metrics-port", "0");
  assert.deepEqual(await pipit.exit, [1, null]);
  assert.match(pipit.err, new RegExp(`^pipit: [^\n]*${address.port}[^\n]*\n$`));
});

test("check of the config.json of the repository finds nothing wrong", async (t) => {
  const pipit = run(t, "check");
  assert.deepEqual(await pipit.exit, [0, null]);
  assert.match(pipit.out, /can be used/);
  assert.equal(pipit.err, "");
});

test("among JSON lines one says where it listens, for which apps and with what", async (t) => {
  const flags = ["--port", "0", "--metrics-port", "0"];
  const pipit = run(t, "start", ...flags);
  const line = await until("it listens", () => /^.*"listening".*$/m.exec(pipit.out)?.[0]);
  const fields = JSON.parse(line);
  assert.equal((await fetch(`http://${fields.host}:${fields.port}/health/ready`)).status, 200);
  assert.ok(fields.metrics.port > 0);
  assert.deepEqual(fields.app_ids, ["1"]);
  assert.equal(fields.drivers.adapter, "memory");
  assert.match(fields.uws.version, /^\d/);
  assert.equal(fields.node_version, process.versions.node);
  assert.doesNotMatch(line, /pipit-secret/);
});
