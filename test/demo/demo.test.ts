import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { describe, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { WEBHOOK_EVENT_TYPES } from "../../src/protocol/webhook-event.ts";
import { until } from "../support/until.ts";
import { runDemo } from "./run-demo.ts";

const DEMO = fileURLToPath(new URL("demo.ts", import.meta.url));
const WITHIN_MS = 60_000;

interface Running {
  readonly child: ChildProcess;
  readonly output: () => string;
  exitCode(): Promise<number>;
}

function startDemo(t: TestContext, ...args: readonly string[]): Running {
  const child = spawn(process.execPath, ["--import", "tsx", DEMO, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit");
  t.after(() => child.kill("SIGKILL"));
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  return {
    child,
    output: () => output,
    async exitCode() {
      const [code] = await exited;
      return code as number;
    },
  };
}

/** The server's port, once the transcript names it. Throws when the demo has failed before. */
function portIn(output: string): string | undefined {
  assert.ok(!output.includes("The demo failed"), output);
  return /on port (\d+)/.exec(output)?.[1];
}

describe("npm run demo", () => {
  test("ends by itself with 0 and has shown every kind of webhook, verified", async (t) => {
    const { exitCode, output } = startDemo(t);
    assert.equal(await exitCode(), 0, output());
    for (const kind of WEBHOOK_EVENT_TYPES) {
      assert.match(output(), new RegExp(`webhook +${kind} .*signature verified`));
    }
  });

  test("with --stay the server stays until Ctrl-C and then ends in order", async (t) => {
    const { child, exitCode, output } = startDemo(t, "--stay");
    const isTold = () => portIn(output()) !== undefined && output().includes("stays until Ctrl-C");
    await until("the story is told", isTold, WITHIN_MS);
    const ready = await fetch(`http://127.0.0.1:${portIn(output())}/health/ready`);
    assert.equal(ready.status, 200);
    child.kill("SIGINT");
    assert.equal(await exitCode(), 0, output());
    assert.match(output(), /server +ended with exit code 0/);
  });

  test("fails when a signature is wrong, and says so", async () => {
    let transcript = "";
    const write = (text: string) => {
      transcript += text;
    };
    await assert.rejects(runDemo({ write, receiverSecret: "another" }), /signature is wrong/);
    assert.match(transcript, /server +ended with exit code 0/);
  });

  test("leaves no server behind when it is interrupted", async (t) => {
    const { child, exitCode, output } = startDemo(t);
    const port = await until("it runs", () => portIn(output()), WITHIN_MS);
    child.kill("SIGINT");
    assert.equal(await exitCode(), 130);
    await until("the port is free", () =>
      fetch(`http://127.0.0.1:${port}/health/live`).then(
        () => false,
        () => true,
      ),
    );
  });
});
