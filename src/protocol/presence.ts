/** Members of presence channels, and the `channel_data` that they join with. Source: protocol.md §2.3. */

/** A user in a presence channel, however many connections the user has there. */
export interface PresenceMember {
  /** Always a string, also where the client signed a number: it is the identity everywhere. */
  readonly userId: string;
  /** JSON; `{}` for a member without info, since clients read fields of it. */
  readonly userInfoJson: string;
}

/** A presence channel's members: user id to user info as JSON, in order of arrival. */
export type PresenceMembers = ReadonlyMap<string, string>;
