/** Where the events of one type on one channel stand for an endpoint. A channel's events lie in one partition only. */
import { partitionOf } from "../protocol/partition.ts";
import { compareEventIds } from "./event-id.ts";
import type { EndpointName, EventStanding } from "./operations.ts";
import type { DeadLetter } from "./outbox.ts";
import type { OutboxDesk } from "./outbox-desk.ts";
import { MAX_STEP } from "./steps.ts";

export async function standingOf(
  desk: OutboxDesk,
  of: EndpointName,
  type: string,
  channel: string,
): Promise<EventStanding> {
  const partition = partitionOf(of.appId, channel, desk.partitions);
  const lane = { partition, appId: of.appId, endpointId: of.endpointId };
  const isMeant = (event: { readonly type: string; readonly channel: string }) =>
    event.type === type && event.channel === channel;
  // What waits goes first: an event that dies meanwhile is then told twice, not left out.
  const oldest = await desk.waiting(lane, MAX_STEP);
  const waiting = oldest.map(({ event }) => event).filter(isMeant);
  const letters = await desk.letters(lane);
  const dead = letters.map(({ letter }) => letter).filter(({ event }) => isMeant(event));
  return {
    waiting: {
      found: waiting.length,
      isComplete: oldest.length < MAX_STEP,
      oldest: waiting[0],
    },
    dead: { found: dead.length, latest: latestOf(dead) },
  };
}

function latestOf(letters: readonly DeadLetter[]): DeadLetter | undefined {
  return letters.reduce<DeadLetter | undefined>(
    (latest, letter) =>
      latest === undefined || compareEventIds(letter.event.id, latest.event.id) >= 0
        ? letter
        : latest,
    undefined,
  );
}
