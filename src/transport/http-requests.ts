/** HTTP requests: from the native request to an answer of the HTTP API and back. */
import { STATUS_CODES } from "node:http";
import type { BodyWanted, HttpAnswer, HttpApi, RequestHead } from "../http/http-api.ts";
import { addressText, clientOf, type TrustedProxies } from "./client-address.ts";
import type { TransportCounters } from "./counters.ts";
import type { HttpRequest, HttpResponse, TemplatedApp } from "./uws.ts";

export interface HttpRequestParts {
  readonly api: HttpApi;
  readonly proxies: TrustedProxies;
  readonly counters: TransportCounters;
}

/** Past this many bytes of unread body the connection is closed with the answer instead of reading on. */
const MAX_UNREAD_BODY_BYTES = 65_536;

/** Routes every request that is no upgrade to the HTTP API. */
export function serveHttp(app: TemplatedApp, parts: HttpRequestParts): void {
  app.any("/*", (res, req) => {
    const exchange = new Exchange(parts, res);
    exchange.begin(readHead(res, req, parts.proxies, exchange));
  });
}

/** Every header costs a call into the library (0.3 µs), so those that only some requests need are read for those. */
function readHead(
  res: HttpResponse,
  req: HttpRequest,
  proxies: TrustedProxies,
  exchange: Exchange,
): RequestHead {
  const method = req.getCaseSensitiveMethod().toUpperCase();
  const length = req.getHeader("content-length");
  const address = proxies.isEmpty
    ? undefined
    : clientOf(
        addressText(res.getRemoteAddress()),
        req.getHeader("x-forwarded-for"),
        req.getHeader("x-forwarded-proto"),
        proxies,
      ).address;
  return {
    method,
    path: req.getUrl(),
    // Undefined when there is none, whatever its type says.
    query: req.getQuery() ?? "",
    origin: req.getHeader("origin") || undefined,
    contentLength: length === "" ? undefined : Number(length),
    accessControlRequestHeaders:
      method === "OPTIONS"
        ? req.getHeader("access-control-request-headers") || undefined
        : undefined,
    address: () => address ?? exchange.peerAddress(),
  };
}

/** One request and its answer. */
class Exchange {
  readonly #parts: HttpRequestParts;
  readonly #res: HttpResponse;
  #isOver = false;
  #isHead = false;
  #contentLength: number | undefined;
  /** Undefined until the head has been accepted. */
  #wanted: BodyWanted | undefined;
  #chunks: Buffer[] = [];
  #received = 0;
  #hasAll = false;
  /** Whether something had to be waited for: then the answer may come outside of the library's callbacks. */
  #isLate = false;

  constructor(parts: HttpRequestParts, res: HttpResponse) {
    this.#parts = parts;
    this.#res = res;
    res.onAborted(() => {
      this.#isOver = true;
    });
  }

  begin(head: RequestHead): void {
    this.#isHead = head.method === "HEAD";
    this.#contentLength = head.contentLength;
    const begun = this.#parts.api.begin(head);
    if (!(begun instanceof Promise)) {
      this.#take(begun);
      if (!this.#isOver) this.#res.onData((chunk, isLast) => this.#read(chunk, isLast));
      return;
    }
    this.#isLate = true;
    // Data that came with the head is delivered now or never; what follows waits until the head is accepted.
    this.#res.onData((chunk, isLast) => this.#read(chunk, isLast));
    this.#res.pause();
    begun.then((result) => {
      if (this.#isOver) return;
      // Before any answer: the connection is kept for the next request.
      this.#res.resume();
      this.#take(result);
      if (this.#isOver) return;
      if (this.#isTooLarge()) this.#refuseBody();
      else if (this.#hasAll) this.#finish(Buffer.concat(this.#chunks));
    }, this.#failed.bind(this));
  }

  /** Empty once the exchange is over: the connection may be gone. */
  peerAddress(): string {
    return this.#isOver ? "" : addressText(this.#res.getRemoteAddress());
  }

  /** The API promises not to reject; if it does, that is ours to see. */
  #failed(error: unknown): never {
    this.#answer({ status: 500, body: '{"error":"Internal error.","code":500}', route: "unknown" });
    throw error;
  }

  #take(begun: HttpAnswer | BodyWanted): void {
    if (!("finish" in begun)) {
      this.#answer(begun);
      return;
    }
    this.#wanted = begun;
    if ((this.#contentLength ?? 0) > begun.maxBodyBytes) this.#refuseBody();
  }

  #read(chunk: ArrayBuffer, isLast: boolean): void {
    if (this.#isOver) return;
    this.#received += chunk.byteLength;
    if (this.#isTooLarge()) return this.#refuseBody();
    if (isLast && this.#wanted !== undefined && this.#chunks.length === 0) {
      this.#finish(Buffer.from(chunk));
      return;
    }
    // The chunk is only lent for this call.
    this.#chunks.push(Buffer.from(new Uint8Array(chunk)));
    if (!isLast) return;
    this.#hasAll = true;
    if (this.#wanted !== undefined) this.#finish(Buffer.concat(this.#chunks));
  }

  #isTooLarge(): boolean {
    const limit = this.#wanted?.maxBodyBytes ?? MAX_UNREAD_BODY_BYTES * 16;
    return this.#received > limit;
  }

  #refuseBody(): void {
    this.#parts.counters.bodiesRefused += 1;
    this.#chunks = [];
    const tooLarge = this.#wanted?.tooLarge();
    this.#answer(
      tooLarge ?? {
        status: 413,
        body: '{"error":"The body is too large.","code":413}',
        route: "unknown",
      },
    );
  }

  #finish(body: Buffer): void {
    const answer = this.#wanted?.finish(body);
    this.#chunks = [];
    if (answer instanceof Promise) {
      this.#isLate = true;
      answer.then((late) => this.#answer(late), this.#failed.bind(this));
    } else if (answer !== undefined) this.#answer(answer);
  }

  #answer(answer: HttpAnswer): void {
    if (this.#isOver) return;
    this.#isOver = true;
    // The library corks what is written in its callbacks: once more by hand cost 0.3 of 18 µs a request.
    if (this.#isLate) this.#res.cork(() => this.#write(answer));
    else this.#write(answer);
  }

  #write(answer: HttpAnswer): void {
    const res = this.#res;
    // 200 is what the library writes by itself.
    if (answer.status !== 200) {
      res.writeStatus(`${answer.status} ${STATUS_CODES[answer.status] ?? ""}`);
    }
    res.writeHeader("Content-Type", answer.contentType ?? "application/json");
    if (answer.headers !== undefined) {
      for (const [name, value] of Object.entries(answer.headers)) res.writeHeader(name, value);
    }
    if (!this.#isHead) res.end(answer.body, this.#mustClose());
    else {
      // Given the length, endWithoutBody waits for so many bytes: the connection's next request would be dropped.
      res.writeHeader("Content-Length", String(Buffer.byteLength(answer.body)));
      res.endWithoutBody();
    }
  }

  /** Whether much of the body is still to come: reading it to keep the connection would cost more than it is worth. */
  #mustClose(): boolean {
    if (this.#contentLength === undefined) return this.#received > MAX_UNREAD_BODY_BYTES;
    return this.#contentLength - this.#received > MAX_UNREAD_BODY_BYTES;
  }
}
