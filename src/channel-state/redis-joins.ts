/** Those who wait for their place in a presence channel. */
import { type AddMemberResult, StateUnavailableError } from "./channel-state.ts";
import type { Presence } from "./redis-presence.ts";
import type { StateContext } from "./redis-state-context.ts";
import { type LocalUser, resolveWaiters, type TrackedChannel } from "./redis-tracked-channel.ts";
import type { StepReply } from "./redis-write.ts";

/** Waits until the user's join is settled. Rejects with StateUnavailableError in `answerTimeoutMs`. */
export function waitForJoin(
  { settings, counters }: StateContext,
  user: LocalUser,
): Promise<AddMemberResult> {
  return new Promise((resolve, reject) => {
    const waiter = {
      resolve(result: AddMemberResult) {
        clearTimeout(timer);
        resolve(result);
      },
      reject() {
        clearTimeout(timer);
        user.waiters.delete(waiter);
        counters.unavailable += 1;
        reject(new StateUnavailableError("The member is not acknowledged: is Redis up?"));
      },
    };
    const timer = setTimeout(() => waiter.reject(), settings.answerTimeoutMs);
    user.waiters.add(waiter);
  });
}

/** The user's join has been acknowledged. `remove` is called when there was no room for the user. */
export function settleJoin(
  presence: Presence,
  channel: TrackedChannel,
  user: LocalUser,
  reply: StepReply,
  remove: () => void,
): void {
  const isWanted = channel.wantedUsers?.get(user.userId) === user;
  if (reply === "full") {
    if (isWanted) remove();
    resolveWaiters(user, "full");
  } else if (!isWanted || reply === undefined) {
    // Gone again meanwhile: there is no list to wait for.
    resolveWaiters(user, "added");
  } else {
    user.version = reply;
    presence.whenPresent(channel, user.userId, reply, () => resolveWaiters(user, "added"));
  }
}
