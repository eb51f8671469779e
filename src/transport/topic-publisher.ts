/**
 * Publishes to topics, in portions that the library sends cheaply.
 *
 * What is published in a turn of the event loop waits in uWebSockets.js, and at the end of the turn a subscriber gets it
 * with one system call. But it takes at most 32 messages for a subscriber. One more, and those are sent at once;
 * in the callbacks of another socket or request, which has the library's only cork, by a system call for each message.
 * So after some messages to a topic the rest of the turn's are kept here and published after the callbacks.
 */
import { performance } from "node:perf_hooks";

/**
 * Messages to a topic after which it is looked whether the turn is still the one of the look before. If so, the next ones
 * are kept: by then half of the library's 32 wait for a subscriber, or all of them.
 */
const LOOK_AFTER = 16;
/** The same for messages to all topics: a subscriber may be in several. To keep one costs 0.15 µs, so not as few. */
const LOOK_AFTER_IN_ALL = 256;

/** What tells turns of the event loop apart. */
export interface Turns {
  /** Another number in each turn. */
  readonly number: () => number;
  /** Calls a task once, after the library's callbacks of this turn. */
  readonly later: (task: () => void) => void;
}

/** To ask for the number costs 0.05 µs; to wait for each turn's end instead, where it is seldom needed, 15 % with Redis. */
const NODE_TURNS: Turns = {
  number: () => performance.nodeTiming.uvMetricsInfo.loopCount,
  later: setImmediate,
};

/** What a publisher keeps until it asks for no more. */
export interface KeptBounds {
  /** Deliveries: messages times their receivers. */
  readonly deliveries: number;
  /** Characters of frames. */
  readonly characters: number;
}

/**
 * Past one of them {@link TopicPublisher.isFull}, past twice of it what is kept is published at once. So many deliveries
 * take 0.01 to 0.02 s after the callbacks, and 0.3 s where a subscribe or a direct send has to come behind them.
 */
const KEPT_BOUNDS: KeptBounds = { deliveries: 65_536, characters: 33_554_432 };

/** A socket that publishes to all subscribers but itself. */
export interface PublishingSocket {
  /** Undefined once it is closed. */
  readonly ws: { publish(topic: string, frame: string): unknown } | undefined;
}

interface Kept {
  readonly topic: string;
  readonly frame: string;
  readonly sender: PublishingSocket | undefined;
}

/**
 * All that a socket sends, joins or leaves has to come behind what was published before: whoever does that calls
 * {@link TopicPublisher.flush} first.
 */
export class TopicPublisher {
  readonly #publishToAll: (topic: string, frame: string) => void;
  readonly #turns: Turns;
  readonly #bounds: KeptBounds;
  /** The turn of the last look, and messages since then by topic, but those to {@link #topic}. */
  #turn = -1;
  readonly #byTopic = new Map<string, number>();
  /** The topic that was last published to: a batch is often to one. */
  #topic = "";
  #toTopic = 0;
  #inAll = 0;
  #kept: Kept[] = [];
  #deliveries = 0;
  #characters = 0;
  #isFlushing = false;

  /** @param publishToAll publishes to every subscriber of a topic */
  constructor(
    publishToAll: (topic: string, frame: string) => void,
    turns = NODE_TURNS,
    bounds = KEPT_BOUNDS,
  ) {
    this.#publishToAll = publishToAll;
    this.#turns = turns;
    this.#bounds = bounds;
  }

  /** More should not be published in this turn: it would take long to send. */
  get isFull(): boolean {
    return this.#isPast(1);
  }

  /** To all subscribers of the topic, `receivers` of them, without `sender`. */
  publish(
    topic: string,
    frame: string,
    receivers: number,
    sender: PublishingSocket | undefined,
  ): void {
    if (topic !== this.#topic) this.#turnTo(topic);
    // npm run bench:overload: 23,000 requests a second of a core instead of 2,100.
    if (this.#kept.length > 0 || this.#areManyInTurn()) {
      this.#keep({ topic, frame, sender }, receivers);
      return;
    }
    this.#toTopic += 1;
    this.#inAll += 1;
    this.#pass(topic, frame, sender);
  }

  /** Publishes what is kept. */
  flush(): void {
    if (this.#kept.length === 0 || this.#isFlushing) return;
    this.#isFlushing = true;
    let passed = 0;
    try {
      // What is published meanwhile is added behind.
      for (const { topic, frame, sender } of this.#kept) {
        passed += 1;
        this.#pass(topic, frame, sender);
      }
    } finally {
      this.#isFlushing = false;
      // Empty, unless the library threw.
      this.#kept = this.#kept.slice(passed);
      this.#deliveries = 0;
      this.#characters = 0;
    }
  }

  #keep(kept: Kept, receivers: number): void {
    if (this.#kept.length === 0) this.#turns.later(() => this.#endTurn());
    this.#kept.push(kept);
    this.#deliveries += receivers;
    this.#characters += kept.frame.length;
    if (this.#isPast(2)) this.flush();
  }

  #turnTo(topic: string): void {
    this.#byTopic.set(this.#topic, this.#toTopic);
    this.#topic = topic;
    this.#toTopic = this.#byTopic.get(topic) ?? 0;
  }

  #areManyInTurn(): boolean {
    if (this.#toTopic < LOOK_AFTER && this.#inAll < LOOK_AFTER_IN_ALL) return false;
    const turn = this.#turns.number();
    if (turn === this.#turn) return true;
    this.#turn = turn;
    this.#countAnew();
    return false;
  }

  #countAnew(): void {
    this.#byTopic.clear();
    this.#toTopic = 0;
    this.#inAll = 0;
  }

  #endTurn(): void {
    try {
      this.flush();
    } finally {
      this.#countAnew();
      // What is behind a message that the library refused still comes, in its order.
      if (this.#kept.length > 0) this.#turns.later(() => this.#endTurn());
    }
  }

  #isPast(times: number): boolean {
    return (
      this.#deliveries > this.#bounds.deliveries * times ||
      this.#characters > this.#bounds.characters * times
    );
  }

  #pass(topic: string, frame: string, sender: PublishingSocket | undefined): void {
    if (sender?.ws === undefined) this.#publishToAll(topic, frame);
    else sender.ws.publish(topic, frame);
  }
}
