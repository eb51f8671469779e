/** Reads that see what this node has told before and all that others have, or say that they cannot. */
import { StateUnavailableError } from "./channel-state.ts";
import type { Lanes } from "./redis-lanes.ts";
import type { LossProblem } from "./redis-reads.ts";
import type { StateContext } from "./redis-state-context.ts";
import {
  addStep,
  dropStep,
  isSettled,
  type Step,
  type TrackedChannel,
} from "./redis-tracked-channel.ts";

export interface Reader {
  /**
   * Asks once what was told of the channels so far has been acknowledged. Rejects with StateUnavailableError,
   * at the latest when neither comes in `answerTimeoutMs`, at once when their partition cannot be written.
   */
  read<T>(channels: Iterable<TrackedChannel>, ask: () => Promise<T>): Promise<T>;
  /** Done once what was told of the channels so far has been acknowledged; undefined when it has been. */
  settled(channels: Iterable<TrackedChannel>): Promise<void> | undefined;
  /** For what is read: see redis-reads.ts. A node that learns of a loss so tells everything anew. */
  readonly lossProblem: LossProblem;
}

export function createReader({ settings, counters }: StateContext, lanes: Lanes): Reader {
  function unavailable(what: string, cause?: unknown): StateUnavailableError {
    counters.unavailable += 1;
    return new StateUnavailableError(`${what}: is Redis up?`, { cause });
  }

  function settle(channel: TrackedChannel): Promise<void> {
    const lane = lanes.lane(channel.partition);
    if (!lane.isHealthy()) return Promise.reject(unavailable("Redis cannot be written"));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        dropStep(channel, step);
        lane.changed(channel);
        reject(unavailable("What this node has told is not acknowledged"));
      }, settings.answerTimeoutMs);
      const step: Step = {
        kind: "barrier",
        pass() {
          clearTimeout(timer);
          resolve();
        },
      };
      addStep(channel, step);
      lane.changed(channel);
    });
  }

  function settled(channels: Iterable<TrackedChannel>): Promise<void> | undefined {
    const unsettled = [...channels].filter((channel) => !isSettled(channel));
    if (unsettled.length === 0) return undefined;
    return Promise.all(unsettled.map(settle)).then(() => undefined);
  }

  function lossProblem(p: number, epoch: number, restoreMs: number): Error | undefined {
    if (!lanes.lane(p).confirmEpoch(epoch)) counters.foreignEpochs += 1;
    else if (restoreMs === 0) return undefined;
    return new StateUnavailableError("Redis has lost the state, and the nodes tell it anew.");
  }

  return {
    settled,
    lossProblem,
    async read(channels, ask) {
      await settled(channels);
      // A node that has never registered does not know whether this is its deployment.
      if (!lanes.isRegistered()) throw unavailable("The state cannot be read yet");
      try {
        return await ask();
      } catch (cause) {
        if (!(cause instanceof StateUnavailableError)) {
          throw unavailable("The state cannot be read", cause);
        }
        counters.unavailable += 1;
        throw cause;
      }
    },
  };
}
