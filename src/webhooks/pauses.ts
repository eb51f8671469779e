/**
 * What this node knows of paused endpoints. The outbox keeps pauses for the whole deployment; here they stand at
 * the endpoints, so that sending asks nobody. Source: architecture.md §5, Failure.
 */
import { createHash } from "node:crypto";
import { type DispatchContext, errorCode } from "./context.ts";
import type { Endpoint } from "./lanes.ts";
import { isSamePause, type StoredPause } from "./outbox-controls.ts";

export interface Pauses {
  /** Reads them. Nothing of a partition may be sent that was claimed and not followed by this. */
  refresh(): Promise<void>;
  /** The endpoint is new here. */
  adopt(endpoint: Endpoint): void;
  /** The url has answered 410: nothing more is sent to it, by any node. */
  gone(endpoint: Endpoint, url: string): void;
  /** Whether nothing may be sent to this url. Another url ends a pause, and the retry budget begins anew. */
  holds(endpoint: Endpoint, url: string): Promise<boolean>;
  /** The endpoint took a batch. */
  accepted(endpoint: Endpoint): void;
}

/** `onEnded` is told of endpoints that may be sent to again. */
export function createPauses(
  { outbox, log, now }: DispatchContext,
  endpoints: ReadonlyMap<string, Endpoint>,
  onEnded: (endpoint: Endpoint) => void,
): Pauses {
  const { controls } = outbox;
  let known: ReadonlyMap<string, StoredPause> = new Map();
  /** Those that the outbox has not taken yet. */
  const unsaved = new Map<Endpoint, StoredPause>();
  /** Grows with each pause of this node, so that a read notices what it may not have seen. */
  let changes = 0;
  let isSaving = false;

  function apply(endpoint: Endpoint): void {
    if (unsaved.has(endpoint)) return;
    const stored = known.get(`${endpoint.appId}:${endpoint.id}`);
    const hasEnded = stored !== undefined && isSamePause(stored, endpoint.endedPause);
    const before = endpoint.pause;
    endpoint.pause = hasEnded ? undefined : stored;
    if (!hasEnded) endpoint.endedPause = undefined;
    if (before !== undefined && endpoint.pause === undefined) onEnded(endpoint);
  }

  /** Once at a time: a pause that is saved makes the listener read them. */
  async function save(): Promise<void> {
    if (isSaving) return;
    isSaving = true;
    try {
      for (const [endpoint, pause] of unsaved) {
        await controls.pause({ appId: endpoint.appId, endpointId: endpoint.id }, pause);
        unsaved.delete(endpoint);
        changes += 1;
      }
    } finally {
      isSaving = false;
    }
  }

  function noteFailure(error: unknown): void {
    log.warn({ reason: errorCode(error) }, "webhook pause could not be recorded");
  }

  return {
    async refresh() {
      await save();
      let before: number;
      do {
        before = changes;
        known = await controls.pauses();
      } while (before !== changes);
      for (const endpoint of endpoints.values()) apply(endpoint);
    },
    adopt: apply,
    gone(endpoint, url) {
      if (endpoint.pause !== undefined) return;
      const pause: StoredPause = { reason: "gone", sinceMs: now(), urlHash: hashOf(url) };
      endpoint.pause = pause;
      unsaved.set(endpoint, pause);
      changes += 1;
      log.error(
        { app_id: endpoint.appId, endpoint: endpoint.id },
        "webhook endpoint paused because it answered 410",
      );
      // Once more with every look until it is done: this node is paused meanwhile.
      save().catch(noteFailure);
    },
    async holds(endpoint, url) {
      const { appId, id, pause } = endpoint;
      if (pause === undefined) return false;
      if (holdsUrl(pause, url)) return true;
      await outbox.renew(appId, id);
      if (endpoint.pause !== pause) return endpoint.pause !== undefined;
      endpoint.pause = undefined;
      endpoint.endedPause = pause;
      unsaved.delete(endpoint);
      onEnded(endpoint);
      return false;
    },
    accepted(endpoint) {
      const { appId, id, endedPause } = endpoint;
      if (endedPause === undefined) return;
      const ended = async () => controls.resume({ appId, endpointId: id }, endedPause);
      ended().catch(noteFailure);
    },
  };
}

export function holdsUrl({ urlHash }: StoredPause, url: string): boolean {
  return urlHash === undefined || urlHash === hashOf(url);
}

/** The url may hold a token: only its hash is kept. */
function hashOf(url: string): string {
  return createHash("sha256").update(url).digest("hex").slice(0, 32);
}
