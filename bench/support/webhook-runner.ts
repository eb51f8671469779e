/** Starts a side of the webhook bench in a process of its own and has it do what is to be measured. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Cost } from "./cost.ts";
import type { Moved, Wrote } from "./webhook-load.ts";
import type { Rate, Task } from "./webhook-task.ts";

export type SideName = "pipit" | "bullmq";

export interface Runner {
  readonly name: SideName;
  idle(seconds: number): Promise<Cost>;
  move(rate: Rate, count: number, receiver?: string): Promise<Moved>;
  writes(rate: Rate, count: number, eventsPerWrite?: number): Promise<Wrote>;
  close(): void;
}

const BUILT_MODULES = new URL("built-modules.mjs", import.meta.url).href;
const PROGRAM = fileURLToPath(new URL("webhook-process.ts", import.meta.url));

/** What is measured is what `npm run build` has made of src/ last. */
export function startRunner(name: SideName, redisUrl: string): Runner {
  const execArgv = ["--import", "tsx", "--import", BUILT_MODULES];
  const child = fork(PROGRAM, [name, redisUrl], { execArgv });

  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`${name} has ended with ${code}.`);
  });
  // Who asks is told; when nobody does, the end is wanted.
  ended.catch(() => {});

  async function ask<T extends Cost>(task: Task): Promise<T> {
    child.send(task);
    const [answer] = await Promise.race([once(child, "message"), ended]);
    return answer as T;
  }

  return {
    name,
    idle: (seconds) => ask({ kind: "idle", seconds }),
    move: (rate, count, receiver) => ask({ kind: "move", rate, count, receiver }),
    writes: (rate, count, eventsPerWrite) =>
      ask({
        kind: "writes",
        rate,
        count,
        ...(eventsPerWrite === undefined ? {} : { eventsPerWrite }),
      }),
    close: () => child.disconnect(),
  };
}
