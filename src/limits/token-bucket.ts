/**
 * Token buckets: how many commands or requests may pass. Each node counts for itself, so N nodes let N times
 * the rate through (architecture.md §2).
 *
 * A bucket is a small plain object that its owner makes when the first token is taken. Rate and burst are
 * handed in with each call, because settings change while buckets live.
 */

/** Longest wait that {@link takeTokens} asks for, in seconds: what a rate of 0 answers. */
export const MAX_RETRY_AFTER_S = 3_600;

export interface TokenBucket {
  /** Below 0 while a request larger than the burst is being paid off. */
  tokens: number;
  refilledAtMs: number;
}

/** What {@link takeTokens} decided, in the terms of a 429 answer (protocol.md §6.2). */
export interface TokensTaken {
  readonly isAllowed: boolean;
  /** Whole tokens left: `X-RateLimit-Remaining`. Infinity without a limit. */
  readonly remaining: number;
  /** Whole seconds until the same request would pass, 1 to {@link MAX_RETRY_AFTER_S}; 0 when it was allowed. */
  readonly retryAfterS: number;
}

const UNLIMITED: TokensTaken = { isAllowed: true, remaining: Infinity, retryAfterS: 0 };

/** A full bucket. */
export function createTokenBucket(burst: number, nowMs: number): TokenBucket {
  return { tokens: burst, refilledAtMs: nowMs };
}

/**
 * Takes one token, or answers false and takes none. A `ratePerSecond` of Infinity lets everything through;
 * a burst under 1 lets nothing through.
 */
export function takeToken(
  bucket: TokenBucket,
  ratePerSecond: number,
  burst: number,
  nowMs: number,
): boolean {
  if (ratePerSecond === Infinity) return true;
  refill(bucket, ratePerSecond, burst, nowMs);
  if (bucket.tokens < 1) return false;
  bucket.tokens -= 1;
  return true;
}

/**
 * Takes `count` tokens (≥ 1), or takes none and tells when to come back. A count above the burst passes when
 * the bucket is full and leaves a debt: refused for ever would be no answer to somebody who asked in good faith.
 */
export function takeTokens(
  bucket: TokenBucket,
  count: number,
  ratePerSecond: number,
  burst: number,
  nowMs: number,
): TokensTaken {
  if (ratePerSecond === Infinity) return UNLIMITED;
  refill(bucket, ratePerSecond, burst, nowMs);
  const needed = burst < 1 ? 1 : Math.min(count, burst);
  const isAllowed = bucket.tokens >= needed;
  if (isAllowed) bucket.tokens -= count;
  const waitS = isAllowed ? 0 : Math.ceil((needed - bucket.tokens) / ratePerSecond);
  return {
    isAllowed,
    remaining: Math.max(0, Math.floor(bucket.tokens)),
    retryAfterS: Math.min(waitS, MAX_RETRY_AFTER_S),
  };
}

function refill(bucket: TokenBucket, ratePerSecond: number, burst: number, nowMs: number): void {
  // A clock that was set back earns nothing and takes nothing away.
  const elapsedMs = Math.max(0, nowMs - bucket.refilledAtMs);
  bucket.tokens = Math.min(burst, bucket.tokens + (elapsedMs * ratePerSecond) / 1_000);
  bucket.refilledAtMs = nowMs;
}
