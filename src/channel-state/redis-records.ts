/**
 * Events that wait to be appended, over all channels of this node: a ring. When Redis is away for long the
 * oldest fall out, and a crash of the node loses them all (architecture.md §4).
 */
import { dropStep, type RecordStep, type TrackedChannel } from "./redis-tracked-channel.ts";

export interface Records {
  /** The step has been added to the channel's steps. */
  add(channel: TrackedChannel, step: RecordStep): void;
  /** It has been appended. */
  remove(step: RecordStep): void;
  readonly size: number;
}

/** `dropped` is called for each channel out of which an event has fallen. */
export function createRecords(
  maxRecords: number,
  dropped: (channel: TrackedChannel) => void,
): Records {
  const waiting = new Map<RecordStep, TrackedChannel>();

  return {
    add(channel, step) {
      waiting.set(step, channel);
      if (waiting.size <= maxRecords) return;
      for (const [oldest, of] of waiting) {
        // What is under way cannot be taken back, and is little.
        if (!dropStep(of, oldest)) continue;
        waiting.delete(oldest);
        dropped(of);
        return;
      }
    },
    remove(step) {
      waiting.delete(step);
    },
    get size() {
      return waiting.size;
    },
  };
}
