/**
 * Publishes to topics, in portions that the library sends cheaply.
 *
 * What is published in a turn of the event loop waits in uWebSockets.js, and at the end of the turn a subscriber gets it
 * with one system call. But it takes at most {@link MAX_WAITING} messages for a subscriber. One more, and those are sent
 * at once; in the callbacks of another socket or request, which has the library's only cork, by a system call for each
 * message. So after so many messages the rest of the turn's are kept here and published after the callbacks.
 */

/** Messages that uWebSockets.js keeps for a subscriber: the next one has them sent early. */
export const MAX_WAITING = 32;

/** What may be kept, in characters of frames: past it, it is published at once. */
const MAX_KEPT_CHARACTERS = 33_554_432;

/** A socket that publishes to all subscribers but itself. */
export interface PublishingSocket {
  /** Undefined once it is closed. */
  readonly ws: { publish(topic: string, frame: string): unknown } | undefined;
}

interface Kept {
  readonly topic: string;
  readonly frame: string;
  readonly except: PublishingSocket | undefined;
}

/**
 * All that a socket sends, joins or leaves has to come behind what was published before: whoever does that calls
 * {@link TopicPublisher.flush} first.
 */
export class TopicPublisher {
  readonly #publishToAll: (topic: string, frame: string) => void;
  readonly #later: (task: () => void) => void;
  readonly #maxKeptCharacters: number;
  /** Messages since the library last had a turn's end: as many as wait in it for a subscriber, or more. */
  #published = 0;
  #kept: Kept[] = [];
  #keptCharacters = 0;
  #isFlushing = false;

  /**
   * @param publishToAll publishes to every subscriber of a topic
   * @param later calls a task once, after the library's callbacks of this turn
   */
  constructor(
    publishToAll: (topic: string, frame: string) => void,
    later: (task: () => void) => void = setImmediate,
    maxKeptCharacters = MAX_KEPT_CHARACTERS,
  ) {
    this.#publishToAll = publishToAll;
    this.#later = later;
    this.#maxKeptCharacters = maxKeptCharacters;
  }

  /** To every subscriber of the topic, or to all but `except`. */
  publish(topic: string, frame: string, except: PublishingSocket | undefined): void {
    this.#published += 1;
    // With batches of ten to a channel of ten one core carries 12 times as many (npm run bench:overload).
    if (this.#published > MAX_WAITING) this.#keep({ topic, frame, except });
    else this.#pass(topic, frame, except);
  }

  /** Publishes what is kept. */
  flush(): void {
    if (this.#kept.length === 0 || this.#isFlushing) return;
    this.#isFlushing = true;
    // What is published meanwhile is added behind.
    try {
      for (const { topic, frame, except } of this.#kept) this.#pass(topic, frame, except);
    } finally {
      this.#isFlushing = false;
      this.#kept = [];
      this.#keptCharacters = 0;
    }
  }

  #keep(kept: Kept): void {
    if (this.#published === MAX_WAITING + 1) this.#later(() => this.#endTurn());
    this.#kept.push(kept);
    this.#keptCharacters += kept.frame.length;
    if (this.#keptCharacters > this.#maxKeptCharacters) this.flush();
  }

  #endTurn(): void {
    this.flush();
    this.#published = 0;
  }

  #pass(topic: string, frame: string, except: PublishingSocket | undefined): void {
    if (except?.ws === undefined) this.#publishToAll(topic, frame);
    else except.ws.publish(topic, frame);
  }
}
