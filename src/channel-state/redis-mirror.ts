/**
 * A node's copy of one presence channel's members. Source: architecture.md §4.
 *
 * It is what this node's sockets have been told: every difference is announced in the turn in which the copy
 * changes. Changes are heard on the channel's topic, each with the version before it; whenever one may have
 * been missed the whole list is read, together with its version. Changes heard while it is read are kept, and
 * applied when they are newer.
 */
import { listEntry, type PresenceList } from "../protocol/presence.ts";
import type { Roster, RosterChange } from "./redis-roster.ts";
import { retryAfterMs, type StateContext } from "./redis-state-context.ts";

/** Changes that may be kept while the list is read. */
const MAX_KEPT_CHANGES = 1_000;

export interface Mirror {
  readonly members: PresenceList;
  /** Begins to hear changes, then reads the list. */
  open(): void;
  hear(change: RosterChange): void;
  /** Reads the list (once more, when it is being read): changes may have been missed. */
  reload(): void;
  /**
   * Calls `present` once the copy is of this version or a later one and has the user, at once if so. A later
   * one that lacks the user shows that Redis has lost it, or that this node was taken for dead.
   */
  whenPresent(userId: string, version: number, present: () => void): void;
  close(): void;
}

export interface MirrorParts {
  readonly context: StateContext;
  readonly topic: string;
  readonly read: () => Promise<Roster>;
  /**
   * Whether this node is registered in that epoch. If not, Redis has lost the state, and this node finds out
   * just now: it will tell its own members anew, and the list is read again.
   */
  readonly confirmEpoch: (epoch: number) => boolean;
  readonly memberAdded: (userId: string, userInfoJson: string) => void;
  readonly memberRemoved: (userId: string) => void;
}

interface Waiting {
  readonly userId: string;
  readonly version: number;
  readonly present: () => void;
}

export function createMirror(parts: MirrorParts): Mirror {
  const { context, topic, memberAdded, memberRemoved } = parts;
  const { counters, settings } = context;
  const { bus } = context.redis;
  const members = new Map<string, string>();
  let version = 0;
  let isOpen = false;
  let isHeard = false;
  let isReading = false;
  let isReadingAgain = false;
  let isTelling = false;
  let failures = 0;
  let kept: RosterChange[] = [];
  let waiting: Waiting[] = [];
  let waitTimer: NodeJS.Timeout | undefined;
  let retryTimer: NodeJS.Timeout | undefined;
  let restoreTimer: NodeJS.Timeout | undefined;

  function hearTopic(): void {
    bus.subscribe(topic).then(
      () => {
        if (!isOpen) {
          bus.unsubscribe(topic);
          return;
        }
        isHeard = true;
        failures = 0;
        reload();
      },
      () => retry(hearTopic),
    );
  }

  function retry(again: () => void): void {
    if (!isOpen) return;
    failures += 1;
    clearTimeout(retryTimer);
    retryTimer = setTimeout(again, retryAfterMs(context, failures));
  }

  function reload(): void {
    if (!isOpen || !isHeard) return;
    if (isReading) {
      isReadingAgain = true;
      return;
    }
    clearTimeout(retryTimer);
    isReading = true;
    isReadingAgain = false;
    counters.rosterReads += 1;
    parts.read().then(
      (roster) => {
        isReading = false;
        if (!isOpen) return;
        if (!parts.confirmEpoch(roster.epoch)) {
          counters.foreignEpochs += 1;
          retry(reload);
          return;
        }
        failures = 0;
        take(roster);
      },
      () => {
        isReading = false;
        retry(reload);
      },
    );
  }

  function take(roster: Roster): void {
    if (isTelling) {
      // Changes that come meanwhile are kept.
      isReading = true;
      setImmediate(() => {
        isReading = false;
        if (isOpen) take(roster);
      });
      return;
    }
    if (roster.restoreMs > 0) {
      // Who is missing may only not have been told yet.
      clearTimeout(restoreTimer);
      restoreTimer = setTimeout(reload, roster.restoreMs);
    } else {
      for (const userId of [...members.keys()]) if (!roster.members.has(userId)) remove(userId);
    }
    for (const [userId, userInfoJson] of roster.members) add(userId, userInfoJson);
    version = roster.version;
    applyKept();
    if (isReadingAgain) reload();
  }

  function applyKept(): void {
    const changes = kept;
    kept = [];
    for (const change of changes) apply(change);
    if (!isReading) tellPresent();
  }

  function apply(change: RosterChange): void {
    if (isReading || isTelling) {
      keep(change);
      return;
    }
    if (change.version <= version) return;
    const isNext = change.previous === version || (change.previous === 0 && members.size === 0);
    if (!isNext) {
      counters.rosterGaps += 1;
      reload();
      return;
    }
    version = change.version;
    if (change.userInfoJson === undefined) remove(change.userId);
    else add(change.userId, change.userInfoJson);
  }

  function keep(change: RosterChange): void {
    if (kept.length < MAX_KEPT_CHANGES) {
      kept.push(change);
      return;
    }
    counters.rosterOverflows += 1;
    kept = [];
    if (isReading) isReadingAgain = true;
    else reload();
  }

  function add(userId: string, userInfoJson: string): void {
    const present = members.get(userId);
    const entry = listEntry(userId, userInfoJson);
    if (present === entry) return;
    // Gone and come back with other info, unheard.
    if (present !== undefined) remove(userId);
    members.set(userId, entry);
    memberAdded(userId, userInfoJson);
  }

  function remove(userId: string): void {
    if (members.delete(userId)) memberRemoved(userId);
  }

  function isPresent(each: Waiting): boolean {
    return each.version <= version && members.has(each.userId);
  }

  function tellPresent(): void {
    const present = waiting.filter(isPresent);
    if (present.length === 0) return;
    waiting = waiting.filter((each) => !isPresent(each));
    for (const each of present) each.present();
    // Who waited takes the list a microtask later, and what is heard together comes in one turn: the list
    // stands still until then, so that the user is in it.
    if (isTelling) return;
    isTelling = true;
    setImmediate(() => {
      isTelling = false;
      if (isOpen && !isReading) applyKept();
    });
  }

  function lookLater(): void {
    waitTimer = setTimeout(() => {
      waitTimer = undefined;
      if (!isOpen || waiting.length === 0) return;
      counters.versionWaits += 1;
      reload();
      lookLater();
    }, settings.versionWaitMs);
  }

  return {
    members,
    open() {
      isOpen = true;
      hearTopic();
    },
    hear(change) {
      // Before the first reading nothing can be missed: it comes after the topic is heard.
      if (!isHeard) return;
      apply(change);
      if (!isReading && !isTelling) tellPresent();
    },
    reload,
    whenPresent(userId, wanted, present) {
      const each = { userId, version: wanted, present };
      waiting.push(each);
      if (isPresent(each)) {
        tellPresent();
        return;
      }
      if (waitTimer === undefined) lookLater();
    },
    close() {
      isOpen = false;
      clearTimeout(waitTimer);
      clearTimeout(retryTimer);
      clearTimeout(restoreTimer);
      if (isHeard) bus.unsubscribe(topic);
      const left = waiting;
      waiting = [];
      for (const each of left) each.present();
    },
  };
}
