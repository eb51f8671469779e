/** How long to wait before the next attempt. */
import type { RetrySettings } from "./settings.ts";

/** Random between 0 and a bound that doubles with each failure. `failures` from 1; `random` gives 0 ≤ x < 1. In ms. */
export function backoffMs(retry: RetrySettings, failures: number, random: () => number): number {
  const bound = Math.min(retry.maxMs, retry.initialMs * 2 ** Math.min(failures - 1, 30));
  return Math.round(random() * bound);
}
