/** What is kept for a while after its last use, in case somebody returns: one timer for all. */

export interface Lingering<T> {
  /** `thing` goes in `lingerMs`, unless {@link keep} is called before. */
  add(thing: T): void;
  keep(thing: T): void;
  close(): void;
}

/** `leave` gets what goes at the same time, oldest first. */
export function createLingering<T>(
  lingerMs: number,
  leave: (things: readonly T[]) => void,
): Lingering<T> {
  /** When each goes, on the clock of `performance.now`: in the order of their going, since all wait equally long. */
  const dueMs = new Map<T, number>();
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;

  function sweep(): void {
    timer = undefined;
    const nowMs = performance.now();
    const leaving: T[] = [];
    for (const [thing, due] of dueMs) {
      if (due > nowMs) {
        timer = setTimeout(sweep, Math.ceil(due - nowMs));
        break;
      }
      dueMs.delete(thing);
      leaving.push(thing);
    }
    if (leaving.length > 0) leave(leaving);
  }

  return {
    add(thing) {
      if (isClosed) return;
      dueMs.delete(thing);
      dueMs.set(thing, performance.now() + lingerMs);
      timer ??= setTimeout(sweep, lingerMs);
    },
    keep: (thing) => void dueMs.delete(thing),
    close() {
      isClosed = true;
      clearTimeout(timer);
      dueMs.clear();
    },
  };
}
