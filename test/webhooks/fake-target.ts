/** A target that records attempts and answers as the test says. */
import type { Answer, Attempt, Target } from "../../src/webhooks/target.ts";
import { type Delivery, readDelivery } from "./receiver.ts";

export interface Sent extends Delivery {
  /** Of the endpoint, without the app. */
  readonly endpointId: string;
  readonly url: string;
  readonly channels: readonly string[];
  readonly atMs: number;
}

export type Respond = (sent: Sent, number: number) => Answer | Promise<Answer>;

export interface FakeTarget extends Target {
  readonly sent: Sent[];
  /** Channels of each attempt so far, joined: `["a b", "c"]`. */
  log(endpointId?: string): string[];
  respond: Respond;
}

export function answered(status: number, retryAfter?: string): Answer {
  return { kind: "answered", status, retryAfter };
}

/** Answers with these statuses in turn, and with the last of them from then on. */
export function inTurn(...statuses: number[]): Respond {
  let at = 0;
  return () => answered(statuses[Math.min(at++, statuses.length - 1)] ?? 200);
}

export function createFakeTarget(now: () => number, respond: Respond = inTurn(200)): FakeTarget {
  const sent: Sent[] = [];
  const target: FakeTarget = {
    sent,
    log: (endpointId) =>
      sent
        .filter((each) => endpointId === undefined || each.endpointId === endpointId)
        .map(({ channels }) => channels.join(" ")),
    respond,
    async send(attempt: Attempt, signal: AbortSignal): Promise<Answer> {
      const { headers, body, endpoint, url } = attempt;
      const delivery = readDelivery(headers, "", Buffer.from(body).toString("utf8"));
      const record: Sent = {
        ...delivery,
        endpointId: endpoint.slice(endpoint.indexOf(":") + 1),
        url,
        channels: delivery.events.map(({ channel }) => channel),
        atMs: now(),
      };
      sent.push(record);
      const aborted = held();
      const abort = () => aborted.resolve({ kind: "connection", reason: "aborted" });
      signal.addEventListener("abort", abort);
      const answer = await Promise.race([target.respond(record, sent.length), aborted.promise]);
      signal.removeEventListener("abort", abort);
      return answer;
    },
    forget() {},
    async close() {},
  };
  return target;
}

/** An answer that the test gives when it likes. */
export function held(): { readonly promise: Promise<Answer>; resolve(answer: Answer): void } {
  let resolve: (answer: Answer) => void = () => {};
  const promise = new Promise<Answer>((done) => {
    resolve = done;
  });
  return { promise, resolve: (answer) => resolve(answer) };
}
