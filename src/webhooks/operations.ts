/**
 * What an operator may ask of an app's webhooks: on any node, for the whole cluster, with either driver.
 * Source: architecture.md §5.
 *
 * What changes many events is done in steps of bounded size. Each call does one and answers where the next goes
 * on, so that a caller can show progress and nobody waits long for Redis. A step that is sent twice finds nothing
 * left to do the second time.
 */
import type { DeadLetter, DeathReason, OutboxEvent } from "./outbox.ts";

export interface EndpointName {
  readonly appId: string;
  readonly endpointId: string;
}

/** Why an endpoint is paused: by an operator, or because it answered 410. */
export type PauseReason = "operator" | "gone";

export interface Pause {
  readonly reason: PauseReason;
  /** Epoch ms. */
  readonly sinceMs: number;
}

/** An endpoint in the whole cluster. */
export interface EndpointStatus extends EndpointName {
  /** `removed`: no longer configured, and has events left. */
  readonly configured: "enabled" | "disabled" | "removed";
  readonly pause: Pause | undefined;
  /** The failures since the last 2xx of the lane that has failed longest; undefined: none fails. */
  readonly failing: LaneFailure | undefined;
  /** Events that wait. */
  readonly backlog: number;
  /** Epoch ms of the decision of the oldest; undefined when none waits. */
  readonly oldestMs: number | undefined;
  readonly deadLetters: number;
}

export interface LaneFailure {
  /** Epoch ms. */
  readonly sinceMs: number;
  readonly attempts: number;
  /** HTTP status, or `timeout`, `connection`, `refused_target`. */
  readonly lastStatus: string;
}

/** Which dead letters are meant: all parts that are given must hold; none given: all of the endpoint. */
export interface Wanted {
  readonly ids?: ReadonlySet<string>;
  readonly channel?: string;
  readonly type?: string;
  readonly reason?: DeathReason;
}

/**
 * `cursor`: what the call before answered as `next`; undefined at the beginning. A text that no call has answered
 * rejects with a RangeError: see `isCursor` of steps.ts.
 */
export interface Step {
  readonly cursor: string | undefined;
  /** Events that the step looks at, 1 to 1,000. */
  readonly limit: number;
}

export interface DeadLetterPage {
  /** By partition, and in it in the order of the events. */
  readonly letters: readonly DeadLetter[];
  readonly next: string | undefined;
}

export interface StepResult {
  /** Events that this step moved or dropped. */
  readonly changed: number;
  /** Undefined: done. */
  readonly next: string | undefined;
}

/** Where an event stands for one endpoint. */
export type FoundEvent =
  | {
      readonly place: "waiting";
      readonly event: OutboxEvent;
      readonly failing: LaneFailure | undefined;
    }
  | { readonly place: "dead"; readonly letter: DeadLetter };

/** Where the events of one type on one channel stand for one endpoint. */
export interface EventStanding {
  readonly waiting: {
    readonly found: number;
    /** False: more events of the channel's partition wait for the endpoint than were looked at. */
    readonly isComplete: boolean;
    readonly oldest: OutboxEvent | undefined;
  };
  readonly dead: {
    readonly found: number;
    /** By the decision of its event. */
    readonly latest: DeadLetter | undefined;
  };
}

/** Why something was not done, for the operator. Nothing was changed. */
export interface Refused {
  readonly refused: string;
}

/** Rejects with OutboxUnavailableError when the outbox cannot be reached. */
export interface WebhookOperations {
  /** Every configured endpoint of the app, and every removed one that has something left; by id. */
  status(appId: string): Promise<readonly EndpointStatus[]>;
  deadLetters(of: EndpointName, wanted: Wanted, step: Step): Promise<DeadLetterPage>;
  /** Undefined: delivered, dropped, or never meant for this endpoint. */
  find(of: EndpointName, eventId: string): Promise<FoundEvent | undefined>;
  /** Looks at the 1,000 oldest events that wait in the channel's partition, and at all dead letters there. */
  standing(of: EndpointName, type: string, channel: string): Promise<EventStanding>;
  /**
   * Sends dead letters again, behind what waits: with their ids, in order within a channel, with a new retry
   * budget. Refused for an endpoint that is not configured: nobody would get them.
   */
  replay(of: EndpointName, wanted: Wanted, step: Step): Promise<StepResult | Refused>;
  /** Drops dead letters for good. */
  drop(of: EndpointName, wanted: Wanted, step: Step): Promise<StepResult>;
  /** Drops for good what waits for an endpoint. Refused while it is configured and enabled. */
  dropBacklog(of: EndpointName, step: Step): Promise<StepResult | Refused>;
  /**
   * Gives what waits for an endpoint, and its dead letters as such, to another of the app, ids and order kept.
   * Refused while `of` is configured and enabled, and for a `to` that is not configured or is `of` itself.
   */
  move(of: EndpointName, to: string, step: Step): Promise<StepResult | Refused>;
  /** Sends nothing more to the endpoint, in the whole cluster, until it is resumed; it goes on collecting. */
  pause(of: EndpointName): Promise<Refused | undefined>;
  /** Ends a pause, whatever its reason, and begins the retry budget anew. Nothing happens without a pause. */
  resume(of: EndpointName): Promise<void>;
  /** Tries an endpoint that backs off at once, on every node. Refused for one that nothing is sent to. */
  retry(of: EndpointName): Promise<Refused | undefined>;
}
