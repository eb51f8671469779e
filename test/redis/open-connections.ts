/** Connections of a test's own to a Redis of its own, connected and closed with the test. */
import type { TestContext } from "node:test";
import { SILENT_LOG } from "../../src/protocol/log.ts";
import { createRedisConnections, type RedisConnections } from "../../src/redis/connections.ts";
import type { RedisSettings } from "../../src/redis/settings.ts";

/** `prepare` is called before they are connected: handlers are registered there. */
export async function openConnections(
  t: Pick<TestContext, "after">,
  settings: RedisSettings,
  prepare: (connections: RedisConnections) => void = () => {},
  nodeId?: string,
): Promise<RedisConnections> {
  const options = nodeId === undefined ? {} : { nodeId };
  const connections = createRedisConnections(settings, SILENT_LOG, options);
  t.after(() => connections.close());
  prepare(connections);
  await connections.connect();
  return connections;
}
