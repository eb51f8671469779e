/** The room's face: builds the dispatcher from its parts and answers what operators ask. Source: architecture.md §5. */
import type { Apps } from "../apps/app.ts";
import type { Log } from "../protocol/log.ts";
import { type DispatchContext, errorCode, LOOK_EVERY_MS, type OnDelivered } from "./context.ts";
import { createOperations } from "./create-operations.ts";
import { createDelivery } from "./delivery.ts";
import { configuredEndpoints, type EndpointReport, reportOf } from "./endpoint-report.ts";
import { createHttpTarget } from "./http-target.ts";
import { createLossLog } from "./loss-log.ts";
import type { WebhookOperations } from "./operations.ts";
import type { Backlog, DeadLetter } from "./outbox.ts";
import { createRouter, type Router } from "./router.ts";
import type { WebhookSettings } from "./settings.ts";
import type { Target } from "./target.ts";
import { type After, type Now, after as realAfter, within } from "./timer.ts";
import type { WholeOutbox } from "./whole-outbox.ts";

export interface WebhooksParts {
  readonly apps: Apps;
  readonly outbox: WholeOutbox;
  readonly settings: WebhookSettings;
  readonly now: Now;
  /** 0 ≤ x < 1: the jitter of backoffs. */
  readonly random: () => number;
  readonly log: Log;
  /** Pipit's, for the User-Agent. */
  readonly version: string;
  readonly onDelivered?: OnDelivered;
  /** How batches leave. @default over HTTP */
  readonly target?: Target;
  /** @default setTimeout */
  readonly after?: After;
}

/** What waits before it belongs to an endpoint, and what was lost there. */
export interface QueueReport {
  readonly unrouted: number;
  readonly held: number;
  /** Events dropped from a full stream or holding lane. */
  readonly dropped: number;
}

/** Events that a stop leaves behind. `endpointId` undefined: not assigned to any endpoint yet. */
export interface Undelivered {
  readonly appId: string | undefined;
  readonly endpointId: string | undefined;
  readonly events: number;
  readonly deadLetters: number;
}

export interface Webhooks {
  /** Begins to route and deliver; rejects when the outbox cannot be reached. */
  start(): Promise<void>;
  /**
   * Routes what was decided, tries for at most `deadlineMs` to deliver all that waits, without batching windows
   * and long backoffs, then stops. Close the channel state before: it appends its pending leaves. Answers what
   * the stop leaves behind, which is also logged. 0 stops at once. What outlives the process is left to other
   * nodes: then it is only waited for what is under way. Repeatable.
   */
  close(deadlineMs: number): Promise<readonly Undelivered[]>;
  endpoints(): Promise<readonly EndpointReport[]>;
  queues(): Promise<QueueReport>;
  /** Oldest first. @default offset 0, limit 100 */
  deadLetters(
    appId: string,
    endpointId: string,
    offset?: number,
    limit?: number,
  ): Promise<readonly DeadLetter[]>;
  /** What operators may ask, once it has started. */
  readonly operations: WebhookOperations;
}

/**
 * The least time, in ms, to give back what other nodes would else wait for until the leases end. What a durable
 * outbox does not answer by then ends when its connections are closed, and is done again by other nodes.
 */
const LEAST_LEAVE_MS = 500;

export function createWebhooks(parts: WebhooksParts): Webhooks {
  const { apps, outbox, now, log } = parts;
  const context: DispatchContext = {
    ...parts,
    target: parts.target ?? createHttpTarget({ now, rules: parts.settings.targets }),
    after: parts.after ?? realAfter,
    losses: createLossLog(log, now),
    onDelivered: parts.onDelivered ?? (() => {}),
  };
  const delivery = createDelivery(context, (partition) => router.lost(partition));
  const router: Router = createRouter(context, delivery, look);
  let isStarted = false;
  let closing: Promise<readonly Undelivered[]> | undefined;

  /** Tries endpoints that could not be sent to, and forgets those that are gone with nothing left. */
  async function look(): Promise<void> {
    const configured = configuredEndpoints(apps);
    const { endpoints } = await outbox.backlogs();
    const kept = new Set(endpoints.map(({ appId, endpointId }) => `${appId}:${endpointId}`));
    for (const endpoint of delivery.endpoints()) {
      const name = `${endpoint.appId}:${endpoint.id}`;
      // What keeps them may have been edited away.
      if (endpoint.obstacle !== undefined || endpoint.pause !== undefined) {
        delivery.pump(endpoint);
      }
      const isBusy = endpoint.flying > 0 || endpoint.queue.length > 0 || endpoint.isPumping;
      if (!isBusy && !configured.has(name) && !kept.has(name)) delivery.forget(endpoint);
    }
  }

  async function stop(deadlineMs: number): Promise<readonly Undelivered[]> {
    const startedMs = now();
    if (isStarted && deadlineMs > 0) await within(deadlineMs, lastWork(), context.after);
    if (outbox.isDurable) {
      const leftMs = Math.max(LEAST_LEAVE_MS, startedMs + deadlineMs - now());
      await within(leftMs, endWork(), context.after);
    } else await endWork();
    await context.target.close();
    const rest = outbox.isDurable ? [] : await undelivered();
    for (const { appId, endpointId, events, deadLetters } of rest) {
      log.error(
        { app_id: appId, endpoint: endpointId, events, dead_letters: deadLetters },
        "webhook events left behind",
      );
    }
    await outbox.close();
    return rest;
  }

  async function endWork(): Promise<void> {
    await delivery.stop();
    await router.stop();
  }

  async function lastWork(): Promise<void> {
    if (outbox.isDurable) return router.handOver();
    await router.finish();
    delivery.hurry();
    await delivery.drained();
  }

  async function undelivered(): Promise<Undelivered[]> {
    const { unrouted, held, endpoints } = await outbox.backlogs();
    const rest: Undelivered[] = endpoints
      .filter(({ events, deadLetters }) => events > 0 || deadLetters > 0)
      .map(({ appId, endpointId, events, deadLetters }) => {
        return { appId, endpointId, events, deadLetters };
      });
    const unassigned = unrouted + held;
    if (unassigned > 0) {
      rest.push({ appId: undefined, endpointId: undefined, events: unassigned, deadLetters: 0 });
    }
    return rest;
  }

  return {
    async start() {
      isStarted = true;
      outbox.controls.listen({
        pausesChanged() {
          delivery.refreshPauses().catch((error: unknown) => {
            // The next look reads them.
            log.warn({ reason: errorCode(error) }, "webhook pauses could not be read");
          });
        },
        retry: delivery.retry,
        touched: router.touched,
      });
      await router.start();
      log.info({ driver: outbox.driver, look_every_ms: LOOK_EVERY_MS }, "webhooks started");
    },
    close(deadlineMs) {
      closing ??= stop(deadlineMs);
      return closing;
    },
    async endpoints() {
      const backlogs = new Map<string, Backlog>();
      for (const backlog of (await outbox.backlogs()).endpoints) {
        backlogs.set(`${backlog.appId}:${backlog.endpointId}`, backlog);
        delivery.endpoint(backlog.appId, backlog.endpointId);
      }
      const configured = configuredEndpoints(apps);
      for (const { appId, endpointId } of configured.values()) {
        delivery.endpoint(appId, endpointId);
      }
      return [...delivery.endpoints()].map((endpoint) => {
        const name = `${endpoint.appId}:${endpoint.id}`;
        return reportOf(endpoint, configured.get(name), backlogs.get(name), now());
      });
    },
    async queues() {
      const { unrouted, held, overrun } = await outbox.backlogs();
      return { unrouted, held, dropped: overrun + router.counters.heldDropped };
    },
    async deadLetters(appId, endpointId, offset = 0, limit = 100) {
      return outbox.deadLetters(appId, endpointId, offset, limit);
    },
    operations: createOperations(context, delivery),
  };
}
