/**
 * How long the API may keep one turn of the event loop. Source: protocol.md §6.9.
 *
 * A turn takes what is there on all connections. With more than a core carries that is more and more, and whoever asks
 * for the server's health waits until all of it is done. So what comes late in a long turn is refused, which is quick.
 */

/**
 * In ms of work: 5,000 requests. Health may have to wait for the rest of one turn and for the next, which is under a
 * second with what it costs to refuse the others (npm run bench:overload).
 */
export const MAX_TURN_MS = 200;
/** How old a reading of the CPU clock may be: it costs as much as 0.7 µs, too much to take for each turn. */
const READ_EVERY_MS = 50;

export interface TurnBudget {
  /** Whether the requests of this turn, the first of which it was asked about, have made too much work by now. */
  isSpent(nowMs: number): boolean;
}

export interface TurnClocks {
  /** Runs a function once at the end of this turn of the event loop: setImmediate. */
  readonly afterTurn: (run: () => void) => void;
  /** CPU time of this process in ms: a turn in which the process had to wait for its core is none with much to do. */
  readonly cpuMs: () => number;
}

export function createTurnBudget({ afterTurn, cpuMs }: TurnClocks): TurnBudget {
  let isInTurn = false;
  let isSpent = false;
  let startedMs = 0;
  let readAtMs = Number.NEGATIVE_INFINITY;
  let cpuReadMs = 0;

  function end(): void {
    isInTurn = false;
    isSpent = false;
  }

  function begin(nowMs: number): void {
    isInTurn = true;
    startedMs = nowMs;
    afterTurn(end);
    if (nowMs - readAtMs < READ_EVERY_MS) return;
    readAtMs = nowMs;
    cpuReadMs = cpuMs();
  }

  return {
    isSpent(nowMs) {
      if (!isInTurn) begin(nowMs);
      else if (!isSpent && nowMs - startedMs > MAX_TURN_MS) {
        isSpent = cpuMs() - cpuReadMs > MAX_TURN_MS;
      }
      return isSpent;
    },
  };
}
