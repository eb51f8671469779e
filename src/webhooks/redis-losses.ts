/**
 * What was given up in this node's partitions. The scripts that do it note it in Redis, in the same step; the owner
 * books from there, and takes it off a minute later. So neither an answer that is lost nor a node that ends hides
 * any: what a node has booked in the minute before it was killed is booked once more by the next owner.
 */
import type { Commands } from "../redis/commands.ts";
import type { Keys } from "../redis/keys.ts";
import { loadScript } from "../redis/script.ts";
import type { Loss, LossReason } from "./outbox.ts";
import { unexpected } from "./redis-entries.ts";
import { splitLaneName } from "./redis-routing.ts";
import type { Now } from "./timer.ts";

/** lease, losses */
const WRITE_OFF = loadScript(new URL("./lua/write-off.lua", import.meta.url), 2);

/** By then the log has its line, see loss-log.ts, and the counters have been read. */
const WRITTEN_OFF_AFTER_MS = 65_000;

/** The field that names the present round; the others are losses. */
const ROUND = "#round";

export interface RedisLossesParts {
  readonly commands: Commands;
  readonly keys: Keys;
  readonly owner: string;
  readonly now: Now;
}

export interface RedisLosses {
  listen(book: (loss: Loss) => void): void;
  /** Books what the partition's hash has beyond what was booked: its fields and values by turns. */
  told(partition: number, hash: readonly string[]): void;
  /** Takes off what was booked long enough ago. Rejects with RedisUnavailableError. Repeatable. */
  writeOffOld(partition: number): Promise<void>;
  /** Takes off all that was booked: another node is about to own the partition. As above. */
  writeOffAll(partition: number): Promise<void>;
}

/** Of one partition. Numbers are events by field of the hash. */
interface Account {
  round: string;
  /** Of what the hash has. */
  booked: ReadonlyMap<string, number>;
  /** The share of it that is taken off next. */
  due: ReadonlyMap<string, number>;
  dueMs: number;
  /** The round once `due` has been taken off; undefined: that has not been asked for. */
  nextRound: string | undefined;
}

const NONE: ReadonlyMap<string, number> = new Map();

export function createRedisLosses({ commands, keys, owner, now }: RedisLossesParts): RedisLosses {
  const accounts = new Map<number, Account>();
  let book: ((loss: Loss) => void) | undefined;
  let rounds = 0;

  /** What was booked in another round says nothing of what the hash has. */
  function accountOf(partition: number, round: string): Account {
    const known = accounts.get(partition);
    // The answer that says so was lost.
    if (known?.nextRound === round) settle(known);
    if (known?.round === round) return known;
    const account = { round, booked: NONE, due: NONE, dueMs: 0, nextRound: undefined };
    accounts.set(partition, account);
    return account;
  }

  function settle(account: Account): void {
    account.round = account.nextRound ?? account.round;
    account.nextRound = undefined;
    account.booked = difference(account.booked, account.due);
    makeDue(account);
  }

  function makeDue(account: Account): void {
    account.due = account.booked;
    account.dueMs = now() + WRITTEN_OFF_AFTER_MS;
  }

  async function writeOff(partition: number, account: Account): Promise<void> {
    if (account.due.size === 0) return;
    if (account.nextRound === undefined) {
      rounds += 1;
      account.nextRound = `${owner}.${rounds}`;
    }
    const all = [keys.key(partition, "disp"), keys.key(partition, "losses")];
    const args = [owner, account.round, account.nextRound, ...[...account.due].flat()];
    const reply = await commands.runScript(WRITE_OFF, all, args);
    if (reply === 1) settle(account);
    // Done before, or the hash is gone: the next telling says which.
    else if (reply === 0) account.dueMs = Number.POSITIVE_INFINITY;
    else if (reply !== -1) throw unexpected("result of a write-off");
  }

  return {
    listen(listener) {
      book = listener;
    },
    told(partition, hash) {
      if (!book) return;
      const numbers = readHash(hash);
      const account = accountOf(partition, hash[hash.indexOf(ROUND) + 1] ?? "");
      for (const [field, events] of difference(numbers, account.booked)) {
        const loss = lossOf(partition, field, events);
        if (loss) book(loss);
      }
      account.booked = numbers;
      if (account.due.size === 0) makeDue(account);
    },
    async writeOffOld(partition) {
      const account = accounts.get(partition);
      if (account && now() >= account.dueMs) await writeOff(partition, account);
    },
    async writeOffAll(partition) {
      const account = accounts.get(partition);
      if (!account) return;
      // Of a write-off that was not answered nobody knows whether it was done: it is sent again as it was.
      if (account.nextRound !== undefined) await writeOff(partition, account);
      if (account.nextRound !== undefined) return;
      makeDue(account);
      await writeOff(partition, account);
    },
  };
}

/** Of the fields that this release can read: others are left for a later one to book. */
function readHash(hash: readonly string[]): ReadonlyMap<string, number> {
  const numbers = new Map<string, number>();
  for (let at = 0; at + 1 < hash.length; at += 2) {
    const field = hash[at] ?? "";
    if (lossOf(0, field, 0)) numbers.set(field, Number(hash[at + 1]));
  }
  return numbers;
}

/** What `a` has beyond `b`. */
function difference(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>) {
  const more = new Map<string, number>();
  for (const [field, events] of a) {
    const excess = events - (b.get(field) ?? 0);
    if (excess > 0) more.set(field, excess);
  }
  return more;
}

const REASONS: ReadonlyMap<string, LossReason> = new Map(
  (["budget", "refused", "overflow", "age", "operator"] as const).map((reason) => [reason, reason]),
);

/** A field is `<what>:<reason>:<app>:<endpoint>`, or `held:<reason>:<app>`: see write-off.lua. */
function lossOf(partition: number, field: string, events: number): Loss | undefined {
  const [what, word = "", ...rest] = field.split(":");
  const reason = REASONS.get(word);
  const name = rest.join(":");
  if (reason === undefined) return undefined;
  switch (what) {
    case "buried":
      return { partition, ...splitLaneName(name), reason, buried: events, dropped: 0 };
    case "dropped":
      return { partition, ...splitLaneName(name), reason, buried: 0, dropped: events };
    case "held":
      return { partition, appId: name, endpointId: undefined, reason, buried: 0, dropped: events };
    default:
      return undefined;
  }
}
