/** Socket ids: `<digits>.<digits>`, checked by every server library. Source: protocol.md §1.2. */
import { randomFillSync } from "node:crypto";

const SOCKET_ID = /^\d{1,20}\.\d{1,20}$/;

/** Whether `value` has the form of a socket id. Says nothing about whether such a socket exists. */
export function isSocketId(value: unknown): value is string {
  return typeof value === "string" && SOCKET_ID.test(value);
}

/**
 * A source of socket ids that nobody can guess: two random numbers below 2^52 each. Random bytes are
 * drawn for 256 ids at a time, since a system call for each would be the dearest part of a connect.
 */
export function createSocketIds(): () => string {
  const pool = new BigUint64Array(512);
  let next = pool.length;
  return () => {
    if (next >= pool.length) {
      randomFillSync(pool);
      next = 0;
    }
    const a = (pool[next] ?? 0n) >> 12n;
    const b = (pool[next + 1] ?? 0n) >> 12n;
    next += 2;
    // Joined, since a template leaves a tree of its parts, which stays as long as the connection (64 bytes).
    return [a, b].join(".");
  };
}
