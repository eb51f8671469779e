/** All of `npm run bench -- --cluster`, on a Redis of its own. */
import { startRedis } from "../../test/support/redis-server.ts";
import type { Scenario } from "../scenarios/scenario.ts";
import { redisVersion } from "./cost.ts";
import { countQuietNode, quietNodeProblems } from "./quiet-node.ts";
import { measurePlaces, type PlaceOptions } from "./two-nodes.ts";
import type { TwoNodesResults } from "./two-nodes-results.ts";

export interface TwoNodesOptions extends PlaceOptions {
  readonly command: string;
  readonly note: string;
}

/** Rejects when something is lost, or sent to a node that has no use for it. */
export async function runTwoNodes(
  scenarios: readonly Scenario[],
  options: TwoNodesOptions,
): Promise<TwoNodesResults> {
  const { command, note, scale, onText } = options;
  onText(`${note}, Redis beside the load\n`);
  // After the cores were divided: it shares one with the load, and not with the nodes.
  const redis = await startRedis(undefined);
  try {
    const quiet = await countQuietNode(options, redis, scale);
    const [problem] = quietNodeProblems(quiet);
    if (problem !== undefined) throw new Error(`Nobody on the other node wants them: ${problem}.`);
    return {
      command,
      note: `${note}, Redis beside the load`,
      redisVersion: await redisVersion(redis),
      quiet,
      scenarios: await measurePlaces(scenarios, redis, options),
    };
  } finally {
    await redis.stop();
  }
}
