/** `GET webhooks/snapshot`: what webhooks have told so far, a partition a page. Source: protocol.md §6.12. */
import type { App } from "../apps/app.ts";
import type { ChannelState } from "../channel-state/channel-state.ts";
import { MAX_SNAPSHOT_ENTRIES } from "../channel-state/snapshot.ts";
import type { ApiQuery } from "../protocol/api-query.ts";
import { channelKind } from "../protocol/channel-name.ts";
import { errorReply, okReply, quoted, type Reply } from "./reply.ts";
import { type Maybe, whenReady } from "./when-ready.ts";

export interface SnapshotParts {
  readonly state: Pick<ChannelState, "snapshot">;
}

const PARTITION = /^(?:0|[1-9]\d{0,4})$/;

/** A cursor is the number of a partition: the first page needs none. */
export function readSnapshot({ state }: SnapshotParts, app: App, query: ApiQuery): Maybe<Reply> {
  const cursor = query.cursor ?? "0";
  if (!PARTITION.test(cursor)) return cursorReply(cursor);
  const partition = Number(cursor);
  const prefix = query.filterByPrefix ?? "";
  return whenReady(state.snapshot(app.id, partition, prefix), (snapshot) => {
    if (snapshot === "no partition") return cursorReply(cursor);
    if (snapshot === "too many") {
      return errorReply(
        413,
        `Partition ${cursor} has more than ${MAX_SNAPSHOT_ENTRIES} channels, members, users and leaves: ask for fewer with filter_by_prefix.`,
      );
    }
    const { revision, isLast } = snapshot;
    const channels: string[] = [];
    for (const [channel, users] of snapshot.channels) {
      const about = channelKind(channel).hasMembers ? { users: [...users] } : {};
      channels.push(`${JSON.stringify(channel)}:${JSON.stringify(about)}`);
    }
    const users = JSON.stringify([...snapshot.users]);
    const next = isLast ? "null" : `"${partition + 1}"`;
    return okReply(
      `{"partition":${partition},"revision":"${revision}","channels":{${channels.join(",")}},"users":${users},"next":${next}}`,
    );
  });
}

function cursorReply(cursor: string): Reply {
  return errorReply(
    400,
    `"cursor" is ${quoted(cursor)}, the "next" of the page before is needed, or no cursor.`,
  );
}
