/**
 * The adapter of a node among others: messages go through Redis to the nodes that hear their topic, and to
 * none else. Source: architecture.md §4.
 *
 * A node delivers its own messages itself and drops their echo: an `event` once Redis has it, so that a
 * refused one has reached nobody, a `client_event` at once, since its sender's neighbours can have it also
 * when Redis is away.
 */
import type { RedisBus } from "../redis/bus.ts";
import type { Keys } from "../redis/keys.ts";
import { decodeFrameMessage, encodeFrameMessage } from "../redis/message.ts";
import { RedisUnavailableError } from "../redis/redis-unavailable.ts";
import {
  type Adapter,
  AdapterUnavailableError,
  type DeliverLocally,
  type MessageKind,
} from "./adapter.ts";

export interface RedisAdapterParts {
  readonly bus: RedisBus;
  readonly keys: Keys;
  /** This node's name in its messages, unlike any other's: ASCII, at most 64 characters. */
  readonly nodeId: string;
  readonly deliver: DeliverLocally;
}

export interface RedisAdapter extends Adapter {
  readonly counters: Readonly<RedisAdapterCounters>;
}

export interface RedisAdapterCounters {
  /** Messages of other nodes that were delivered here. */
  delivered: number;
  /** This node's own messages that came back. */
  echoes: number;
  /** Messages whose lengths do not fit. */
  malformed: number;
  /** Client events that other nodes have not got. */
  clientEventFailures: number;
  /** Events and terminations that were refused. */
  publishFailures: number;
  subscribeFailures: number;
}

/** Before `connect` of the connections: it is told what comes on the bus from then on. */
export function createRedisAdapter({
  bus,
  keys,
  nodeId,
  deliver,
}: RedisAdapterParts): RedisAdapter {
  const counters: RedisAdapterCounters = {
    delivered: 0,
    echoes: 0,
    malformed: 0,
    clientEventFailures: 0,
    publishFailures: 0,
    subscribeFailures: 0,
  };
  /** What is heard for the rooms above; a promise while Redis has not acknowledged it. */
  const held = new Map<string, Promise<void> | undefined>();
  for (const kind of ["event", "client_event", "terminate"] as const) {
    bus.on(kind, (topic, bytes) => receive(kind, topic, bytes));
  }

  function receive(kind: MessageKind, topic: string, bytes: Buffer): void {
    const message = decodeFrameMessage(kind, bytes);
    if (message === undefined) {
      counters.malformed += 1;
    } else if (message.origin === nodeId) {
      counters.echoes += 1;
    } else {
      counters.delivered += 1;
      deliver(kind, keys.subject(topic), message.frame, message.except);
    }
  }

  /** `<app>:<channel>`, as rooms above name it, to the topic on the bus. */
  function busTopic(topic: string): string {
    const colon = topic.indexOf(":");
    return keys.topic(topic.slice(0, colon), topic.slice(colon + 1));
  }

  /** The bus counts references, and this room has one at most for each topic. */
  function subscribe(topic: string): void | Promise<void> {
    if (held.has(topic)) {
      const asked = held.get(topic);
      return asked !== undefined || bus.isHeard(busTopic(topic)) ? asked : hearAgain(topic);
    }
    const asked = hear(topic).then(
      () => {
        if (held.get(topic) === asked) held.set(topic, undefined);
      },
      (error: unknown) => {
        if (held.get(topic) === asked) held.delete(topic);
        throw error;
      },
    );
    held.set(topic, asked);
    return asked;
  }

  /** It was heard and is not just now: whoever comes meanwhile must not be told that nothing can be missed. */
  async function hearAgain(topic: string): Promise<void> {
    await hear(topic);
    bus.unsubscribe(busTopic(topic));
  }

  async function hear(topic: string): Promise<void> {
    try {
      await bus.subscribe(busTopic(topic));
    } catch (error) {
      counters.subscribeFailures += 1;
      throw unavailable(error);
    }
  }

  function unsubscribe(topic: string): void {
    if (!held.has(topic)) return;
    const asked = held.get(topic);
    held.delete(topic);
    const leave = (): void => bus.unsubscribe(busTopic(topic));
    if (asked === undefined) leave();
    else asked.then(leave, () => {}); // whoever subscribed is told; nothing was heard
  }

  /** Everywhere or nowhere, as far as that can be known. */
  async function publishAll(
    kind: "event" | "terminate",
    topic: string,
    frame: string,
    except: string | undefined,
  ): Promise<void> {
    try {
      await bus.publish(busTopic(topic), encodeFrameMessage(kind, nodeId, frame, except));
    } catch (error) {
      counters.publishFailures += 1;
      // Connections here must close, whatever becomes of those elsewhere.
      if (kind === "terminate") deliver(kind, topic, frame, except);
      throw unavailable(error);
    }
    deliver(kind, topic, frame, except);
  }

  function publishClientEvent(topic: string, frame: string, except: string | undefined): void {
    deliver("client_event", topic, frame, except);
    bus
      .publish(busTopic(topic), encodeFrameMessage("client_event", nodeId, frame, except))
      .catch((error: unknown) => {
        if (!(error instanceof RedisUnavailableError)) throw error;
        counters.clientEventFailures += 1;
      });
  }

  return {
    driver: "redis",
    subscribe,
    unsubscribe,
    publish(kind, topic, frame, except) {
      if (kind !== "client_event") return publishAll(kind, topic, frame, except);
      publishClientEvent(topic, frame, except);
    },
    canPublish: (topic) => bus.canPublish(busTopic(topic)),
    async close() {},
    counters,
  };
}

function unavailable(error: unknown): unknown {
  if (!(error instanceof RedisUnavailableError)) return error;
  return new AdapterUnavailableError(error.message, { cause: error });
}
