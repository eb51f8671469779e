/** Where decided events wait for their receivers, seen by the one who delivers them. Source: architecture.md §5. */

/** A decided event. Immutable: what changes is only where it waits. */
export interface OutboxEvent {
  /** See event-id.ts. */
  readonly id: string;
  readonly appId: string;
  readonly channel: string;
  /** A webhook event type; one that this version does not know is held, never dropped. */
  readonly type: string;
  /** The finished event object of the body. */
  readonly json: string;
  /** Of `json`, in UTF-8. */
  readonly bytes: number;
  /** When it was decided, epoch ms: delivery latency counts from here. */
  readonly decidedMs: number;
  /** When it was decided or last replayed, epoch ms: the retry budget counts from here. */
  readonly retriedFromMs: number;
}

/** Names a lane: the events of one partition and app for one endpoint, in order. */
export interface LaneKey {
  readonly partition: number;
  readonly appId: string;
  readonly endpointId: string;
}

/**
 * `new`: this node owns the partition since this call. Whatever it believed of the partition's lanes is
 * worthless and has to be read again, also when it thought that it owned it all the time.
 */
export type Claim = "mine" | "new" | "lost";

/** Where an event goes: into the lanes of these endpoints, or, when undefined, into its app's holding lane. */
export interface Route {
  readonly id: string;
  readonly endpointIds: readonly string[] | undefined;
}

/** Where every event of this app and type goes, whatever its channel. */
export interface Way {
  readonly appId: string;
  readonly type: string;
  readonly endpointIds: readonly string[];
}

/** What {@link Outbox.take} has moved. */
export interface Taken {
  /** Events that still wait in the stream. */
  readonly left: number;
  /** How many were moved on each of the ways. */
  readonly counts: readonly number[];
}

/** How many events at a lane's head are in a batch that is being made or sent: those stay where they are. */
export type UnderWay = (lane: LaneKey) => number;

export interface RouteResult {
  /** Events that still wait in the source. The caller goes on until it is 0. */
  readonly left: number;
  /** How many were put into lanes, counted in each; 0: none was there any more to be moved. */
  readonly enqueued: number;
  /** Lanes whose oldest events a bound has pushed out. */
  readonly pushedOut: readonly LaneKey[];
}

/** `age`: dead letters that were too old. `operator`: somebody has dropped them. */
export type LossReason = DeathReason | "age" | "operator";

/** Events that were given up. `endpointId` undefined: of an app's holding lane, which has no dead letters. */
export interface Loss {
  readonly partition: number;
  readonly appId: string;
  readonly endpointId: string | undefined;
  readonly reason: LossReason;
  /** Moved to the endpoint's dead letters. */
  readonly buried: number;
  /** Gone for good. */
  readonly dropped: number;
}

/** The oldest events of a lane. They stay in it until they are settled or buried. */
export interface Head {
  readonly events: readonly OutboxEvent[];
  readonly hasMore: boolean;
}

/** How an attempt failed, for the lane's record and for what becomes a dead letter. */
export interface Failure {
  /** HTTP status, or an outcome word when there was no answer: `timeout`, `connection`, `refused_target`. */
  readonly status: string;
  readonly budgetMs: number;
}

/** What ran out of its budget by a failed attempt: these ids are dead letters now. */
export interface FailResult {
  readonly buried: readonly string[];
  /** Older dead letters that had to give way. */
  readonly dropped: number;
}

/** What one endpoint of an app has waiting. */
export interface Backlog {
  readonly appId: string;
  readonly endpointId: string;
  readonly events: number;
  /** Epoch ms of the decision of the oldest; undefined when nothing waits. */
  readonly oldestMs: number | undefined;
  readonly deadLetters: number;
}

/** Of the partitions that this node owns: the sum over all nodes is that of the deployment. */
export interface Backlogs {
  /** Events that no dispatcher has looked at yet. */
  readonly unrouted: number;
  /** Events of apps that are not known here. */
  readonly held: number;
  /** Events that left the stream unrouted because it was full. */
  readonly overrun: number;
  readonly endpoints: readonly Backlog[];
}

/**
 * The consumer's side of the outbox: the producer appends to a partition's stream elsewhere. One node at a
 * time owns a partition, and each call that changes something checks it, answering `lost` (nothing happened)
 * to one who owns it no more. Every call may be repeated: what is done already is not done twice.
 *
 * A driver that has nothing to wait for answers at once; one that cannot answer rejects with
 * {@link OutboxUnavailableError}, and then nothing was changed or the same call will find it done.
 */
export interface Outbox {
  /** For people: `memory`, `redis`. */
  readonly driver: string;
  readonly partitions: number;
  /** What waits outlives this process: a stop leaves it to other nodes. */
  readonly isDurable: boolean;
  /**
   * From now on `wake` is called, never in the caller's turn, for a partition with new or newly due work, and `book`
   * for whatever is given up: at once, or, by a driver whose answers may be lost, with the next claim. It may be told
   * twice of the same after a node was killed, but of none never.
   */
  listen(wake: (partition: number) => void, book: (loss: Loss) => void): void | Promise<void>;
  /**
   * Says that this node dispatches; answers the partitions that it should own among all nodes that do. Called
   * again every 2 s, before the claims. One that it owns and should not it releases once nothing is under way.
   */
  enlist(): readonly number[] | Promise<readonly number[]>;
  /** This node is about to stop: others should own its partitions. Repeatable. */
  resign(): void | Promise<void>;
  /** Takes or keeps the partition; called again every 2 s. */
  claim(partition: number): Claim | Promise<Claim>;
  /** Gives the partition back, and wakes who should own it. Repeatable. */
  release(partition: number): void | Promise<void>;
  /** Turns due leaves into events of the stream; answers when the next is due (epoch ms), undefined: none waits. */
  sweep(partition: number): number | undefined | Promise<number | undefined>;
  /** Apps with events in their holding lane. */
  heldApps(partition: number): readonly string[] | Promise<readonly string[]>;
  /** The oldest events of the stream, or of an app's holding lane when `heldApp` is given. */
  read(
    partition: number,
    heldApp: string | undefined,
    maxEvents: number,
  ): readonly OutboxEvent[] | Promise<readonly OutboxEvent[]>;
  /**
   * Moves events that {@link read} gave out of the same source. From the stream, an event of an app that has
   * held events joins those instead: it must not overtake them. A full lane pushes its oldest out, but nothing
   * that is under way: what may be delivered at this moment is no dead letter.
   */
  route(
    partition: number,
    heldApp: string | undefined,
    routes: readonly Route[],
    underWay: UnderWay,
  ): RouteResult | "lost" | Promise<RouteResult | "lost">;
  /**
   * Moves at most `maxEvents` of the stream's oldest events in one step, each on its way, up to the first that has none
   * or whose lane is nearly full: that one and what follows it are for {@link read} and {@link route}. Moves none while
   * apps are held. A driver that answers at once needs none of this.
   */
  take?(partition: number, ways: readonly Way[], maxEvents: number): Promise<Taken | "lost">;
  /** The partition's lanes that are not empty. */
  lanes(partition: number): readonly LaneKey[] | Promise<readonly LaneKey[]>;
  /** At most `maxEvents` events and `maxBytes` bytes from the lane's head; one event whatever its size. */
  head(lane: LaneKey, maxEvents: number, maxBytes: number): Head | Promise<Head>;
  /** What is remembered of the lane's head may be wrong: it is read anew. */
  readAnew(lane: LaneKey): void;
  /** These were delivered: they leave the lane, whose budget begins anew. */
  settle(lane: LaneKey, ids: readonly string[]): "settled" | "lost" | Promise<"settled" | "lost">;
  /**
   * An attempt that carried the lane's head failed. The lane keeps the time of its first failure since it last
   * settled; once that is a whole budget ago, events older than the budget move to the dead letters, at most
   * 500 a call. So nothing dies untried after an outage of our own.
   */
  fail(lane: LaneKey, failure: Failure): FailResult | "lost" | Promise<FailResult | "lost">;
  /** Moves these, which the receiver refuses, to the dead letters. */
  bury(
    lane: LaneKey,
    ids: readonly string[],
    status: string,
  ): FailResult | "lost" | Promise<FailResult | "lost">;
  /** Begins the retry budgets of the endpoint's lanes anew. */
  renew(appId: string, endpointId: string): void | Promise<void>;
  backlogs(): Backlogs | Promise<Backlogs>;
  /** An endpoint's dead letters, oldest first, from `offset` on. */
  deadLetters(
    appId: string,
    endpointId: string,
    offset: number,
    limit: number,
  ): readonly DeadLetter[] | Promise<readonly DeadLetter[]>;
  /** Drops dead letters that are too old. Called every 2 s. */
  expireDeadLetters(): void | Promise<void>;
  close(): void | Promise<void>;
}

/** Why an event was given up: no time left, refused by its receiver, pushed out of a full lane. */
export type DeathReason = "budget" | "refused" | "overflow";

/** An event that its endpoint did not get. It keeps its id, so that a replay is recognised. */
export interface DeadLetter {
  readonly event: OutboxEvent;
  readonly reason: DeathReason;
  /** The last failure of its lane; undefined when it was never tried. */
  readonly status: string | undefined;
  /** Epoch ms. */
  readonly diedMs: number;
}

/** The outbox could not be written or read. Nothing was lost; the dispatcher tries again. */
export class OutboxUnavailableError extends Error {
  override readonly name = "OutboxUnavailableError";
  readonly code = "PIPIT_OUTBOX_UNAVAILABLE";
  constructor(partition: number, cause: unknown) {
    super(`The webhook outbox of partition ${partition} cannot be reached.`, { cause });
  }
}
