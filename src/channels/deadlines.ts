/**
 * Connections that must sign in or join a private or presence channel in time. Source: protocol.md §1.6.
 *
 * The time allowed is the same for all, so whoever came first is due first: one queue and one timer serve
 * every connection.
 */
import type { Connection } from "../connections/connection.ts";

export interface Deadlines {
  /** `connection` has until `timeoutMs` from now. */
  add(connection: Connection): void;
  /** Forgets a connection that has gone: none is held longer than it lives. Repeatable. */
  remove(connection: Connection): void;
  /** How many connections are waited for. */
  size(): number;
  close(): void;
}

export function createDeadlines(
  timeoutMs: number,
  now: () => number,
  onExpired: (connection: Connection) => void,
): Deadlines {
  // In order of arrival, which is the order of deadlines.
  const waiting = new Map<Connection, number>();
  let timer: NodeJS.Timeout | undefined;

  function schedule(): void {
    const first = waiting.values().next();
    if (timer !== undefined || first.done) return;
    timer = setTimeout(expire, Math.max(1, first.value - now()));
    timer.unref();
  }

  function expire(): void {
    timer = undefined;
    const nowMs = now();
    for (const [connection, dueMs] of waiting) {
      const isSettled = connection.isAuthorized || !connection.isOpen;
      if (!isSettled && dueMs > nowMs) break;
      waiting.delete(connection);
      if (!isSettled) onExpired(connection);
    }
    schedule();
  }

  return {
    add(connection) {
      waiting.set(connection, now() + timeoutMs);
      schedule();
    },
    remove(connection) {
      if (waiting.size > 0) waiting.delete(connection);
    },
    size: () => waiting.size,
    close() {
      clearTimeout(timer);
      timer = undefined;
      waiting.clear();
    },
  };
}
