/** Which of this node's connections watch a user. Source: protocol.md §4.3. */
import { userTopic } from "../protocol/topic.ts";
import type { Connection } from "./connection.ts";

export interface Watchers {
  add(connection: Connection, userIds: readonly string[]): void;
  remove(connection: Connection, userIds: readonly string[]): void;
  /** Sends `frame` to every connection that watches the user. */
  tell(appId: string, userId: string, frame: string): void;
  /**
   * Keeps back what is told to the connection until it is released, so that who is online when it begins to
   * watch comes before any change of it. Few frames gather: the grace lets each watched user change slowly.
   */
  hold(connection: Connection): void;
  /** Sends what was kept back. Repeatable. */
  release(connection: Connection): void;
}

export function createWatchers(): Watchers {
  const byTopic = new Map<string, Set<Connection>>();
  const held = new Map<Connection, string[]>();
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
    tell(appId, userId, frame) {
      for (const connection of byTopic.get(userTopic(appId, userId)) ?? []) {
        const kept = held.get(connection);
        if (kept === undefined) connection.socket.send(frame);
        else kept.push(frame);
      }
    },
    hold: (connection) => void held.set(connection, []),
    release(connection) {
      const kept = held.get(connection) ?? [];
      held.delete(connection);
      for (const frame of kept) connection.socket.send(frame);
    },
  };
}
