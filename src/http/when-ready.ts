/**
 * Values that may come later. A driver that has nothing to wait for gives the value itself, and then nothing
 * here costs a promise or a microtask (architecture.md §3).
 */

export type Maybe<T> = T | Promise<T>;

/** Goes on with the value: at once when it is there. */
export function whenReady<T, R>(value: Maybe<T>, next: (value: T) => Maybe<R>): Maybe<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** All values in order, as a promise only when one of them is. */
export function allReady<T>(values: readonly Maybe<T>[]): Maybe<readonly T[]> {
  const ready: T[] = [];
  for (const value of values) {
    if (value instanceof Promise) return Promise.all(values);
    ready.push(value);
  }
  return ready;
}
