/** How long scenarios last: a moment in `npm test`, as long as outages are in `npm run test:chaos`. */

export interface Scale {
  readonly isLong: boolean;
  /** How long a receiver is ill. */
  readonly outageMs: number;
  /** Client events a second of one load. */
  readonly perSecond: number;
  /** Queued for a dead endpoint. */
  readonly backlog: number;
  /** Of the scenario of mixed faults. */
  readonly seeds: number;
  /** Faults for each seed. */
  readonly faults: number;
}

const SHORT: Scale = {
  isLong: false,
  outageMs: 2_500,
  perSecond: 100,
  backlog: 10_000,
  seeds: 1,
  faults: 4,
};

const LONG: Scale = {
  isLong: true,
  outageMs: 60_000,
  perSecond: 200,
  backlog: 1_000_000,
  seeds: 20,
  faults: 10,
};

export const SCALE: Scale = process.env.CHAOS === "long" ? LONG : SHORT;

/** For what comes at once on a machine that has nothing else to do. */
export const SOON_MS = 30_000;
