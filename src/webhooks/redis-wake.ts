/** Hears the wake-ups of the partitions that this node should dispatch, and of no others. */
import type { RedisBus } from "../redis/bus.ts";
import type { Keys } from "../redis/keys.ts";

export interface WakeUps {
  /**
   * These partitions are to be heard. Nobody waits for it: once a topic is heard its partition is woken, for
   * what came before; while it is not, the next look finds what there is.
   */
  hear(partitions: readonly number[]): void;
  readonly counters: { readonly wakeUps: number; readonly failures: number };
}

export interface WakeUpsParts {
  readonly bus: RedisBus;
  readonly keys: Keys;
  readonly wake: (partition: number) => void;
  /** The partition was not heard for a time: Redis may have been another one meanwhile. */
  readonly onMissed: (partition: number) => void;
}

/** To be called before the connections are opened. */
export function createWakeUps({ bus, keys, wake, onMissed }: WakeUpsParts): WakeUps {
  const heard = new Set<number>();
  const counters = { wakeUps: 0, failures: 0 };

  bus.on("wake", (topic) => {
    const partition = keys.partitionOfTopic(topic);
    if (partition === undefined) return;
    counters.wakeUps += 1;
    wake(partition);
  });
  bus.onResubscribed((topics) => {
    const again = new Set(topics);
    for (const partition of heard) {
      if (!again.has(keys.wakeTopic(partition))) continue;
      onMissed(partition);
      wake(partition);
    }
  });

  async function begin(partition: number): Promise<void> {
    heard.add(partition);
    try {
      await bus.subscribe(keys.wakeTopic(partition));
      wake(partition);
    } catch {
      // Whatever the reason: the next look tries again.
      heard.delete(partition);
      counters.failures += 1;
    }
  }

  return {
    counters,
    hear(partitions) {
      for (const partition of heard) {
        if (partitions.includes(partition)) continue;
        heard.delete(partition);
        bus.unsubscribe(keys.wakeTopic(partition));
      }
      for (const partition of partitions) if (!heard.has(partition)) void begin(partition);
    },
  };
}
