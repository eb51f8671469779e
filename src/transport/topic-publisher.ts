/**
 * Publishes to topics, in portions that the library sends cheaply.
 *
 * What is published in a turn of the event loop waits in uWebSockets.js, and at the end of the turn a subscriber gets it
 * with one system call. But it takes at most {@link MAX_WAITING} messages for a subscriber. One more, and those are sent
 * at once; in the callbacks of another socket or request, which has the library's only cork, by a system call for each
 * message. So after so many messages the rest of the turn's are kept here and published after the callbacks.
 */

/** Messages that uWebSockets.js keeps for a subscriber: the next one has them sent early. */
const MAX_WAITING = 32;

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
  /** Messages since something was last kept and published: as many as wait in the library for a subscriber, or more. */
  #published = 0;
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
    this.#published += 1;
    // npm run bench:overload: 27,000 requests a second of a core instead of 2,100.
    if (this.#published > MAX_WAITING) this.#keep({ topic, frame, sender }, receivers);
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
    if (this.#published === MAX_WAITING + 1) this.#later(() => this.#endTurn());
    this.#kept.push(kept);
    this.#deliveries += receivers;
    this.#characters += kept.frame.length;
    if (this.#isPast(2)) this.flush();
  }

  #endTurn(): void {
    try {
      this.flush();
    } finally {
      this.#published = 0;
      if (this.#kept.length > 0) this.#keepOn();
    }
  }

  /** What is behind a message that the library refused still comes, in its order. */
  #keepOn(): void {
    this.#published = MAX_WAITING + 1;
    this.#later(() => this.#endTurn());
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
