/** The one fault that every Redis driver knows and turns into its own room's error. */

/** Redis did not answer, or not in time: what was asked may or may not have been done. */
export class RedisUnavailableError extends Error {
  override readonly name = "RedisUnavailableError";
  readonly code = "PIPIT_REDIS_UNAVAILABLE";
}

/** Redis has answered that it does not do it now. */
export class RedisRefusedError extends RedisUnavailableError {}
