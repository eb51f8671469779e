/**
 * What operators tell all dispatchers of a deployment, and which endpoints are paused. Pauses outlive every node
 * where events do. Source: architecture.md §5, Failure.
 */
import type { EndpointName, Pause } from "./operations.ts";
import type { LaneKey } from "./outbox.ts";

export interface StoredPause extends Pause {
  /** Of the url that answered 410: another one ends the pause. Undefined for one of an operator. */
  readonly urlHash: string | undefined;
}

/** What a dispatcher is told. Each must only take note, and may be called more often than needed. */
export interface ControlListener {
  /** Pauses have begun or ended: they are to be read again. */
  pausesChanged(): void;
  /** The endpoint is to be tried at once. */
  retry(of: EndpointName): void;
  /** Events came into the lane, or left it, and not by this dispatcher: what is known of its head is worthless. */
  touched(lane: LaneKey): void;
}

/**
 * Each call that changes something tells the listeners of all nodes within a second; who hears nothing finds
 * pauses by reading them every 2 s. Rejects with OutboxUnavailableError.
 */
export interface OutboxControls {
  /** Before anything is claimed. */
  listen(listener: ControlListener): void;
  /** By `<app>:<endpoint>`. */
  pauses(): ReadonlyMap<string, StoredPause> | Promise<ReadonlyMap<string, StoredPause>>;
  /** Takes the place of one that is there; only one of an operator is not replaced by a 410. */
  pause(of: EndpointName, pause: StoredPause): void | Promise<void>;
  /** Ends the pause, or only if it is still `expected`. Nothing happens without one. */
  resume(of: EndpointName, expected?: StoredPause): void | Promise<void>;
  retry(of: EndpointName): void | Promise<void>;
}

export function isSamePause(a: StoredPause | undefined, b: StoredPause | undefined): boolean {
  return a?.reason === b?.reason && a?.sinceMs === b?.sinceMs && a?.urlHash === b?.urlHash;
}
