/**
 * Publishes to topics, in portions that the library sends cheaply.
 *
 * What is published in a turn of the event loop waits in uWebSockets.js, and at the end of the turn a subscriber gets it
 * with one system call. But it takes at most {@link MAX_WAITING} messages for a subscriber. One more, and those are sent
 * at once; in the callbacks of another socket or request, which has the library's only cork, by a system call for each
 * message. So after so many messages to a topic the rest of the turn's are kept here and published after the callbacks.
 */

/** Messages that uWebSockets.js keeps for a subscriber: the next one has them sent early. */
const MAX_WAITING = 32;
/** To all topics of a turn: a subscriber may be in several. To keep a message costs 0.15 µs, so not from the 33rd on. */
const MAX_WAITING_IN_ALL = 512;
/** From as many on, to a topic or to all, the turn's end is waited for: before it is seen, several turns count as one. */
const WATCHED = 0.5;

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
  readonly #later: (task: () => void) => void;
  readonly #bounds: KeptBounds;
  /** Messages by topic since a turn's end was last seen, but those to {@link #topic}: as many as wait, or more. */
  readonly #byTopic = new Map<string, number>();
  /** The topic that was last published to: a batch is often to one. */
  #topic = "";
  #toTopic = 0;
  #inAll = 0;
  #isEndAwaited = false;
  #kept: Kept[] = [];
  #deliveries = 0;
  #characters = 0;
  #isFlushing = false;

  /**
   * @param publishToAll publishes to every subscriber of a topic
   * @param later calls a task once, after the library's callbacks of this turn
   */
  constructor(
    publishToAll: (topic: string, frame: string) => void,
    later: (task: () => void) => void = setImmediate,
    bounds = KEPT_BOUNDS,
  ) {
    this.#publishToAll = publishToAll;
    this.#later = later;
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
    this.#toTopic += 1;
    this.#inAll += 1;
    if (this.#toTopic >= MAX_WAITING * WATCHED || this.#inAll >= MAX_WAITING_IN_ALL * WATCHED) {
      this.#awaitEnd();
    }
    // npm run bench:overload: 27,000 requests a second of a core instead of 2,100.
    const isKept =
      this.#kept.length > 0 || this.#toTopic > MAX_WAITING || this.#inAll > MAX_WAITING_IN_ALL;
    if (isKept) this.#keep({ topic, frame, sender }, receivers);
    else this.#pass(topic, frame, sender);
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

  #awaitEnd(): void {
    if (this.#isEndAwaited) return;
    this.#isEndAwaited = true;
    this.#later(() => this.#endTurn());
  }

  #endTurn(): void {
    this.#isEndAwaited = false;
    try {
      this.flush();
    } finally {
      this.#byTopic.clear();
      this.#toTopic = 0;
      this.#inAll = 0;
      // What is behind a message that the library refused still comes, in its order.
      if (this.#kept.length > 0) this.#awaitEnd();
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
