/**
 * The outbox as an operator works on it: on any node, whoever dispatches the partition. What changes events is done
 * in portions of bounded size, each in one step that nobody sees half done. Source: architecture.md §5.
 *
 * Whoever dispatches a lane that was changed is told of it: see `touched` in outbox-controls.ts.
 */
import type { EndpointName, FoundEvent, LaneFailure } from "./operations.ts";
import type { Backlog, DeadLetter, LaneKey, OutboxEvent } from "./outbox.ts";

/** Where an endpoint has events: in its lanes, or among its dead letters. */
export type Box = "waiting" | "dead";

/** An event in a box of a partition. When it is not there any more, nothing is done with it. */
export interface Entry {
  /** The driver's own. */
  readonly place: string;
  /** Of the event. */
  readonly id: string;
}

export interface PlacedEvent extends Entry {
  readonly event: OutboxEvent;
}

export interface PlacedLetter extends Entry {
  readonly letter: DeadLetter;
}

export interface EndpointBacklog extends Backlog {
  /** Of the lane that has failed longest. */
  readonly failing: LaneFailure | undefined;
}

export interface Moved {
  readonly changed: number;
  /** The rest had no room where it should go, and stays where it was. */
  readonly isFull: boolean;
}

/** At most 1,000 entries a call. Rejects with OutboxUnavailableError. Sent twice, a call changes nothing more. */
export interface OutboxDesk {
  readonly partitions: number;
  /** Every endpoint of the app that has something, in the whole deployment. */
  backlogs(appId: string): readonly EndpointBacklog[] | Promise<readonly EndpointBacklog[]>;
  /** How many events an endpoint has in each partition. */
  counts(of: EndpointName, box: Box): readonly number[] | Promise<readonly number[]>;
  /** All dead letters of an endpoint in a partition, in any order. */
  letters(lane: LaneKey): readonly PlacedLetter[] | Promise<readonly PlacedLetter[]>;
  /** The oldest events of a lane. */
  waiting(lane: LaneKey, count: number): readonly PlacedEvent[] | Promise<readonly PlacedEvent[]>;
  /** Puts dead letters at the end of their lane, in this order, and begins its retry budget anew. */
  replay(lane: LaneKey, letters: readonly Entry[]): Moved | Promise<Moved>;
  /** Answers how many there were to drop. */
  drop(lane: LaneKey, box: Box, entries: readonly Entry[]): number | Promise<number>;
  /** Puts events at the end of the same box of another endpoint of the app, in this order. */
  move(lane: LaneKey, box: Box, to: string, entries: readonly Entry[]): Moved | Promise<Moved>;
  find(lane: LaneKey, eventId: string): FoundEvent | undefined | Promise<FoundEvent | undefined>;
}
