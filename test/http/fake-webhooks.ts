/** What operators may ask, answered from lists in memory: one step at a time, as the drivers do. */
import type {
  EndpointStatus,
  FoundEvent,
  StepResult,
  Wanted,
  WebhookOperations,
} from "../../src/webhooks/operations.ts";
import type { DeadLetter, OutboxEvent } from "../../src/webhooks/outbox.ts";

export interface FakeWebhooks {
  readonly operations: WebhookOperations;
  readonly statuses: EndpointStatus[];
  readonly waiting: OutboxEvent[];
  readonly letters: DeadLetter[];
  /** Every change that was asked for: its name and arguments. */
  readonly asked: unknown[][];
  /** What the next changes are refused with. */
  refusal: string | undefined;
}

export function fakeWebhooks(): FakeWebhooks {
  const statuses: EndpointStatus[] = [];
  const waiting: OutboxEvent[] = [];
  const letters: DeadLetter[] = [];
  const asked: unknown[][] = [];

  function page(wanted: Wanted, { cursor, limit }: { cursor: string | undefined; limit: number }) {
    const from = Number(cursor?.split(":")[1] ?? 0);
    const found = letters.slice(from, from + limit).filter((letter) => isWanted(letter, wanted));
    const next = from + limit < letters.length ? `dead:${from + limit}:` : undefined;
    return { letters: found, next };
  }
  function change(name: string, ...args: unknown[]): StepResult | { refused: string } {
    asked.push([name, ...args]);
    if (fake.refusal !== undefined) return { refused: fake.refusal };
    return { changed: 2, next: name === "replay" ? "dead:3:" : undefined };
  }
  const fake: FakeWebhooks = {
    statuses,
    waiting,
    letters,
    asked,
    refusal: undefined,
    operations: {
      status: async () => statuses,
      deadLetters: async (_of, wanted, step) => page(wanted, step),
      async standing(_of, type, channel) {
        const isMeant = (event: OutboxEvent) => event.type === type && event.channel === channel;
        const own = waiting.filter(isMeant);
        const dead = letters.filter(({ event }) => isMeant(event));
        return {
          waiting: { found: own.length, isComplete: waiting.length < 1_000, oldest: own[0] },
          dead: { found: dead.length, latest: dead.at(-1) },
        };
      },
      async find(_of, id): Promise<FoundEvent | undefined> {
        const letter = letters.find(({ event }) => event.id === id);
        if (letter !== undefined) return { place: "dead", letter };
        const event = waiting.find((one) => one.id === id);
        return event && { place: "waiting", event, failing: undefined };
      },
      replay: async (of, wanted, step) => change("replay", of.endpointId, wanted, step),
      async drop(of, wanted, step) {
        asked.push(["drop", of.endpointId, wanted, step]);
        return { changed: 2, next: undefined };
      },
      dropBacklog: async (of, step) => change("dropBacklog", of.endpointId, step),
      move: async (of, to, step) => change("move", of.endpointId, to, step),
      async pause(of) {
        asked.push(["pause", of.endpointId]);
        return fake.refusal === undefined ? undefined : { refused: fake.refusal };
      },
      resume: async (of) => void asked.push(["resume", of.endpointId]),
      async retry(of) {
        asked.push(["retry", of.endpointId]);
        return undefined;
      },
    },
  };
  return fake;
}

function isWanted({ event, reason }: DeadLetter, wanted: Wanted): boolean {
  return (
    wanted.ids?.has(event.id) !== false &&
    (wanted.channel === undefined || event.channel === wanted.channel) &&
    (wanted.type === undefined || event.type === wanted.type) &&
    (wanted.reason === undefined || reason === wanted.reason)
  );
}

export function outboxEvent(id: string, changes: Partial<OutboxEvent> = {}): OutboxEvent {
  const json = '{"name":"channel_occupied","channel":"room"}';
  return {
    id,
    appId: "3",
    channel: "room",
    type: "channel_occupied",
    json,
    bytes: json.length,
    decidedMs: 1_000,
    retriedFromMs: 1_000,
    ...changes,
  };
}

export function status(endpointId: string, changes: Partial<EndpointStatus> = {}): EndpointStatus {
  return {
    appId: "3",
    endpointId,
    configured: "enabled",
    pause: undefined,
    failing: undefined,
    backlog: 0,
    oldestMs: undefined,
    deadLetters: 0,
    ...changes,
  };
}
