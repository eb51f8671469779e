/** The signed `user_data` of a sign-in. Source: protocol.md §4.1, §4.3. */
import { readFields } from "./command.ts";
import { MAX_JSON_DEPTH } from "./json-depth.ts";
import { encodeUserInfo, isWellFormedId } from "./presence.ts";

/** Longest id of a signed-in user: the server libraries allow no more. */
export const MAX_SIGNED_IN_USER_ID_LENGTH = 200;

/** How many users one connection may watch; the first so many are kept. */
export const MAX_WATCHLIST_LENGTH = 100;

export interface UserData {
  readonly id: string;
  readonly userInfoJson: string;
  /** Distinct ids, at most {@link MAX_WATCHLIST_LENGTH}. */
  readonly watchlist: readonly string[];
  /** How many ids the client had listed. */
  readonly watchlistLength: number;
}

/** The user in `userData` (a JSON string), or what is wrong with it. */
export function readUserData(userData: string): UserData | string {
  const fields = readFields(userData);
  if (fields === undefined) return "user_data must be a JSON object with an id.";
  const { id, user_info: userInfo } = fields;
  const watchlist = fields.watchlist ?? [];
  if (typeof id !== "string" || id === "") {
    return "user_data needs id, a non-empty string (a number is refused: clients discard it).";
  }
  if (!isWellFormedId(id)) return "id in user_data has half of a surrogate pair.";
  if (id.length > MAX_SIGNED_IN_USER_ID_LENGTH) {
    return `id in user_data has ${id.length} characters, ${MAX_SIGNED_IN_USER_ID_LENGTH} are allowed.`;
  }
  const userInfoJson = encodeUserInfo(userInfo);
  if (userInfoJson === undefined) {
    return `user_info in user_data is nested deeper than ${MAX_JSON_DEPTH} levels.`;
  }
  if (!Array.isArray(watchlist)) return "watchlist in user_data must be an array of user ids.";
  const kept = watchlist.slice(0, MAX_WATCHLIST_LENGTH);
  if (!kept.every((id) => typeof id === "string" && id !== "" && isWellFormedId(id))) {
    return "watchlist in user_data must hold non-empty strings only, without half a surrogate pair.";
  }
  return {
    id,
    userInfoJson,
    watchlist: [...new Set<string>(kept)],
    watchlistLength: watchlist.length,
  };
}
