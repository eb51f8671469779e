/** All scenarios, in the order of the table. */
import { clientEvents } from "./client-events.ts";
import { connects } from "./connects.ts";
import { fanOutMany, fanOutOne } from "./fan-out.ts";
import { idle, idleMost } from "./idle.ts";
import { latency } from "./latency.ts";
import { postBatch, postEvents } from "./posts.ts";
import { presence } from "./presence.ts";
import type { Scenario } from "./scenario.ts";
import { webhooks, webhooksRedis } from "./webhooks.ts";

const MESSAGES: readonly Scenario[] = [
  fanOutOne,
  fanOutMany,
  postEvents,
  postBatch,
  clientEvents,
  presence,
  connects,
];

export const SCENARIOS: readonly Scenario[] = [
  ...MESSAGES,
  idle,
  idleMost,
  webhooks,
  webhooksRedis,
  latency,
];

/** Those whose cost depends on where the other side is, by name. */
export const CLUSTER_SCENARIOS: readonly string[] = MESSAGES.map(({ name }) => name);

/** Throws on a name that no scenario has. No names: all of them. */
export function chooseScenarios(names: readonly string[]): readonly Scenario[] {
  if (names.length === 0) return SCENARIOS;
  return names.map((name) => {
    const found = SCENARIOS.find((scenario) => scenario.name === name);
    if (found !== undefined) return found;
    const known = SCENARIOS.map((scenario) => scenario.name).join(", ");
    throw new Error(`There is no scenario ${JSON.stringify(name)}: ${known}.`);
  });
}
