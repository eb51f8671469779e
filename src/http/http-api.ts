/** The HTTP side of Pipit, apart from the server that carries it. */

/** The head of a request, copied out of the native request. */
export interface RequestHead {
  /** Upper case. */
  readonly method: string;
  /** As on the wire, not decoded, without the query. */
  readonly path: string;
  /** As on the wire, without the question mark; empty when there is none. */
  readonly query: string;
  readonly origin: string | undefined;
  /** From `Content-Length`; undefined when absent (chunked, or no body). */
  readonly contentLength: number | undefined;
  /** Only of OPTIONS. */
  readonly accessControlRequestHeaders: string | undefined;
  /** Of the client, empty once the request is answered: found out when asked, which most requests do not need. */
  readonly address: () => string;
}

/** An answer. `body` is JSON unless `contentType` says otherwise. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
  readonly contentType?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** For metrics: the route's pattern, never the path. */
  readonly route: string;
}

/** The head was accepted and a body is wanted: call `finish` with all of it, or answer 413 past the bound. */
export interface BodyWanted {
  readonly route: string;
  readonly maxBodyBytes: number;
  /** The answer to a body over `maxBodyBytes`. Counted as an answer: call it once, to send it. */
  tooLarge(): HttpAnswer;
  /** `body` is only valid in this call: what is kept of it must be copied. */
  finish(body: Buffer): HttpAnswer | Promise<HttpAnswer>;
}

export interface HttpApi {
  /**
   * Answers from the head alone (health, reads, refusals of unsigned requests), or asks for the body. An
   * unsigned request thus costs no memory. Never throws or rejects: a fault is answered with 500 and logged.
   */
  begin(head: RequestHead): HttpAnswer | BodyWanted | Promise<HttpAnswer | BodyWanted>;
}
