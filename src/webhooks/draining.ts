/** Moves what a partition's stream, or an app's holding lane, has into lanes. Source: architecture.md §5, Route. */
import type { DispatchContext } from "./context.ts";
import type { Delivery } from "./delivery.ts";
import type { RouteChoice } from "./route-choice.ts";
import type { RouteResults } from "./route-results.ts";

/** Events that are moved in one go. */
const EVENTS_PER_ROUND = 200;

/**
 * Routes what is in the stream, or in the holding lane of `heldApp`, until nothing is left or nothing can be routed.
 * What has to wait is added to `mustHold`. Answers `lost` when the partition turns out to belong to another node.
 */
export type Drain = (
  partition: number,
  heldApp: string | undefined,
  mustHold: Set<string>,
  isLeaving: () => boolean,
) => Promise<"drained" | "lost">;

export function createDrain(
  { outbox }: DispatchContext,
  delivery: Delivery,
  choice: RouteChoice,
  results: RouteResults,
): Drain {
  /** Moves what need not be read before, and answers whether there is something else. */
  async function take(
    partition: number,
    isLeaving: () => boolean,
  ): Promise<"drained" | "lost" | "rest"> {
    while (outbox.take) {
      const known = await choice.ways.of(partition);
      if (!known) return "rest";
      const { ways, apps } = known;
      const taken = await outbox.take(partition, ways, EVENTS_PER_ROUND);
      if (taken === "lost") return "lost";
      const { left, counts } = taken;
      results.announceTaken(partition, ways, counts, apps);
      if (left === 0 || isLeaving()) return "drained";
      // Something has stopped it.
      if (counts.reduce((sum, count) => sum + count, 0) < EVENTS_PER_ROUND) return "rest";
    }
    return "rest";
  }

  return async (partition, heldApp, mustHold, isLeaving) => {
    for (;;) {
      if (heldApp === undefined && mustHold.size === 0) {
        const taken = await take(partition, isLeaving);
        if (taken !== "rest") return taken;
      }
      const events = await outbox.read(partition, heldApp, EVENTS_PER_ROUND);
      const chosen = await choice.choose(events, mustHold);
      const stopAt = heldApp === undefined ? -1 : chosen.routes.findIndex((r) => !r.endpointIds);
      const routes = stopAt === -1 ? chosen.routes : chosen.routes.slice(0, stopAt);
      if (routes.length === 0) return "drained";
      const result = await outbox.route(partition, heldApp, routes, delivery.underWay);
      if (result === "lost") return "lost";
      for (const lane of result.pushedOut) delivery.pushedOut(lane);
      // What was read may have been forgotten in between, and is then read and told of anew.
      if (result.enqueued > 0) {
        results.announce(partition, events.slice(0, routes.length), routes, chosen.apps);
      }
      if (heldApp !== undefined) {
        if (result.left === 0) choice.released(heldApp);
      } else if (outbox.take) {
        choice.ways.note(partition, events, chosen.apps);
      }
      if (result.left === 0 || stopAt !== -1 || isLeaving()) return "drained";
    }
  };
}
