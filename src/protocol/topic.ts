/**
 * Topics: the names under which messages travel, one for each channel of each app and one for each
 * signed-in user. App ids contain no colon (the config schema refuses them), so topics are unambiguous.
 */

/** Begins the one kind of channel name that the server keeps for itself (protocol.md §4.2). */
export const USER_CHANNEL_PREFIX = "#server-to-user-";

export function channelTopic(appId: string, channel: string): string {
  return `${appId}:${channel}`;
}

/** What every node with a connection signed in as the user hears. */
export function userTopic(appId: string, userId: string): string {
  return `${appId}:${USER_CHANNEL_PREFIX}${userId}`;
}
