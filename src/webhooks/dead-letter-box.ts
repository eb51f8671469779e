/** The dead letters of one endpoint in memory: oldest first, bounded by count, bytes and age. */
import type { DeadLetter } from "./outbox.ts";

export interface DeadLetterBox {
  readonly length: number;
  /** Keeps the letter; answers how many older ones had to give way. */
  add(letter: DeadLetter): number;
  /** Whether it can be kept without any giving way. */
  hasRoom(letter: DeadLetter): boolean;
  /** Takes out those of these events; answers how many there were. */
  take(ids: ReadonlySet<string>): number;
  /** Drops what died at `beforeMs` or earlier; answers how many. */
  expire(beforeMs: number): number;
  list(offset: number, limit: number): DeadLetter[];
}

export function createDeadLetterBox(maxLetters: number, maxBytes: number): DeadLetterBox {
  let letters: DeadLetter[] = [];
  let start = 0;
  let bytes = 0;

  function dropOldest(): void {
    bytes -= letters[start]?.event.bytes ?? 0;
    start += 1;
    if (start * 2 < letters.length) return;
    letters = letters.slice(start);
    start = 0;
  }

  return {
    get length() {
      return letters.length - start;
    },
    add(letter) {
      letters.push(letter);
      bytes += letter.event.bytes;
      let dropped = 0;
      while (letters.length - start > maxLetters || bytes > maxBytes) {
        dropOldest();
        dropped += 1;
      }
      return dropped;
    },
    hasRoom: ({ event }) => letters.length - start < maxLetters && bytes + event.bytes <= maxBytes,
    take(ids) {
      const before = letters.length - start;
      letters = letters.slice(start).filter(({ event }) => !ids.has(event.id));
      start = 0;
      bytes = letters.reduce((sum, { event }) => sum + event.bytes, 0);
      return before - letters.length;
    },
    expire(beforeMs) {
      let dropped = 0;
      for (
        let oldest = letters[start];
        oldest && oldest.diedMs <= beforeMs;
        oldest = letters[start]
      ) {
        dropOldest();
        dropped += 1;
      }
      return dropped;
    },
    list: (offset, limit) => letters.slice(start + offset, start + offset + limit),
  };
}
