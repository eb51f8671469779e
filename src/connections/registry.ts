/** Which connections this node holds: by socket id, by signed-in user, and how many of each app and address. */
import { userTopic } from "../protocol/topic.ts";
import type { Connection } from "./connection.ts";

export interface ConnectionRegistry {
  readonly size: number;
  add(connection: Connection): void;
  /** Repeatable. Does not sign the user out. */
  remove(connection: Connection): void;
  all(): IterableIterator<Connection>;
  bySocketId(socketId: string): Connection | undefined;
  countOfApp(appId: string): number;
  countOfAddress(address: string): number;
  /** Notes that the connection is signed in as `connection.user`; answers how many now are. */
  signIn(connection: Connection): number;
  /** Takes the connection out of its user's; answers how many are left. */
  signOut(connection: Connection): number;
  /** Connections signed in as the user of a user topic. */
  byUserTopic(topic: string): ReadonlySet<Connection> | undefined;
}

export function createConnectionRegistry(): ConnectionRegistry {
  const bySocketId = new Map<string, Connection>();
  const perApp = new Map<string, { count: number }>();
  const perAddress = new Map<string, { count: number }>();
  const byUser = new Map<string, Set<Connection>>();

  // A field and no getter: V8 looks up every method of an object with one anew, 0.1 µs each (docs/performance.md).
  const registry: ConnectionRegistry & { size: number } = {
    size: 0,
    add(connection) {
      bySocketId.set(connection.socketId, connection);
      registry.size = bySocketId.size;
      raise(perApp, connection.app.id);
      if (connection.address !== undefined) raise(perAddress, connection.address);
    },
    remove(connection) {
      if (!bySocketId.delete(connection.socketId)) return;
      registry.size = bySocketId.size;
      lower(perApp, connection.app.id);
      if (connection.address !== undefined) lower(perAddress, connection.address);
    },
    all: () => bySocketId.values(),
    bySocketId: (socketId) => bySocketId.get(socketId),
    countOfApp: (appId) => perApp.get(appId)?.count ?? 0,
    countOfAddress: (address) => perAddress.get(address)?.count ?? 0,
    signIn(connection) {
      if (connection.user === undefined) return 0;
      const topic = userTopic(connection.app.id, connection.user.id);
      let connections = byUser.get(topic);
      if (connections === undefined) {
        connections = new Set();
        byUser.set(topic, connections);
      }
      connections.add(connection);
      return connections.size;
    },
    signOut(connection) {
      if (connection.user === undefined) return 0;
      const topic = userTopic(connection.app.id, connection.user.id);
      const connections = byUser.get(topic);
      if (connections === undefined) return 0;
      connections.delete(connection);
      if (connections.size === 0) byUser.delete(topic);
      return connections.size;
    },
    byUserTopic: (topic) => byUser.get(topic),
  };
  return registry;
}

function raise(counts: Map<string, { count: number }>, key: string): void {
  const entry = counts.get(key);
  if (entry === undefined) counts.set(key, { count: 1 });
  else entry.count += 1;
}

function lower(counts: Map<string, { count: number }>, key: string): void {
  const entry = counts.get(key);
  if (entry === undefined) return;
  entry.count -= 1;
  if (entry.count === 0) counts.delete(key);
}
