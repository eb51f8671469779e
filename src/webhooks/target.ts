/** How a signed batch leaves. One small interface, so that another kind of receiver needs no other change. */
import type { EndpointTls } from "../apps/app.ts";

/** One try of a delivery, ready to go. */
export interface Attempt {
  /** Which endpoint it is for: connections are shared within an endpoint, never between two. */
  readonly endpoint: string;
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly timeoutMs: number;
  /** Connections that may be open to the endpoint. */
  readonly concurrency: number;
  /** Of an https endpoint that is not satisfied with what every one gets. */
  readonly tls: EndpointTls | undefined;
}

/** How an attempt ended: with an answer, or without and why. `reason` is a short word for the log. */
export type Answer =
  | { readonly kind: "answered"; readonly status: number; readonly retryAfter: string | undefined }
  | {
      readonly kind: "timeout" | "connection" | "refused_target";
      readonly reason: string;
    };

export interface Target {
  /**
   * Sends the body once, follows no redirect, and waits for the whole answer. Never rejects. When `signal` is
   * aborted it gives up at once, as by a lost connection.
   */
  send(attempt: Attempt, signal: AbortSignal): Promise<Answer>;
  /** Lets go of what is kept for an endpoint that is no more. */
  forget(endpoint: string): void;
  close(): Promise<void>;
}
