/** Sees to it that all nodes of a deployment understand the same keys. Source: architecture.md §4. */
import type { Commands } from "./commands.ts";
import { type Keys, SCHEMA_VERSION } from "./keys.ts";
import { loadScript } from "./script.ts";

const JOIN = loadScript(new URL("./lua/join.lua", import.meta.url), 1);

/** This node may not join: others use the same key prefix in another way. */
export class RedisDeploymentError extends Error {
  override readonly name = "RedisDeploymentError";
  readonly code = "PIPIT_REDIS_DEPLOYMENT";
}

/** Rejects with RedisDeploymentError when this node may not join, with RedisUnavailableError when nobody knows. */
export async function joinDeployment(commands: Commands, keys: Keys): Promise<void> {
  const reply = await commands.runScript(JOIN, [keys.meta], [SCHEMA_VERSION, keys.partitions]);
  const [schema, partitions] = Array.isArray(reply) ? reply.map(Number) : [];
  const problem = deploymentProblem(keys, schema, partitions);
  if (problem !== undefined) throw problem;
}

/** Why this node may not join a deployment of that schema and so many partitions. */
export function deploymentProblem(
  keys: Keys,
  schema: number | undefined,
  partitions: number | undefined,
): RedisDeploymentError | undefined {
  if (schema !== SCHEMA_VERSION) {
    return new RedisDeploymentError(
      `Nodes with data of schema ${schema} use the key prefix ${JSON.stringify(keys.prefix)}, this one has schema ${SCHEMA_VERSION}: stop them all, delete the key ${JSON.stringify(keys.meta)}, and start the new release.`,
    );
  }
  if (partitions === keys.partitions) return undefined;
  return new RedisDeploymentError(
    `The deployment with the key prefix ${JSON.stringify(keys.prefix)} has ${partitions} partitions, redis.partitions is ${keys.partitions}: set it to ${partitions}; or to change it, stop all nodes, let their webhooks drain first, and delete the key ${JSON.stringify(keys.meta)}.`,
  );
}
