/** What carries messages between nodes. Source: architecture.md §4. */

/**
 * What a message is: `event` goes to the sockets that hear its topic and must be refused when it cannot reach
 * every node; `client_event` too, but sockets here get it also when others cannot, and it never rejects (a
 * failure is counted); `terminate` closes every connection
 * signed in as the user of its topic. A byte on the wire between nodes; a receiver counts and drops kinds
 * that it does not know.
 */
export type MessageKind = "event" | "client_event" | "terminate";

/**
 * Carries finished frames to every node that has a subscriber of their topic: at most once, in order per sender.
 * A driver that has nothing to wait for returns nothing, and callers await only promises: one node pays no microtask.
 */
export interface Adapter {
  /** For people: `memory`, `redis`. */
  readonly driver: string;
  /** Starts hearing `topic`: done once no later message can be missed. Repeatable. Rejects with AdapterUnavailableError. */
  subscribe(topic: string): void | Promise<void>;
  /** Stops hearing `topic`. Never fails: an unheard message costs nothing but bandwidth. */
  unsubscribe(topic: string): void;
  /**
   * Hands over a message (`frame`: finished text, empty for `terminate`) for all subscribers but the socket
   * `except`. Rejects with AdapterUnavailableError before anything is delivered.
   */
  publish(kind: MessageKind, topic: string, frame: string, except?: string): void | Promise<void>;
  /**
   * Whether a message on `topic` can be sent just now, as far as is known without trying: whoever sends several
   * asks for each before the first, so that all are refused together. Absent where nothing can be away.
   */
  canPublish?(topic: string): boolean;
  close(): Promise<void>;
}

/** What an adapter calls, on every node, for each message: the way back out without importing a room above. */
export type DeliverLocally = (
  kind: MessageKind,
  topic: string,
  frame: string,
  except?: string,
) => void;

/** Other nodes cannot be reached. Nothing was delivered; the caller may try again. */
export class AdapterUnavailableError extends Error {
  override readonly name = "AdapterUnavailableError";
  readonly code = "PIPIT_ADAPTER_UNAVAILABLE";
}
