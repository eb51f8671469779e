/** What an endpoint saw of the events that were meant for it: what is missing, unordered, unwanted or repeated. */
import { compareEventIds } from "../../src/webhooks/event-id.ts";

export interface OrderKeeper {
  /** The event was decided and is wanted. */
  expect(id: string): void;
  arrived(id: string, channel: string): void;
  /** How many have not arrived yet. */
  readonly waiting: number;
  /** What arrived and is not wanted. */
  unwanted(): readonly string[];
  readonly counts: { repeats: number; unordered: number };
}

export function createOrderKeeper(): OrderKeeper {
  const expected = new Set<string>();
  const seen = new Set<string>();
  const last = new Map<string, string>();
  const counts = { repeats: 0, unordered: 0 };
  return {
    counts,
    expect: (id) => void expected.add(id),
    arrived(id, channel) {
      if (seen.has(id)) {
        counts.repeats += 1;
        return;
      }
      seen.add(id);
      const before = last.get(channel);
      if (before !== undefined && compareEventIds(before, id) >= 0) counts.unordered += 1;
      last.set(channel, id);
    },
    get waiting() {
      return expected.size - seen.size;
    },
    unwanted: () => [...seen].filter((id) => !expected.has(id)),
  };
}
