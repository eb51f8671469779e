/** Members of presence channels, and the `channel_data` that they join with. Source: protocol.md §2.3. */
import { readFields } from "./command.ts";
import { isDeeperThan, MAX_JSON_DEPTH } from "./json-depth.ts";
import { insideJsonString } from "./json-string.ts";

/** Longest user id, in characters. */
export const MAX_USER_ID_LENGTH = 128;

/** A user in a presence channel, however many connections the user has there. */
export interface PresenceMember {
  /** Always a string, also where the client signed a number: it is the identity everywhere. */
  readonly userId: string;
  /** JSON; `{}` for a member without info, since clients read fields of it. */
  readonly userInfoJson: string;
}

/** A presence channel's members: user id to user info as JSON, in order of arrival. */
export type PresenceMembers = ReadonlyMap<string, string>;

/** The same as the list of a joiner needs it: user id to {@link listEntry}, in order of arrival. */
export type PresenceList = ReadonlyMap<string, string>;

/**
 * A member in the hash of the list, `"<id>":<info>`, as it stands inside a JSON string. Made when the member comes,
 * in 0.3 µs, and kept instead of the info: a list of 51 takes 3.0 µs and not 8.0, one of 1,000 takes 50 and not 155.
 */
export function listEntry(userId: string, userInfoJson: string): string {
  return insideJsonString(`${JSON.stringify(userId)}:${userInfoJson}`);
}

/** Members of whom the list entries are kept: a map of its own. */
export function membersOf(list: PresenceList): PresenceMembers {
  const members = new Map<string, string>();
  for (const [userId, entry] of list) {
    const text = JSON.parse(`"${entry}"`) as string;
    members.set(userId, text.slice(JSON.stringify(userId).length + 1));
  }
  return members;
}

/** Half of a UTF-16 pair: it cannot be written as UTF-8, so it would come back from elsewhere as another id. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Whether an id is the same after a way through UTF-8. */
export function isWellFormedId(id: string): boolean {
  return !LONE_SURROGATE.test(id);
}

/** The member that `channelData` (a JSON string) introduces, or what is wrong with it. */
export function readChannelData(channelData: string): PresenceMember | string {
  const fields = readFields(channelData);
  if (fields === undefined) return "channel_data must be a JSON object with a user_id.";
  const { user_id: userId, user_info: userInfo } = fields;
  if (typeof userId !== "string" && !(typeof userId === "number" && Number.isFinite(userId))) {
    return "channel_data needs user_id, a string or a number.";
  }
  const id = String(userId);
  if (id === "") return "user_id in channel_data is empty.";
  if (!isWellFormedId(id)) return "user_id in channel_data has half of a surrogate pair.";
  if (id.length > MAX_USER_ID_LENGTH) {
    return `user_id in channel_data has ${id.length} characters, ${MAX_USER_ID_LENGTH} are allowed.`;
  }
  const userInfoJson = encodeUserInfo(userInfo);
  if (userInfoJson === undefined) {
    return `user_info in channel_data is nested deeper than ${MAX_JSON_DEPTH} levels.`;
  }
  return { userId: id, userInfoJson };
}

/** User info as JSON, `{}` when there is none, undefined when it is nested too deeply to be written again. */
export function encodeUserInfo(userInfo: unknown): string | undefined {
  if (userInfo === undefined || userInfo === null) return "{}";
  return isDeeperThan(userInfo) ? undefined : JSON.stringify(userInfo);
}
