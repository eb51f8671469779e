/**
 * Looks host names up as the system does, hosts file and search domains included, so that a name whose servers
 * do not answer keeps no other waiting. Node runs look-ups on two threads for the whole process, and one that
 * hangs can neither be hurried nor given up. So a name is looked up once at a time, and names that hung before
 * share one thread, and begin only while nothing else is looked up. A name that has no answer by then is asked of
 * the DNS itself, which takes no thread: when many hang for the first time, no other has to wait for all of them.
 */
import { type LookupAddress, TIMEOUT } from "node:dns";
import type { LookupFunction } from "node:net";
import type { LookUpDirectly } from "./direct-lookup.ts";
import type { After, Now } from "./timer.ts";

/** Resolves a name to addresses, as `dns.lookup` does. */
export type Resolve = LookupFunction;

export interface NameLookupsParts {
  readonly resolve: Resolve;
  /** The way around the threads. What it does not find, `resolve` may find yet. */
  readonly lookUpDirectly: LookUpDirectly;
  readonly now: Now;
  readonly after: After;
}

export interface NameLookups {
  /** Looks a name up, or answers from memory. Without an answer in `timeoutMs` the error says ETIMEOUT. */
  within(timeoutMs: number): Resolve;
  readonly counters: {
    /** Look-ups that took longer than {@link HANGS_AFTER_MS}. */
    readonly hung: number;
    /** Asked while {@link MAX_NAMES} others were being looked up: refused. */
    readonly refused: number;
  };
}

/** An answer is used again for so long. */
export const FRESH_MS = 5_000;

/** When a look-up hangs, the last answer is used for so long. */
export const LAST_ANSWER_MS = 600_000;

/** A look-up that takes longer hangs. Whoever can do with the last answer waits no longer for a new one. */
export const HANGS_AFTER_MS = 1_000;

/** Names that are remembered. */
export const MAX_NAMES = 1_000;

/** As many as Node runs at a time with its four threads: `UV_THREADPOOL_SIZE` of more changes nothing here. */
const PLACES = 2;

const LOOPBACK: readonly LookupAddress[] = [
  { address: "127.0.0.1", family: 4 },
  { address: "::1", family: 6 },
];

type Options = Parameters<LookupFunction>[1];
type Done = Parameters<LookupFunction>[2];

interface Waiter {
  readonly all: boolean;
  readonly done: Done;
  cancelTimer: () => void;
}

interface Name {
  readonly key: string;
  readonly hostname: string;
  readonly options: Options;
  readonly waiters: Set<Waiter>;
  /** It waits for a place, or has one. */
  isBusy: boolean;
  /** And that for longer than a look-up should take. */
  isLate: boolean;
  cancelDirect: () => void;
  /** Look-ups in a row that hung. */
  hangs: number;
  addresses: readonly LookupAddress[];
  answeredMs: number;
}

export function createNameLookups({
  resolve,
  lookUpDirectly,
  now,
  after,
}: NameLookupsParts): NameLookups {
  /** Those asked for least recently first. */
  const names = new Map<string, Name>();
  /** Names without a place, also when nobody waits any more: the answer is of use to the next attempt. */
  const queue = new Set<Name>();
  const underWay = new Set<Name>();
  const counters = { hung: 0, refused: 0 };

  function nameOf(hostname: string, options: Options): Name | undefined {
    const { family = 0, hints = 0 } = options;
    const key = `${hostname} ${family} ${hints}`;
    const known = names.get(key);
    const name = known ?? {
      key,
      hostname,
      options: { ...options, all: true },
      waiters: new Set(),
      isBusy: false,
      isLate: false,
      cancelDirect: () => {},
      hangs: 0,
      addresses: [],
      answeredMs: Number.NEGATIVE_INFINITY,
    };
    if (!known && names.size >= MAX_NAMES && !forgetOne()) return undefined;
    names.delete(key);
    names.set(key, name);
    return name;
  }

  function forgetOne(): boolean {
    for (const name of names.values()) {
      if (!name.isBusy) return names.delete(name.key);
    }
    return false;
  }

  function isAnswered({ addresses, answeredMs }: Name, withinMs: number): boolean {
    return addresses.length > 0 && now() - answeredMs < withinMs;
  }

  function wait(name: Name, all: boolean, done: Done, timeoutMs: number): void {
    const isKnown = isAnswered(name, LAST_ANSWER_MS);
    const waiter: Waiter = { all, done, cancelTimer: () => {} };
    name.waiters.add(waiter);
    waiter.cancelTimer = after(isKnown ? Math.min(timeoutMs, HANGS_AFTER_MS) : timeoutMs, () => {
      name.waiters.delete(waiter);
      if (isKnown) give(name.addresses, waiter.all, waiter.done);
      else done(timeoutError(name.hostname), "");
    });
    if (name.isBusy) return;
    name.isBusy = true;
    name.cancelDirect = after(HANGS_AFTER_MS, () => void goAround(name));
    queue.add(name);
    fillPlaces();
  }

  async function goAround(name: Name): Promise<void> {
    name.isLate = true;
    const addresses = await lookUpDirectly(name.hostname);
    const { family } = name.options;
    const usable = addresses.filter(ofFamily(family));
    // The system's own answer counts more, also when it says that there is none.
    if (usable.length === 0 || !name.isBusy) return;
    remember(name, usable);
    answerAll(name, null);
  }

  function remember(name: Name, addresses: readonly LookupAddress[]): void {
    name.addresses = addresses;
    name.answeredMs = now();
  }

  function answerAll(name: Name, error: NodeJS.ErrnoException | null): void {
    const waiters = [...name.waiters];
    name.waiters.clear();
    for (const waiter of waiters) {
      waiter.cancelTimer();
      // With an error there is nothing else in the call, whatever its type says.
      if (error) waiter.done(error, "");
      else give(name.addresses, waiter.all, waiter.done);
    }
  }

  function fillPlaces(): void {
    for (let name = next(); name && underWay.size < PLACES; name = next()) {
      queue.delete(name);
      lookUp(name);
    }
  }

  /** Of those that wait, the first of those that hung least often; undefined when it may not have a place yet. */
  function next(): Name | undefined {
    let best: Name | undefined;
    for (const name of queue) if (!best || name.hangs < best.hangs) best = name;
    if (!best || best.hangs === 0) return best;
    // The other place may go to a name that will hang for the first time: so one that did begins alone.
    return underWay.size === 0 ? best : undefined;
  }

  function lookUp(name: Name): void {
    underWay.add(name);
    let isHanging = false;
    const cancelTimer = after(HANGS_AFTER_MS, () => {
      isHanging = true;
      name.hangs += 1;
      counters.hung += 1;
    });
    resolve(name.hostname, name.options, (error, found, family) => {
      cancelTimer();
      name.cancelDirect();
      underWay.delete(name);
      name.isBusy = false;
      name.isLate = false;
      if (!isHanging) name.hangs = 0;
      if (!error) {
        const only = { address: String(found), family: family ?? 4 };
        remember(name, typeof found === "string" ? [only] : found);
      } else if (!isHanging) {
        // The name is gone: what it was is of no use any more.
        name.addresses = [];
      }
      fillPlaces();
      answerAll(name, error);
    });
  }

  return {
    within: (timeoutMs) => (hostname, options, done) => {
      const all = options.all === true;
      // The one name that means the same everywhere needs no thread.
      if (hostname === "localhost")
        return give(LOOPBACK.filter(ofFamily(options.family)), all, done);
      const name = nameOf(hostname, options);
      if (!name) {
        counters.refused += 1;
        done(timeoutError(hostname), "");
      } else if (isAnswered(name, name.isLate ? LAST_ANSWER_MS : FRESH_MS)) {
        give(name.addresses, all, done);
      } else {
        wait(name, all, done, timeoutMs);
      }
    },
    counters,
  };
}

function give(addresses: readonly LookupAddress[], all: boolean, done: Done): void {
  const [first] = addresses;
  if (all) done(null, [...addresses]);
  else done(null, first?.address ?? "", first?.family);
}

function ofFamily(wanted: Options["family"]): (address: LookupAddress) => boolean {
  return ({ family }) => !wanted || wanted === family || wanted === `IPv${family}`;
}

function timeoutError(hostname: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${hostname} was not looked up in time.`), { code: TIMEOUT });
}
