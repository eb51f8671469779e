/** Sends this node's clients away before it stops, not all at once. Source: protocol.md §1.5, §10 (shutdown). */
import { setTimeout as delay } from "node:timers/promises";
import type { Socket } from "../connections/connection.ts";
import type { ConnectionRegistry } from "../connections/registry.ts";
import { CLOSE_CODES, type ClosingRefusal } from "../protocol/close-code.ts";

/** Longest pause between two rounds of closes: a few clients need not wait for the whole time. */
const ROUND_MS = 50;

/** How long a client that comes too late is kept waiting for its refusal. */
const TURN_AWAY_AFTER_MS = 500;

const GOING_AWAY = "This node is going away: connect again.";

/**
 * Closes every connection with 4200, spread evenly over `overMs` so that they do not all return in one
 * moment; sooner when there are few. Done when all have been told to go.
 */
export async function drainConnections(
  connections: ConnectionRegistry,
  overMs: number,
): Promise<void> {
  const leaving = [...connections.all()];
  const rounds = Math.max(1, Math.min(leaving.length, Math.floor(overMs / ROUND_MS)));
  const upTo = (round: number): number => Math.floor((leaving.length * round) / rounds);
  for (let round = 0; round < rounds; round++) {
    if (round > 0) await delay(ROUND_MS);
    for (const { socket } of leaving.slice(upTo(round), upTo(round + 1))) sendAway(socket);
  }
}

/**
 * Refuses a client that comes during the drain, after a moment: 4200 brings it back at once, and where there
 * is no other node it would else come again and again in a tight loop.
 */
export function turnAway(socket: Socket): ClosingRefusal {
  setTimeout(() => sendAway(socket), TURN_AWAY_AFTER_MS).unref();
  return { code: CLOSE_CODES.reconnect, message: GOING_AWAY };
}

function sendAway(socket: Socket): void {
  socket.close(CLOSE_CODES.reconnect, GOING_AWAY);
}
