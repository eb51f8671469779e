/** For channel states of which nobody hears. */
import type { Announcements } from "../../src/channel-state/channel-state.ts";

export const NOBODY_HEARS: Announcements = {
  memberAdded() {},
  memberRemoved() {},
  subscriptionCount() {},
  userOnline() {},
  userOffline() {},
};
