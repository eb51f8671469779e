/**
 * How long the API may keep one turn of the event loop. Source: protocol.md §6.9.
 *
 * A turn takes what is there on all connections. With more than a core carries that is more and more, and whoever asks
 * for the server's health waits until all of it is done. So what comes late in a long turn is refused, which is quick.
 */

/**
 * In ms of work: 5,000 requests. Health may have to wait for the rest of one turn and for the next, which is well
 * under a second, with what it costs to refuse the others and to send what was published (npm run bench:overload).
 */
export const MAX_TURN_MS = 100;
/**
 * How long after the beginning of one watch the next may begin. To watch each turn cost 1 of 23 µs a request
 * (npm run bench:profile -- --scenario post-events); so a turn may be this much longer.
 */
const WATCH_EVERY_MS = 20;

export interface TurnBudget {
  /** Whether the requests of this turn, about each of which it is asked, have made too much work by now. */
  isSpent(nowMs: number): boolean;
}

export interface TurnWork {
  /** Runs a function once at the end of this turn of the event loop: setImmediate. */
  readonly afterTurn: (run: () => void) => void;
  /** CPU time of this process in ms: a turn in which the process had to wait for its core is none with much to do. */
  readonly cpuMs: () => number;
  /** What was published in this turn takes long to send: work that comes at its end. */
  readonly hasMuchToSend: () => boolean;
}

export function createTurnBudget({ afterTurn, cpuMs, hasMuchToSend }: TurnWork): TurnBudget {
  let isWatching = false;
  let isSpent = false;
  let watchedFromMs = Number.NEGATIVE_INFINITY;
  let cpuBeforeMs = 0;

  function end(): void {
    isWatching = false;
    isSpent = false;
  }

  return {
    isSpent(nowMs) {
      if (hasMuchToSend()) return true;
      if (isWatching) {
        if (!isSpent && nowMs - watchedFromMs > MAX_TURN_MS) {
          isSpent = cpuMs() - cpuBeforeMs > MAX_TURN_MS;
        }
      } else if (nowMs - watchedFromMs >= WATCH_EVERY_MS) {
        isWatching = true;
        watchedFromMs = nowMs;
        cpuBeforeMs = cpuMs();
        afterTurn(end);
      }
      return isSpent;
    },
  };
}
