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
