/** Messages between nodes through Redis: who hears what, and what is sent. Source: architecture.md §4. */
import type { BusKind } from "./message.ts";

/** `bytes`: the whole message, header included (see message.ts). Must not throw. */
export type MessageHandler = (topic: string, bytes: Buffer) => void;

/**
 * Carries messages at most once, in order per sender and topic, to every node that hears their topic. Topics
 * are those of keys.ts. Several rooms may hear one topic: references are counted.
 */
export interface RedisBus {
  /** What a script calls so that its message arrives: sharded on Redis Cluster. */
  readonly publishCommand: "PUBLISH" | "SPUBLISH";
  /**
   * Adds a reference to `topic`: done once no later message can be missed. Rejects with RedisUnavailableError,
   * and then holds no reference, when Redis has not acknowledged it in `subscribeTimeoutMs`.
   */
  subscribe(topic: string): Promise<void>;
  /** Whether every message on a topic that is referenced is heard just now: not while a connection is being made anew. */
  isHeard(topic: string): boolean;
  /** Takes one reference away. The topic is heard for 2 s more, in case somebody returns. Never fails. */
  unsubscribe(topic: string): void;
  /** Done once Redis has it. Rejects with RedisUnavailableError, at the latest after `publishTimeoutMs`. */
  publish(topic: string, bytes: Buffer): Promise<void>;
  /**
   * Whether {@link publish} can reach the topic's server just now, as far as is known without asking it. One
   * that begins to hang is found out by the first call that it does not answer.
   */
  canPublish(topic: string): boolean;
  /** One handler per kind: it gets the messages of every heard topic. Before `connect`. */
  on(kind: BusKind, handler: MessageHandler): void;
  /**
   * Called when topics are heard again after a time in which messages may have been missed, once Redis has
   * acknowledged them all: whoever keeps a copy of something must read it again.
   */
  onResubscribed(listener: (topics: readonly string[]) => void): void;
  readonly counters: Readonly<BusCounters>;
  /** Topics that this node has asked for, those that linger among them. */
  readonly topics: number;
}

export interface BusCounters {
  published: number;
  /** Publishes that were rejected. */
  publishFailures: number;
  received: number;
  /** Messages of a version or kind that this node does not know. */
  unknownMessages: number;
  /** Messages on topics that only linger. */
  unheardMessages: number;
  subscribeFailures: number;
  /** How often topics had to be heard again. */
  resubscriptions: number;
  /** Connections that looked alive and were not. */
  probeFailures: number;
}
