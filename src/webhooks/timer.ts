/** Time as this room sees it: a clock and a way to be called later, both handed in so that tests own them. */

/** Epoch ms. */
export type Now = () => number;

/** Calls `run` once after `delayMs`, unless the function that it returns is called before. */
export type After = (delayMs: number, run: () => void) => () => void;

/** The real one. */
export const after: After = (delayMs, run) => {
  const timer = setTimeout(run, delayMs);
  return () => clearTimeout(timer);
};

/** Done with `work`, or after `ms` when it takes longer. It goes on then. */
export async function within(ms: number, work: Promise<void>, later: After = after): Promise<void> {
  let cancel = () => {};
  const deadline = new Promise<void>((resolve) => {
    cancel = later(ms, resolve);
  });
  await Promise.race([work, deadline]);
  cancel();
}
