/** How long a client waits at most for the members of a presence channel, whatever its join waits for. */

/** From the subscribe on. Then it is refused with 503, and what was asked meanwhile is undone. */
const MAX_WAIT_MS = 5_000;

/** Each driver gives up by itself in `MAX_WAIT_MS`: a join whose first step was quicker than this needs no timer. */
const QUICK_MS = 50;

/** As `added`, but rejects in time where the first step has taken `spentMs`; what comes later is dropped. */
export function inTime<T>(added: Promise<T>, spentMs: number): Promise<T> {
  if (spentMs < QUICK_MS) return added;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error("The join took too long.")),
      MAX_WAIT_MS - spentMs,
    );
    added.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
