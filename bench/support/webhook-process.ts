/**
 * A side of the webhook bench in a process of its own, so that neither warms up, or spoils, what the other runs on.
 * `node --import tsx bench/support/webhook-process.ts <side> <url of Redis>`, spoken to by webhook-runner.ts.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { type Cost, measureCost } from "./cost.ts";
import { openBullmqSide } from "./webhook-bullmq.ts";
import { measureMove, measureWrites } from "./webhook-load.ts";
import { openPipitSide } from "./webhook-pipit.ts";
import type { Part, WebhookServer, WebhookSide } from "./webhook-side.ts";
import type { Task } from "./webhook-task.ts";

const OPENERS = { pipit: openPipitSide, bullmq: openBullmqSide };

const [, , name, url = ""] = process.argv;
const open = OPENERS[name === "bullmq" ? "bullmq" : "pipit"];
const admin = new Redis(url);
const server: WebhookServer = {
  url,
  port: Number(new URL(url).port),
  call: (command, ...args) => admin.call(command, ...args),
};
let runs = 0;

process.on("message", (task: Task) => {
  run(task).then(
    (cost) => process.send?.(cost),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.on("disconnect", () => process.exit(0));

async function run(task: Task): Promise<Cost> {
  switch (task.kind) {
    case "idle":
      return alone("move", undefined, async () => {
        // The first looks are over.
        await delay(1_000);
        return measureCost(server, task.seconds, () => delay(task.seconds * 1_000));
      });
    case "move":
      return alone("move", task.receiver, (side) =>
        measureMove(server, side, task.rate, task.count),
      );
    case "writes":
      return alone("writes", undefined, (side) =>
        measureWrites(server, side, task.rate, task.count, task.eventsPerWrite),
      );
  }
}

/** On an empty Redis, with nobody else open. */
async function alone<T>(
  part: Part,
  receiver: string | undefined,
  use: (side: WebhookSide) => Promise<T>,
): Promise<T> {
  runs += 1;
  const side = await open(server, `run-${runs}:`, part, receiver);
  try {
    return await use(side);
  } finally {
    await side.close();
    await server.call("FLUSHALL");
  }
}
