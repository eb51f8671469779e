/** A channel state that takes its time. Announcements come when the delayed operation takes effect. */
import type { ChannelState } from "../../src/channel-state/channel-state.ts";
import type { DelayedCalls } from "./delayed-calls.ts";

/**
 * Operations on one channel, and on the users of one app, take effect in the order of the calls. `members` is
 * the inner state's own and changes with the announcements. Sweep the inner state.
 */
export function createDelayedChannelState(state: ChannelState, calls: DelayedCalls): ChannelState {
  const channelKey = (appId: string, channel: string) => `channel ${appId}:${channel}`;
  const usersKey = (appId: string) => `users ${appId}`;
  return {
    driver: `delayed ${state.driver}`,
    setSubscriptions(appId, channel, count, announceCount) {
      calls.tell(channelKey(appId, channel), () =>
        state.setSubscriptions(appId, channel, count, announceCount),
      );
    },
    addMember: (appId, channel, member, maxMembers) =>
      calls.ask(channelKey(appId, channel), () =>
        state.addMember(appId, channel, member, maxMembers),
      ),
    removeMember(appId, channel, userId) {
      calls.tell(channelKey(appId, channel), () => state.removeMember(appId, channel, userId));
    },
    members: (appId, channel) => state.members(appId, channel),
    setUserConnections(appId, userId, count, appendEvents) {
      calls.tell(usersKey(appId), () =>
        state.setUserConnections(appId, userId, count, appendEvents),
      );
    },
    watch: (appId, userIds) => calls.ask(usersKey(appId), () => state.watch(appId, userIds)),
    unwatch(appId, userIds) {
      calls.tell(usersKey(appId), () => state.unwatch(appId, userIds));
    },
    record(appId, channel, event) {
      calls.tell(channelKey(appId, channel), () => state.record(appId, channel, event));
    },
    channel: (appId, channel) =>
      calls.ask(channelKey(appId, channel), () => state.channel(appId, channel)),
    channels: (appId, prefix) => calls.askAll(() => state.channels(appId, prefix)),
    users: (appId, channel) =>
      calls.ask(channelKey(appId, channel), () => state.users(appId, channel)),
    snapshot: (appId, partition, prefix) =>
      calls.askAll(() => state.snapshot(appId, partition, prefix)),
    async close() {
      await calls.settled();
      await state.close();
    },
  };
}
