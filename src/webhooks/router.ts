/**
 * Turns due leaves into events and moves events from each partition's stream into the lanes of the endpoints
 * that want them. One turn at a time per partition. Source: architecture.md §5, Sweep and Route.
 */
import type { App } from "../apps/app.ts";
import { isWebhookEventType } from "../protocol/webhook-event.ts";
import { type DispatchContext, errorCode, LOOK_EVERY_MS } from "./context.ts";
import type { Delivery } from "./delivery.ts";
import type { Loss, OutboxEvent, Route } from "./outbox.ts";
import { createRouteChoice } from "./route-choice.ts";

/** Events that are read and moved in one go. */
const EVENTS_PER_ROUND = 200;

export interface Router {
  /** Takes note that the partition has work; the work is done in a later turn. */
  wake(partition: number): void;
  /** Claims the partitions and begins to look at them. */
  start(): Promise<void>;
  /** The partition turned out to belong to another node. */
  lost(partition: number): void;
  /** Gives every partition a last turn; resolves when all have had it. */
  finish(): Promise<void>;
  /** Starts nothing more, waits for turns under way and gives the partitions back. */
  stop(): Promise<void>;
  readonly counters: {
    /** Events dropped from holding lanes of unknown apps: lost. */
    readonly heldDropped: number;
  };
}

interface Partition {
  readonly number: number;
  isMine: boolean;
  needsTurn: boolean;
  turn: Promise<void> | undefined;
  cancelSweep: (() => void) | undefined;
}

/** `look` is called with every look at all partitions. */
export function createRouter(
  context: DispatchContext,
  delivery: Delivery,
  look: () => Promise<void>,
): Router {
  const { outbox, settings, now, after, log, losses } = context;
  const choice = createRouteChoice(context);
  const partitions = Array.from({ length: outbox.partitions }, (_, number): Partition => {
    return { number, isMine: false, needsTurn: false, turn: undefined, cancelSweep: undefined };
  });
  const counters = { heldDropped: 0 };
  let isRunning = false;
  let isFailing = false;
  let cancelLook: (() => void) | undefined;
  let looking: Promise<void> | undefined;
  let cancelDrain: (() => void) | undefined;

  function wake(number: number): void {
    const partition = partitions[number];
    if (!partition || !isRunning) return;
    partition.needsTurn = true;
    // A tick later: what one tick appends is routed together, and nobody is called back while appending.
    cancelDrain ??= after(0, () => {
      cancelDrain = undefined;
      for (const each of partitions) if (each.needsTurn) takeTurn(each);
    });
  }

  function takeTurn(partition: Partition): void {
    if (partition.turn || !partition.isMine || !isRunning) return;
    partition.turn = turns(partition)
      .then(() => {
        if (isFailing) log.info({}, "webhook outbox works again");
        isFailing = false;
      })
      .catch((error: unknown) => {
        // What was not moved is still there; the next look tries again.
        partition.needsTurn = false;
        const fields = { partition: partition.number, reason: errorCode(error) };
        if (!isFailing) log.error(fields, "webhook outbox failed");
        isFailing = true;
      })
      .finally(() => {
        partition.turn = undefined;
        if (partition.needsTurn) takeTurn(partition);
      });
  }

  async function turns(partition: Partition): Promise<void> {
    while (partition.needsTurn && partition.isMine && isRunning) {
      partition.needsTurn = false;
      const dueMs = await outbox.sweep(partition.number);
      partition.cancelSweep?.();
      partition.cancelSweep =
        dueMs === undefined || !isRunning
          ? undefined
          : after(Math.max(0, dueMs - now()), () => wake(partition.number));
      for (const appId of await outbox.heldApps(partition.number)) {
        await drain(partition, appId, new Set());
      }
      await drain(partition, undefined, new Set(await outbox.heldApps(partition.number)));
    }
  }

  /** Routes what is in the stream, or in an app's holding lane, until nothing is left or nothing can be routed. */
  async function drain(
    partition: Partition,
    heldApp: string | undefined,
    mustHold: Set<string>,
  ): Promise<void> {
    for (;;) {
      const events = await outbox.read(partition.number, heldApp, EVENTS_PER_ROUND);
      const chosen = await choice.choose(events, mustHold);
      const stopAt = heldApp === undefined ? -1 : chosen.routes.findIndex((r) => !r.endpointIds);
      const routes = stopAt === -1 ? chosen.routes : chosen.routes.slice(0, stopAt);
      if (routes.length === 0) return;
      const result = await outbox.route(partition.number, heldApp, routes, delivery.underWay);
      if (result === "lost") return lost(partition.number);
      for (const loss of result.losses) book(loss);
      announce(partition.number, events.slice(0, routes.length), routes, chosen.apps);
      if (heldApp !== undefined && result.left === 0) choice.released(heldApp);
      if (result.left === 0 || stopAt !== -1) return;
    }
  }

  /** Tells the delivery what came into which lane, and counts it. */
  function announce(
    partition: number,
    events: readonly OutboxEvent[],
    routes: readonly Route[],
    known: ReadonlyMap<string, App | undefined>,
  ): void {
    const counts = new Map<string, { appId: string; endpointId: string; count: number }>();
    events.forEach(({ appId, type }, at) => {
      for (const endpointId of routes[at]?.endpointIds ?? []) {
        const { counters: endpoint } = delivery.endpoint(appId, endpointId);
        if (isWebhookEventType(type)) endpoint.routed[type] += 1;
        const name = `${appId}:${endpointId}`;
        const lane = counts.get(name) ?? { appId, endpointId, count: 0 };
        lane.count += 1;
        counts.set(name, lane);
      }
    });
    const { enabled, windowMs } = settings.batching;
    for (const { appId, endpointId, count } of counts.values()) {
      const batches = enabled && known.get(appId)?.settings.batchWebhooks === true;
      delivery.routed({ partition, appId, endpointId }, count, batches ? windowMs : 0);
    }
  }

  function book({ partition, appId, endpointId, buried, dropped }: Loss): void {
    // Without any buried, they were dead letters that were too old.
    const reason = buried === 0 && endpointId !== undefined ? "age" : "overflow";
    losses.note(appId, endpointId, reason, buried, dropped);
    if (endpointId === undefined) {
      counters.heldDropped += dropped;
      return;
    }
    const { counters: endpoint } = delivery.endpoint(appId, endpointId);
    endpoint.dead += buried;
    endpoint.dropped += dropped;
    if (buried > 0) delivery.pushedOut({ partition, appId, endpointId });
  }

  function lost(number: number): void {
    const partition = partitions[number];
    if (!partition?.isMine) return;
    partition.isMine = false;
    partition.cancelSweep?.();
    delivery.forgetPartition(number);
    log.info({ partition: number }, "webhook partition lost");
  }

  async function claim(partition: Partition): Promise<void> {
    const { number } = partition;
    const result = await outbox.claim(number);
    if (result === "lost") return lost(number);
    if (result === "new") {
      delivery.forgetPartition(number);
      for (const lane of await outbox.lanes(number)) delivery.routed(lane, 0, 0);
    }
    partition.isMine = true;
    partition.needsTurn = true;
    takeTurn(partition);
  }

  async function lookAtAll(): Promise<void> {
    await Promise.all(partitions.map(claim));
    for (const loss of await outbox.expireDeadLetters()) book(loss);
    losses.flush(false);
    await look();
  }

  function lookLater(): void {
    if (!isRunning) return;
    cancelLook = after(LOOK_EVERY_MS, () => {
      looking = lookAtAll()
        .catch((error: unknown) => log.warn({ reason: errorCode(error) }, "webhook look failed"))
        .finally(lookLater);
    });
  }

  return {
    counters,
    wake,
    async start() {
      isRunning = true;
      await outbox.listen(wake);
      await lookAtAll();
      lookLater();
    },
    lost,
    async finish() {
      for (const partition of partitions) {
        partition.needsTurn = true;
        takeTurn(partition);
      }
      while (partitions.some(({ turn }) => turn !== undefined)) {
        await Promise.all(partitions.map(({ turn }) => turn));
      }
    },
    async stop() {
      isRunning = false;
      cancelLook?.();
      cancelDrain?.();
      for (const partition of partitions) partition.cancelSweep?.();
      await looking;
      await Promise.all(partitions.map((partition) => partition.turn));
      losses.flush(true);
      for (const { number, isMine } of partitions) if (isMine) await outbox.release(number);
    },
  };
}
