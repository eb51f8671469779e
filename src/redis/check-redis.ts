/** Whether a node could use this Redis, found out without joining: nothing is written. */
import { createClients } from "./clients.ts";
import { deploymentProblem } from "./deployment.ts";
import { createGate } from "./gate.ts";
import { createKeys } from "./keys.ts";
import { readMemory } from "./memory.ts";
import { memoryProblems } from "./memory-watch.ts";
import { keySettings, type RedisSettings } from "./settings.ts";

export interface RedisCheck {
  /** What would keep a node from starting, in sentences for operators. Never a password. */
  readonly problems: readonly string[];
  /** What it would start with all the same. */
  readonly warnings: readonly string[];
}

const WITHIN_MS = 5_000;
const MAX_CALLS = 1_000;

/** Never rejects, and is done after `withinMs` for each of three steps at the latest. */
export async function checkRedis(
  settings: RedisSettings,
  withinMs: number = WITHIN_MS,
): Promise<RedisCheck> {
  const keys = createKeys(keySettings(settings));
  const gate = createGate({
    timeoutMs: withinMs,
    maxInFlight: MAX_CALLS,
    onChange() {},
    observe() {},
  });
  let reason = "";
  let close = (): void => {};
  try {
    const client = createClients(settings, Math.random).commands();
    close = () => client.disconnect();
    client.on("error", (error: Error) => {
      reason = error.message;
    });
    await gate.run("connect", "", () => client.connect());
    const [schema, partitions] = await gate.run("hmget", "", () =>
      client.hmget(keys.meta, "schema", "partitions"),
    );
    const isNew = schema === null || partitions === null;
    const problem = isNew ? undefined : deploymentProblem(keys, Number(schema), Number(partitions));
    const warnings = memoryProblems(await readMemory(gate, client));
    return { problems: problem === undefined ? [] : [problem.message], warnings };
  } catch (error) {
    return { problems: [`redis: cannot be used: ${reason || reasonOf(error)}`], warnings: [] };
  } finally {
    close();
  }
}

/** What the client library has said, under what the gate says of it. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
