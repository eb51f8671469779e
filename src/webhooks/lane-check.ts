/**
 * The net under all that tells of new events: asks the outbox which lanes have some, and has those delivered that
 * nobody here knows of. None should be found. One that is would else wait until something more came into it.
 */
import type { DispatchContext } from "./context.ts";
import type { Delivery } from "./delivery.ts";

/** A round through all partitions takes so many looks: a minute. */
const LOOKS_PER_ROUND = 30;

export interface LaneCheck {
  /** Checks the next of the partitions that are this node's. Called with every look, after the claims. */
  next(owned: readonly number[]): Promise<void>;
}

export function createLaneCheck(context: DispatchContext, delivery: Delivery): LaneCheck {
  const { outbox, log } = context;
  /** By partition, lanes that had events and were idle in the last round. A claim may be about to read them. */
  const suspects = new Map<number, ReadonlySet<string>>();
  let last = -1;

  async function check(partition: number): Promise<void> {
    const before = suspects.get(partition);
    const idle = new Set<string>();
    for (const lane of await outbox.lanes(partition)) {
      if (!delivery.isIdle(lane)) continue;
      const { appId, endpointId } = lane;
      const name = `${appId}:${endpointId}`;
      idle.add(name);
      if (!before?.has(name)) continue;
      log.warn({ partition, app_id: appId, endpoint: endpointId }, "webhook lane was overlooked");
      outbox.readAnew(lane);
      delivery.routed(lane, 0, 0);
    }
    if (idle.size > 0) suspects.set(partition, idle);
    else suspects.delete(partition);
  }

  return {
    async next(owned) {
      const count = Math.ceil(owned.length / LOOKS_PER_ROUND);
      const from = owned.findIndex((partition) => partition > last);
      const turn = owned.slice(Math.max(0, from), Math.max(0, from) + count);
      last = turn.at(-1) ?? -1;
      for (const partition of suspects.keys()) {
        if (!owned.includes(partition)) suspects.delete(partition);
      }
      for (const partition of turn) await check(partition);
    },
  };
}
