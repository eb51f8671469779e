/** A receiver in a process of its own, to be killed and started again on the same port. */
import { type ChildProcess, fork } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { freePort } from "../support/free-port.ts";
import { createReader } from "./receivers.ts";
import type { Recorder } from "./recorder.ts";

export interface MortalReceiver {
  readonly url: string;
  start(): Promise<void>;
  kill(): void;
}

const SCRIPT = fileURLToPath(new URL("../faults/receiver-process.mjs", import.meta.url));
/** How often its record is read: arrivals are noticed this much later at most. */
const READ_EVERY_MS = 20;
const CHUNK_BYTES = 4 * 1024 * 1024;

/** Its record is on disk before it answers, so that a kill loses nothing of what arrived. */
export async function createMortalReceiver(
  t: TestContext,
  recorder: Recorder,
  endpointId: string,
): Promise<MortalReceiver> {
  const folder = mkdtempSync(join(tmpdir(), "pipit-chaos-"));
  const file = join(folder, "arrivals");
  const port = await freePort();
  const descriptor = openSync(file, "a+");
  const read = createReader();
  const buffer = Buffer.alloc(CHUNK_BYTES);
  let offset = 0;
  let rest = "";
  let child: ChildProcess | undefined;

  function readOn(): void {
    const bytes = readSync(descriptor, buffer, 0, CHUNK_BYTES, offset);
    offset += bytes;
    const lines = (rest + buffer.toString("latin1", 0, bytes)).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      // A kill may have cut a line short, which the next process then goes on with: nobody has answered it.
      if (!line.startsWith("{") || !line.endsWith("}") || line.includes("}{")) continue;
      const { headers, body } = JSON.parse(line) as {
        headers: Record<string, string>;
        body: string;
      };
      const delivery = read(headers, body);
      recorder.arrived(endpointId, delivery);
      recorder.taken(endpointId, delivery);
    }
  }

  const reading = setInterval(readOn, READ_EVERY_MS);
  t.after(() => {
    clearInterval(reading);
    child?.kill("SIGKILL");
    closeSync(descriptor);
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    url: `http://127.0.0.1:${port}/`,
    async start() {
      const started = fork(SCRIPT, [String(port), file], { execArgv: [] });
      child = started;
      await new Promise<void>((resolve, reject) => {
        started.once("message", () => resolve());
        started.once("exit", (code) => reject(new Error(`The receiver ended with ${code}.`)));
      });
    },
    kill: () => void child?.kill("SIGKILL"),
  };
}
