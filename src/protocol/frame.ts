/**
 * Builders of every frame that the server sends. Source: protocol.md, table under the golden rules.
 *
 * Frames are joined from parts that are JSON already. A parameter named `…Json` is such a part; any other
 * is encoded here. `data` is a JSON *string* for whatever belongs to a channel, an object for
 * `pusher:error` and `pusher:signin_success`.
 */
import { insideJsonString } from "./json-string.ts";
import type { PresenceList, PresenceMember } from "./presence.ts";

/** `activityTimeoutS` is in seconds and must not be 0, or pusher-js fails the handshake (§1.3). */
export function connectionEstablishedFrame(socketId: string, activityTimeoutS: number): string {
  return `{"event":"pusher:connection_established","data":"{\\"socket_id\\":\\"${socketId}\\",\\"activity_timeout\\":${activityTimeoutS}}"}`;
}

export const PONG_FRAME = '{"event":"pusher:pong","data":"{}"}';

/** The error frame for a refusal; `code` null tells that nothing was closed (§1.5). */
export function errorFrame({ code, message }: { code: number | null; message: string }): string {
  return `{"event":"pusher:error","data":{"code":${code},"message":${JSON.stringify(message)}}}`;
}

/** A finished event frame, built once for all subscribers. */
export function eventFrame(eventJson: string, channelJson: string, dataJson: string): string {
  return `{"event":${eventJson},"channel":${channelJson},"data":${dataJson}}`;
}

/** A client event on its way to the others; `userId` only on presence channels, from the server's record (§3). */
export function clientEventFrame(
  eventJson: string,
  channelJson: string,
  dataJson: string,
  userId: string | undefined,
): string {
  return userId === undefined
    ? eventFrame(eventJson, channelJson, dataJson)
    : `{"event":${eventJson},"channel":${channelJson},"data":${dataJson},"user_id":${JSON.stringify(userId)}}`;
}

export function subscriptionSucceededFrame(channelJson: string): string {
  return eventFrame('"pusher_internal:subscription_succeeded"', channelJson, '"{}"');
}

/** `members` includes the subscriber itself, since pusher-js looks itself up in the hash (§2.4). */
export function presenceSucceededFrame(channelJson: string, members: PresenceList): string {
  const ids = insideJsonString(JSON.stringify([...members.keys()]));
  const hash = [...members.values()].join(",");
  return eventFrame(
    '"pusher_internal:subscription_succeeded"',
    channelJson,
    `"{\\"presence\\":{\\"ids\\":${ids},\\"hash\\":{${hash}},\\"count\\":${members.size}}}"`,
  );
}

export function memberAddedFrame(channelJson: string, member: PresenceMember): string {
  const data = `{"user_id":${JSON.stringify(member.userId)},"user_info":${member.userInfoJson}}`;
  return eventFrame('"pusher_internal:member_added"', channelJson, JSON.stringify(data));
}

export function memberRemovedFrame(channelJson: string, userId: string): string {
  const data = `{"user_id":${JSON.stringify(userId)}}`;
  return eventFrame('"pusher_internal:member_removed"', channelJson, JSON.stringify(data));
}

export function subscriptionCountFrame(channelJson: string, count: number): string {
  const data = `"{\\"subscription_count\\":${count}}"`;
  return eventFrame('"pusher_internal:subscription_count"', channelJson, data);
}

export function cacheMissFrame(channelJson: string): string {
  return eventFrame('"pusher:cache_miss"', channelJson, '"{}"');
}

/** Why a subscription failed, in the form that pusher-js and laravel-echo hand to bound handlers (§2.5). */
export interface SubscriptionFailure {
  readonly type: "AuthError" | "LimitReached" | "ServerError" | undefined;
  readonly error: string;
  readonly status: number;
}

export function subscriptionErrorFrame(channelJson: string, failure: SubscriptionFailure): string {
  return eventFrame('"pusher:subscription_error"', channelJson, JSON.stringify(failure));
}

/** `userData` is echoed as received, to the byte: pusher-js parses it again (§4.1). */
export function signInSuccessFrame(userData: string): string {
  return `{"event":"pusher:signin_success","data":{"user_data":${JSON.stringify(userData)}}}`;
}

/** Who of a watchlist is online and who is not. An empty group is left out; both empty gives undefined (§4.3). */
export function watchlistFrame(
  online: readonly string[],
  offline: readonly string[],
): string | undefined {
  const events: { name: string; user_ids: readonly string[] }[] = [];
  if (online.length > 0) events.push({ name: "online", user_ids: online });
  if (offline.length > 0) events.push({ name: "offline", user_ids: offline });
  if (events.length === 0) return undefined;
  return `{"event":"pusher_internal:watchlist_events","data":${JSON.stringify(JSON.stringify({ events }))}}`;
}
