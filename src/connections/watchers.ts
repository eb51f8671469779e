/** Which of this node's connections watch a user. Source: protocol.md §4.3. */
import { userTopic } from "../protocol/topic.ts";
import type { Connection } from "./connection.ts";

export interface Watchers {
  add(connection: Connection, userIds: readonly string[]): void;
  remove(connection: Connection, userIds: readonly string[]): void;
  of(appId: string, userId: string): Iterable<Connection>;
}

export function createWatchers(): Watchers {
  const byTopic = new Map<string, Set<Connection>>();
  return {
    add(connection, userIds) {
      for (const userId of userIds) {
        const topic = userTopic(connection.app.id, userId);
        const watching = byTopic.get(topic);
        if (watching === undefined) byTopic.set(topic, new Set([connection]));
        else watching.add(connection);
      }
    },
    remove(connection, userIds) {
      for (const userId of userIds) {
        const topic = userTopic(connection.app.id, userId);
        const watching = byTopic.get(topic);
        watching?.delete(connection);
        if (watching?.size === 0) byTopic.delete(topic);
      }
    },
    of: (appId, userId) => byTopic.get(userTopic(appId, userId)) ?? [],
  };
}
