/** Members of presence channels, and the `channel_data` that they join with. Source: protocol.md §2.3. */
import { readFields } from "./command.ts";
import { isDeeperThan, MAX_JSON_DEPTH } from "./json-depth.ts";

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
