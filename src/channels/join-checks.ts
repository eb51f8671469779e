/** Whether a connection may join a channel, and as which member. Pure: nothing is recorded here. Source: protocol.md §2.1–§2.3. */
import type { Connection, SignedInUser } from "../connections/connection.ts";
import { type ChannelKind, channelKind, channelNameProblem } from "../protocol/channel-name.ts";
import { CLOSE_CODES, type CloseCode } from "../protocol/close-code.ts";
import type { SubscribeCommand } from "../protocol/command.ts";
import type { SubscriptionFailure } from "../protocol/frame.ts";
import { MAX_USER_ID_LENGTH, type PresenceMember, readChannelData } from "../protocol/presence.ts";
import { subscriptionContent } from "../protocol/signature.ts";
import { authProblem } from "./auth.ts";
import type { RefusalReason } from "./refusals.ts";

/** The connection may join. `member` is set exactly where the kind has members. */
export interface Admission {
  readonly kind: ChannelKind;
  readonly member: PresenceMember | undefined;
}

/** It may not: what is counted, the code of `pusher:error`, and what the channel's handlers get (§2.5). */
export interface JoinRefusal {
  readonly reason: RefusalReason;
  readonly code: CloseCode | null;
  readonly failure: SubscriptionFailure;
}

export function checkJoin(
  connection: Connection,
  command: SubscribeCommand,
  maxChannelsPerConnection: number,
): Admission | JoinRefusal {
  const { channel, auth, channelData } = command;
  const { maxChannelNameLength } = connection.app.settings.limits;
  const nameProblem = channelNameProblem(channel, maxChannelNameLength);
  if (nameProblem !== undefined) {
    const type = channel.length > maxChannelNameLength ? "LimitReached" : undefined;
    const failure = { type, error: nameProblem, status: 4009 } as const;
    return { reason: "channel_name", code: null, failure };
  }
  const kind = channelKind(channel);
  if (kind.needsAuth) {
    const content = subscriptionContent(connection.socketId, channel, channelData);
    const problem = authProblem(connection.app, auth, content);
    if (problem !== undefined) return unauthorized(problem);
  }
  const member = kind.hasMembers ? memberOf(connection, channelData) : undefined;
  if (member !== undefined && "failure" in member) return member;
  if ((connection.subscriptions?.size ?? 0) >= maxChannelsPerConnection) {
    const error = `This connection is in ${maxChannelsPerConnection} channels, as many as are allowed.`;
    const failure = { type: "LimitReached", error, status: 4100 } as const;
    return { reason: "channels_per_connection", code: null, failure };
  }
  return { kind, member };
}

export function unauthorized(error: string): JoinRefusal {
  const failure = { type: "AuthError", error, status: 401 } as const;
  return { reason: "auth", code: CLOSE_CODES.unauthorized, failure };
}

/** The member that the connection will be: from `channelData` if it came, else the signed-in user (§2.3). */
function memberOf(
  connection: Connection,
  channelData: string | undefined,
): PresenceMember | JoinRefusal {
  const member =
    channelData === undefined ? signedInMember(connection.user) : readChannelData(channelData);
  if (member === undefined) {
    return unauthorized(
      "A presence channel needs channel_data with a user_id, or a connection that has signed in.",
    );
  }
  if (typeof member === "string") {
    const failure = { type: "AuthError", error: member, status: 401 } as const;
    return { reason: "presence_data", code: null, failure };
  }
  const size = Buffer.byteLength(member.userInfoJson);
  const { maxPresenceMemberBytes } = connection.app.settings.limits;
  if (size <= maxPresenceMemberBytes) return member;
  const error = `user_info has ${size} bytes, ${maxPresenceMemberBytes} are allowed.`;
  const failure = { type: "LimitReached", error, status: 4301 } as const;
  return { reason: "presence_data", code: null, failure };
}

/** The member that a signed-in user is, or why it can be none; undefined without a user. */
function signedInMember(user: SignedInUser | undefined): PresenceMember | string | undefined {
  if (user === undefined) return undefined;
  const { id, userInfoJson } = user;
  if (id.length <= MAX_USER_ID_LENGTH) return { userId: id, userInfoJson };
  return `The id of the signed-in user has ${id.length} characters, ${MAX_USER_ID_LENGTH} are allowed here.`;
}
