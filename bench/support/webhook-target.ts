/** Where the events of the webhook bench go, counted: a function that answers at once, or a receiver by HTTP. */
import { LENIENT_RULES } from "../../src/webhooks/address-policy.ts";
import { createHttpTarget } from "../../src/webhooks/http-target.ts";
import type { Answer, Target } from "../../src/webhooks/target.ts";

export interface CountingTarget extends Target {
  readonly counts: { posts: number; events: number };
}

const TAKEN: Answer = { kind: "answered", status: 200, retryAfter: undefined };

/** `isPosted`: sends to the attempt's url, over connections as the server keeps them. */
export function createCountingTarget(isPosted: boolean): CountingTarget {
  const counts = { posts: 0, events: 0 };
  const http = isPosted ? createHttpTarget({ now: Date.now, rules: LENIENT_RULES }) : undefined;
  return {
    counts,
    async send(attempt, signal) {
      const answer = http === undefined ? TAKEN : await http.send(attempt, signal);
      if (answer.kind !== "answered" || answer.status !== 200) return answer;
      counts.posts += 1;
      counts.events += attempt.headers["x-pipit-event-ids"]?.split(",").length ?? 0;
      return answer;
    },
    forget: (endpoint) => http?.forget(endpoint),
    async close() {
      await http?.close();
    },
  };
}
