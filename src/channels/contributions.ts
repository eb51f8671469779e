/** What this node has in a channel, told to the channel state as it changes: so many subscriptions, these members. */
import type { AddMemberResult, ChannelState } from "../channel-state/channel-state.ts";
import type { LocalChannel } from "../connections/local-channel.ts";
import type { PresenceMember } from "../protocol/presence.ts";

export interface Contributions {
  /** One subscription more or less. */
  count(local: LocalChannel, change: 1 | -1): void;
  /** One more subscription of the user: counted at once, whatever is decided. */
  addMember(
    local: LocalChannel,
    member: PresenceMember,
    maxMembers: number,
  ): AddMemberResult | Promise<AddMemberResult>;
  /** One subscription of the user less: with the last one the member leaves. */
  removeMember(local: LocalChannel, userId: string): void;
}

export function createContributions(state: ChannelState): Contributions {
  function count(local: LocalChannel, change: 1 | -1): void {
    local.subscribers += change;
    const isAnnounced = local.app.settings.features.subscriptionCount && !local.kind.hasMembers;
    state.setSubscriptions(local.app.id, local.name, local.subscribers, isAnnounced);
  }

  return {
    count,
    addMember(local, member, maxMembers) {
      local.users.set(member.userId, (local.users.get(member.userId) ?? 0) + 1);
      count(local, 1);
      return state.addMember(local.app.id, local.name, member, maxMembers);
    },
    removeMember(local, userId) {
      const left = (local.users.get(userId) ?? 0) - 1;
      if (left > 0) {
        local.users.set(userId, left);
        return;
      }
      local.users.delete(userId);
      state.removeMember(local.app.id, local.name, userId);
    },
  };
}
