/**
 * Which users are watched on this node, and whether they are online as far as its sockets have been told.
 * Source: architecture.md §4, protocol.md §4.3.
 *
 * What is read and what is heard both say when (µs of Redis TIME) it was so: the later one stands, whichever
 * comes first.
 */
import { USER_CHANNEL_PREFIX } from "../protocol/topic.ts";
import { StateUnavailableError } from "./channel-state.ts";
import { readMessage } from "./redis-message.ts";
import { readWhoIsOnline } from "./redis-online.ts";
import { retryAfterMs, type StateContext } from "./redis-state-context.ts";

export interface WatchedUsers {
  /**
   * `settled`: waits until what this node has told of these users has been acknowledged. Whoever is known is
   * answered as known now: later changes are announced.
   */
  watch(
    appId: string,
    userIds: readonly string[],
    settled: () => Promise<void> | undefined,
  ): ReadonlySet<string> | Promise<ReadonlySet<string>>;
  unwatch(appId: string, userIds: readonly string[]): void;
  /** The user came online at that time, by a write of this node. */
  cameOnline(appId: string, userId: string, atUs: number): void;
  hear(topic: string, bytes: Buffer): void;
  /** Messages of these topics may have been missed. */
  reload(topics: Iterable<string>): void;
  close(): void;
  readonly size: number;
}

interface WatchedUser {
  readonly appId: string;
  readonly userId: string;
  readonly topic: string;
  watches: number;
  isHeard: boolean;
  /** Has been read since it is heard: from then on each change is announced. */
  isKnown: boolean;
  isOnline: boolean;
  atUs: number;
  /** Set while it is being read for the first time. */
  loading: Promise<void> | undefined;
}

/** `confirmEpoch`: whether this node is registered in that epoch of the partition, see lanes. */
export function createWatchedUsers(
  context: StateContext,
  confirmEpoch: (partition: number, epoch: number) => boolean,
): WatchedUsers {
  const { redis, counters, announce } = context;
  const { keys, bus } = redis;
  const users = new Map<string, WatchedUser>();
  const timers = new Set<NodeJS.Timeout>();
  let isClosed = false;

  function obtain(appId: string, userId: string): WatchedUser {
    const topic = keys.watchTopic(appId, userId);
    let user = users.get(topic);
    if (!user) {
      user = {
        appId,
        userId,
        topic,
        watches: 0,
        isHeard: false,
        isKnown: false,
        isOnline: false,
        atUs: 0,
        loading: undefined,
      };
      users.set(topic, user);
    }
    user.watches += 1;
    return user;
  }

  const isWatched = (user: WatchedUser): boolean => users.get(user.topic) === user;

  function learn(user: WatchedUser, isOnline: boolean, atUs: number): void {
    if (atUs <= user.atUs) return;
    user.atUs = atUs;
    if (user.isOnline === isOnline) return;
    user.isOnline = isOnline;
    if (!user.isKnown || !isWatched(user)) return;
    if (isOnline) announce.userOnline(user.appId, user.userId);
    else announce.userOffline(user.appId, user.userId);
  }

  async function read(some: readonly WatchedUser[]): Promise<void> {
    const answers = await readWhoIsOnline(redis, some);
    for (const { user, isOnline, atUs, epoch, restoreMs } of answers) {
      const p = redis.keys.partition(user.appId, USER_CHANNEL_PREFIX + user.userId);
      const isRestoring = !confirmEpoch(p, epoch) || restoreMs > 0;
      // Who is missing after a loss may only not have been told yet.
      if (isOnline || !isRestoring) learn(user, isOnline, atUs);
      else readLater(user, restoreMs);
    }
  }

  function readLater(user: WatchedUser, restoreMs: number): void {
    const timer = setTimeout(
      () => {
        timers.delete(timer);
        if (isWatched(user)) readAgain([user], 1);
      },
      Math.max(restoreMs, context.settings.heartbeatMs),
    );
    timers.add(timer);
  }

  function readAgain(some: readonly WatchedUser[], failures: number): void {
    read(some).catch(() => {
      if (isClosed) return;
      const timer = setTimeout(
        () => {
          timers.delete(timer);
          readAgain(some.filter(isWatched), failures + 1);
        },
        retryAfterMs(context, failures),
      );
      timers.add(timer);
    });
  }

  async function hearTopic(user: WatchedUser): Promise<void> {
    if (user.isHeard) return;
    await bus.subscribe(user.topic);
    user.isHeard = true;
    // Nobody watches the user any more.
    if (!isWatched(user)) bus.unsubscribe(user.topic);
  }

  async function load(
    some: readonly WatchedUser[],
    settled: () => Promise<void> | undefined,
  ): Promise<void> {
    await Promise.all(some.map(hearTopic));
    await settled();
    await read(some);
    for (const user of some) user.isKnown = true;
  }

  function begin(
    some: readonly WatchedUser[],
    settled: () => Promise<void> | undefined,
    failures: number,
  ): void {
    const loading = load(some, settled);
    for (const user of some) user.loading = loading;
    const end = (): void => {
      for (const user of some) user.loading = undefined;
    };
    loading.then(end, () => {
      end();
      loadAgain(some, failures);
    });
  }

  /** Who could not be read is tried again while somebody watches. */
  function loadAgain(some: readonly WatchedUser[], failures: number): void {
    if (isClosed) return;
    const timer = setTimeout(
      () => {
        timers.delete(timer);
        const left = some.filter((user) => isWatched(user) && !user.isKnown && !user.loading);
        if (left.length > 0) begin(left, () => undefined, failures + 1);
      },
      retryAfterMs(context, failures),
    );
    timers.add(timer);
  }

  return {
    watch(appId, userIds, settled) {
      const watched = userIds.map((userId) => obtain(appId, userId));
      const unknown = watched.filter(({ isKnown, loading }) => !isKnown && !loading);
      if (unknown.length > 0) begin(unknown, settled, 1);
      const isOnline = watched.map(
        (user) => user.loading?.then(() => user.isOnline) ?? user.isOnline,
      );
      const online = (answers: readonly boolean[]): ReadonlySet<string> =>
        new Set(userIds.filter((_userId, i) => answers[i]));
      if (watched.every(({ isKnown }) => isKnown)) {
        return online(watched.map((user) => user.isOnline));
      }
      return Promise.all(isOnline).then(online, (cause: unknown) => {
        counters.unavailable += 1;
        throw new StateUnavailableError("Who is online cannot be read: is Redis up?", { cause });
      });
    },
    unwatch(appId, userIds) {
      for (const userId of userIds) {
        const user = users.get(keys.watchTopic(appId, userId));
        if (!user) continue;
        user.watches -= 1;
        if (user.watches > 0) continue;
        users.delete(user.topic);
        if (user.isHeard) bus.unsubscribe(user.topic);
      }
    },
    cameOnline(appId, userId, atUs) {
      const user = users.get(keys.watchTopic(appId, userId));
      if (user) learn(user, true, atUs);
    },
    hear(topic, bytes) {
      const user = users.get(topic);
      if (!user) return;
      const { online, at } = readMessage(bytes);
      if (typeof online === "boolean" && typeof at === "number") learn(user, online, at);
    },
    reload(topics) {
      const known: WatchedUser[] = [];
      for (const topic of topics) {
        const user = users.get(topic);
        if (user?.isKnown) known.push(user);
      }
      if (known.length > 0) readAgain(known, 1);
    },
    close() {
      isClosed = true;
      for (const timer of timers) clearTimeout(timer);
      for (const user of users.values()) if (user.isHeard) bus.unsubscribe(user.topic);
      users.clear();
    },
    get size() {
      return users.size;
    },
  };
}
