import assert from "node:assert/strict";
import { test } from "node:test";
import type { BodyWanted, HttpAnswer, HttpApi } from "../../src/http/http-api.ts";
import { createTrustedProxies } from "../../src/transport/client-address.ts";
import { createTransportCounters } from "../../src/transport/counters.ts";
import { serveHttp } from "../../src/transport/http-requests.ts";
import type { HttpRequest, HttpResponse, TemplatedApp } from "../../src/transport/uws.ts";
import { type RandomSource, seededSource } from "../support/random-source.ts";

type OnData = (chunk: ArrayBuffer, isLast: boolean) => void;
type Handler = (res: HttpResponse, req: HttpRequest) => void;

/** A native response that knows whether it is corked: in the library's callbacks, and in `cork`. */
class FakeResponse {
  #depth = 0;
  #onData: OnData | undefined;
  /** What was written, each write with whether it was corked. */
  readonly writes: [what: string, isCorked: boolean][] = [];

  cork(write: () => void): void {
    this.#depth += 1;
    write();
    this.#depth -= 1;
  }
  receive(chunk: Buffer, isLast: boolean): void {
    // A copy of its own, as the library lends it.
    this.cork(() => this.#onData?.(new Uint8Array(chunk).buffer, isLast));
  }
  onData(read: OnData): void {
    this.#onData = read;
  }
  onAborted(): void {}
  pause(): void {}
  resume(): void {}
  writeStatus(status: string): void {
    this.#note(status);
  }
  writeHeader(name: string, value: string): void {
    this.#note(`${name}: ${value}`);
  }
  end(body: string): void {
    this.#note(body);
  }
  #note(what: string): void {
    this.writes.push([what, this.#depth > 0]);
  }
}

const REQUEST = {
  getCaseSensitiveMethod: () => "POST",
  getUrl: () => "/apps/1/events",
  getQuery: () => "",
  getHeader: () => "",
} as unknown as HttpRequest;

/** The value at once, or later. */
function nowOrLater<T>(below: RandomSource, value: T): T | Promise<T> {
  if (below(2) === 0) return value;
  return new Promise((resolve) => setImmediate(() => resolve(value)));
}

test("every answer is written corked and once, given at once or later, whatever the chunks", async (t) => {
  const { seed, below } = seededSource(t);
  for (let round = 0; round < 2_000; round++) {
    const body = Buffer.alloc(below(12), "x");
    const refused: HttpAnswer = { status: 413, body: "refused", route: "r" };
    const api: HttpApi = {
      begin() {
        if (below(5) === 0) return nowOrLater(below, refused);
        const wanted: BodyWanted = {
          route: "r",
          maxBodyBytes: 10,
          tooLarge: () => refused,
          finish: (whole) =>
            nowOrLater(below, { status: 200, body: `got ${whole.length}`, route: "r" }),
        };
        return nowOrLater<HttpAnswer | BodyWanted>(below, wanted);
      },
    };
    const handlers: Handler[] = [];
    const app = { any: (_: string, handler: Handler) => handlers.push(handler) };
    serveHttp(app as unknown as TemplatedApp, {
      api,
      proxies: createTrustedProxies([]),
      counters: createTransportCounters(),
    });
    const response = new FakeResponse();
    response.cork(() => handlers[0]?.(response as unknown as HttpResponse, REQUEST));
    for (let at = 0; at <= body.length; ) {
      const end = Math.min(body.length, at + 1 + below(body.length + 1));
      response.receive(body.subarray(at, end), end === body.length);
      at = end === body.length ? end + 1 : end;
      if (below(3) === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    for (let turns = 0; turns < 4; turns++) await new Promise((resolve) => setImmediate(resolve));

    const what = `seed ${seed}, round ${round}`;
    const answers = response.writes.filter(([text]) => /^(got|refused)/.test(text));
    assert.equal(answers.length, 1, what);
    const [[answer] = [""]] = answers;
    assert.ok(answer === "refused" || answer === `got ${body.length}`, what);
    assert.ok(body.length <= 10 || answer === "refused", what);
    assert.ok(
      response.writes.every(([, isCorked]) => isCorked),
      what,
    );
  }
});
