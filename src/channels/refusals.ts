/** How refusals reach the client and the app's counters. Source: protocol.md §1.5, §2.5. */
import type { Connection } from "../connections/connection.ts";
import type { CloseCode } from "../protocol/close-code.ts";
import { errorFrame, type SubscriptionFailure, subscriptionErrorFrame } from "../protocol/frame.ts";
import type { Log } from "../protocol/log.ts";

/** Why something was refused: a closed set, since it is a label of a metric. */
export type RefusalReason =
  | "bad_frame"
  | "binary_frame"
  | "unknown_event"
  | "bad_command"
  | "command_rate"
  | "auth"
  | "channel_name"
  | "channels_per_connection"
  | "duplicate_subscribe"
  | "not_subscribed"
  | "presence_data"
  | "presence_full"
  | "sign_in"
  | "watchlist_too_long"
  | "client_events_disabled"
  | "client_event_name"
  | "client_event_channel"
  | "client_event_not_subscribed"
  | "client_event_size"
  | "client_event_depth"
  | "client_event_rate"
  | "unavailable";

export interface Refusals {
  /** Answers with `pusher:error` and leaves the connection as it is. */
  refuse(
    connection: Connection,
    reason: RefusalReason,
    code: CloseCode | null,
    message: string,
  ): void;
  /** Answers a subscribe: `pusher:subscription_error` on the channel, then `pusher:error` (§2.5). */
  refuseSubscription(
    connection: Connection,
    channel: string,
    reason: RefusalReason,
    code: CloseCode | null,
    failure: SubscriptionFailure,
  ): void;
}

export function createRefusals(log: Log): Refusals {
  function refuse(
    connection: Connection,
    reason: RefusalReason,
    code: CloseCode | null,
    message: string,
  ): void {
    const { refusals } = connection.app.traffic;
    refusals.set(reason, (refusals.get(reason) ?? 0) + 1);
    log.debug(
      { app_id: connection.app.id, socket_id: connection.socketId, reason, code },
      "refused",
    );
    connection.socket.send(errorFrame({ code, message }));
  }

  return {
    refuse,
    refuseSubscription(connection, channel, reason, code, failure) {
      if (!connection.app.settings.features.strict) {
        connection.socket.send(subscriptionErrorFrame(JSON.stringify(channel), failure));
      }
      refuse(connection, reason, code, failure.error);
    },
  };
}
