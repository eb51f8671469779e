/** Does what operators ask of an app's webhooks: see operations.ts. Source: architecture.md §5. */
import type { WebhookEndpoint } from "../apps/app.ts";
import { type DispatchContext, errorCode } from "./context.ts";
import type { Delivery } from "./delivery.ts";
import { partitionOfEventId } from "./event-id.ts";
import { standingOf } from "./event-standing.ts";
import type {
  EndpointName,
  EndpointStatus,
  Pause,
  Refused,
  StepResult,
  WebhookOperations,
} from "./operations.ts";
import type { DeadLetter } from "./outbox.ts";
import type { StoredPause } from "./outbox-controls.ts";
import type { EndpointBacklog } from "./outbox-desk.ts";
import { holdsUrl } from "./pauses.ts";
import { readCursor, type StepEnd, walkLanes, walkLetters, writeCursor } from "./steps.ts";

/** Where a move goes on once nothing waits any more. */
const DEAD_FROM_START = { box: "dead", partition: 0, after: "" } as const;

export function createOperations(context: DispatchContext, delivery: Delivery): WebhookOperations {
  const { apps, outbox, log, now } = context;
  const { desk, controls } = outbox;

  async function webhooksOf(appId: string): Promise<readonly WebhookEndpoint[]> {
    return (await apps.byId(appId))?.settings.webhooks ?? [];
  }

  /** As it is configured here and now; undefined: it is not. Why that cannot be told, in words. */
  async function lookUp({ appId, endpointId }: EndpointName) {
    try {
      return (await webhooksOf(appId)).find(({ id }) => id === endpointId);
    } catch (error) {
      // Whatever failed: what cannot be judged is not done.
      log.warn({ app_id: appId, reason: errorCode(error) }, "app of webhook operation not found");
      return "The app cannot be looked up now.";
    }
  }

  /** Why nobody would be meant. */
  async function absence(of: EndpointName): Promise<Refused | undefined> {
    const found = await lookUp(of);
    if (typeof found === "string") return { refused: found };
    if (found !== undefined) return undefined;
    return { refused: `The app has no endpoint ${JSON.stringify(of.endpointId)}.` };
  }

  /** Why nothing that waits for it may be taken away. */
  async function use(of: EndpointName): Promise<Refused | undefined> {
    const found = await lookUp(of);
    if (typeof found === "string") return { refused: found };
    if (found?.enabled !== true) return undefined;
    const name = JSON.stringify(of.endpointId);
    return { refused: `The endpoint ${name} is in use: remove it or set enabled to false first.` };
  }

  /** Why nothing is sent to it. */
  async function silence(of: EndpointName): Promise<Refused | undefined> {
    const found = await lookUp(of);
    if (typeof found === "string") return { refused: found };
    const name = JSON.stringify(of.endpointId);
    if (found === undefined) {
      return { refused: `The endpoint ${name} is not configured: nothing is sent to it.` };
    }
    if (!found.enabled) {
      return { refused: `The endpoint ${name} has enabled: false: nothing is sent to it.` };
    }
    const pause = (await controls.pauses()).get(`${of.appId}:${of.endpointId}`);
    if (pause === undefined || !holdsUrl(pause, found.url)) return undefined;
    return { refused: `The endpoint ${name} is paused: resume it.` };
  }

  function countersOf({ appId, endpointId }: EndpointName) {
    return delivery.endpoint(appId, endpointId).counters;
  }

  function noteDropped(of: EndpointName, events: number): void {
    if (events === 0) return;
    const fields = { app_id: of.appId, endpoint: of.endpointId, events };
    log.warn(fields, "webhook events dropped by an operator");
  }

  return {
    async status(appId) {
      const [webhooks, backlogs, pauses] = await Promise.all([
        webhooksOf(appId),
        desk.backlogs(appId),
        controls.pauses(),
      ]);
      const byId = new Map(backlogs.map((each) => [each.endpointId, each]));
      const known = new Map(webhooks.map((each) => [each.id, each]));
      return [...new Set([...known.keys(), ...byId.keys()])].toSorted().map((endpointId) => {
        const webhook = known.get(endpointId);
        const pause = pauses.get(`${appId}:${endpointId}`);
        return statusOf({ appId, endpointId }, webhook, byId.get(endpointId), pause);
      });
    },
    async deadLetters(of, wanted, step) {
      const letters: DeadLetter[] = [];
      const { next } = await walkLetters(desk, of, wanted, step, (_lane, portion) => {
        letters.push(...portion.map(({ letter }) => letter));
        return { changed: 0, isFull: false };
      });
      return { letters, next };
    },
    async find({ appId, endpointId }, eventId) {
      const partition = partitionOfEventId(eventId);
      if (!(partition < desk.partitions)) return undefined;
      return desk.find({ partition, appId, endpointId }, eventId);
    },
    standing: (of, type, channel) => standingOf(desk, of, type, channel),
    async replay(of, wanted, step) {
      const problem = await absence(of);
      if (problem) return problem;
      const end = await walkLetters(desk, of, wanted, step, desk.replay);
      countersOf(of).replayed += end.changed;
      return result(end, of.endpointId);
    },
    async drop(of, wanted, step) {
      const { changed, next } = await walkLetters(
        desk,
        of,
        wanted,
        step,
        async (lane, letters) => ({
          changed: await desk.drop(lane, "dead", letters),
          isFull: false,
        }),
      );
      noteDropped(of, changed);
      return { changed, next };
    },
    async dropBacklog(of, step) {
      const problem = await use(of);
      if (problem) return problem;
      const { changed, next } = await walkLanes(desk, of, step, async (lane, events) => ({
        changed: await desk.drop(lane, "waiting", events),
        isFull: false,
      }));
      noteDropped(of, changed);
      return { changed, next };
    },
    async move(of, to, step) {
      if (to === of.endpointId) return { refused: "The events are that endpoint's already." };
      const problem = (await use(of)) ?? (await absence({ appId: of.appId, endpointId: to }));
      if (problem) return problem;
      // What waits goes first: the dead letters of the target are then the younger ones.
      if (readCursor(step.cursor, "waiting").box === "waiting") {
        const end = await walkLanes(desk, of, step, (lane, events) =>
          desk.move(lane, "waiting", to, events),
        );
        return result({ ...end, next: end.next ?? writeCursor(DEAD_FROM_START) }, to);
      }
      const end = await walkLetters(desk, of, {}, step, (lane, letters) =>
        desk.move(lane, "dead", to, letters),
      );
      return result(end, to);
    },
    async pause(of) {
      const problem = await absence(of);
      if (problem) return problem;
      await controls.pause(of, { reason: "operator", sinceMs: now(), urlHash: undefined });
      await delivery.refreshPauses();
      const fields = { app_id: of.appId, endpoint: of.endpointId };
      log.warn(fields, "webhook endpoint paused by an operator");
      return undefined;
    },
    async resume(of) {
      const { appId, endpointId } = of;
      if (!(await controls.pauses()).has(`${appId}:${endpointId}`)) return;
      // Before anything is sent: the first failure would else find the old one.
      await outbox.renew(appId, endpointId);
      await controls.resume(of);
      await delivery.refreshPauses();
      log.info({ app_id: appId, endpoint: endpointId }, "webhook endpoint resumed");
    },
    async retry(of) {
      const problem = await silence(of);
      if (problem) return problem;
      await controls.retry(of);
      return undefined;
    },
  };
}

function statusOf(
  name: EndpointName,
  webhook: WebhookEndpoint | undefined,
  backlog: EndpointBacklog | undefined,
  pause: StoredPause | undefined,
): EndpointStatus {
  const isPaused = pause !== undefined && (webhook === undefined || holdsUrl(pause, webhook.url));
  return {
    ...name,
    configured: webhook === undefined ? "removed" : webhook.enabled ? "enabled" : "disabled",
    pause: isPaused ? pauseOf(pause) : undefined,
    failing: backlog?.failing,
    backlog: backlog?.events ?? 0,
    oldestMs: backlog?.oldestMs,
    deadLetters: backlog?.deadLetters ?? 0,
  };
}

function pauseOf({ reason, sinceMs }: StoredPause): Pause {
  return { reason, sinceMs };
}

/** What had no room is refused once nothing of a step has any: the caller would else go on for ever. */
function result({ changed, isFull, next }: StepEnd, endpointId: string): StepResult | Refused {
  if (!isFull || changed > 0) return { changed, next };
  const name = JSON.stringify(endpointId);
  return {
    refused: `The endpoint ${name} has no room for more: webhooks.max_queued_events or webhooks.max_dead_letters is reached. The rest stays where it is.`,
  };
}
