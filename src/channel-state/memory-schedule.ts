/**
 * What the memory driver has still to do, and when: leaves that wait out their grace, count windows that wait
 * for their end. It owns no timer: whoever sweeps is told when the next is due, and woken when that changes.
 *
 * One linked list per partition and delay. Within one delay the due times come in the order of the additions,
 * so adding, taking and cancelling are each a few pointer writes, and a cancelled entry is gone at once: a
 * member who flaps a thousand times within the grace holds one entry, not a thousand.
 */

/** Something that will be due. Keep it to cancel it. */
export interface Due<T> {
  readonly value: T;
  readonly dueMs: number;
  readonly list: DueList<T>;
  before: Due<T> | undefined;
  after: Due<T> | undefined;
}

interface DueList<T> {
  first: Due<T> | undefined;
  last: Due<T> | undefined;
}

export interface Schedule<T> {
  /** Adds `value`, due in `delayMs`, which must be one of the schedule's delays. */
  add(partition: number, delayMs: number, value: T): Due<T>;
  /** Takes an entry out that has not been taken yet. */
  cancel(due: Due<T>): void;
  /** Takes out the earliest entry of the partition that is due at `nowMs`, if any. Equal times: shorter delay first. */
  takeDue(partition: number, nowMs: number): T | undefined;
  /** When the partition's next entry is due, epoch ms: whoever asks comes then, or asks again when woken before. */
  nextDueMs(partition: number): number | undefined;
  /** How many entries wait, in all partitions. */
  readonly waiting: number;
}

/**
 * `delaysMs` are all delays that will be used, shortest first. `now` is epoch ms; when it is set back, what
 * is added later waits for what was added before. `wake` is called when an entry is due before whoever sweeps the
 * partition would come.
 */
export function createSchedule<T>(
  partitions: number,
  delaysMs: readonly number[],
  now: () => number,
  wake: (partition: number) => void,
): Schedule<T> {
  const lists: readonly ReadonlyMap<number, DueList<T>>[] = Array.from(
    { length: partitions },
    () => new Map(delaysMs.map((delayMs) => [delayMs, { first: undefined, last: undefined }])),
  );
  // When each partition will be swept anyway: to wake it for each leave of those who come and go cost a tenth of
  // a connection's whole time (npm run bench -- --scenario connect).
  const expectedMs = new Float64Array(partitions).fill(Number.POSITIVE_INFINITY);

  function listsOf(partition: number): ReadonlyMap<number, DueList<T>> {
    const found = lists[partition];
    if (!found)
      throw new RangeError(`There is no partition ${partition}, only 0 to ${partitions - 1}.`);
    return found;
  }

  function earliest(partition: number): Due<T> | undefined {
    let found: Due<T> | undefined;
    for (const { first } of listsOf(partition).values()) {
      if (first && (!found || first.dueMs < found.dueMs)) found = first;
    }
    return found;
  }

  function cancel(due: Due<T>): void {
    unlink(due);
    schedule.waiting -= 1;
  }

  // No getter, as in connections/registry.ts.
  const schedule: Schedule<T> & { waiting: number } = {
    waiting: 0,
    add(partition, delayMs, value) {
      const list = listsOf(partition).get(delayMs);
      if (!list) throw new RangeError(`${delayMs} ms is none of the schedule's delays.`);
      const due = { value, dueMs: now() + delayMs, list, before: list.last, after: undefined };
      append(list, due);
      schedule.waiting += 1;
      if (due.dueMs < (expectedMs[partition] ?? 0)) {
        expectedMs[partition] = due.dueMs;
        wake(partition);
      }
      return due;
    },
    cancel,
    takeDue(partition, nowMs) {
      const due = earliest(partition);
      if (!due || due.dueMs > nowMs) return undefined;
      cancel(due);
      return due.value;
    },
    nextDueMs(partition) {
      const dueMs = earliest(partition)?.dueMs;
      expectedMs[partition] = dueMs ?? Number.POSITIVE_INFINITY;
      return dueMs;
    },
  };
  return schedule;
}

function append<T>(list: DueList<T>, due: Due<T>): void {
  if (list.last) list.last.after = due;
  else list.first = due;
  list.last = due;
}

function unlink<T>(due: Due<T>): void {
  const { list, before, after } = due;
  if (before) before.after = after;
  else list.first = after;
  if (after) after.before = before;
  else list.last = before;
  // One that has grown old would else keep its neighbour, and that one its own, until a full collection.
  due.before = undefined;
  due.after = undefined;
}
