/** Many requests under way on one keep-alive connection: finished requests out, statuses back in their order. */
import { connect } from "node:net";
import type { Endpoint } from "./endpoint.ts";

export interface RequestPipeline {
  /** Requests that have no answer yet. */
  readonly pending: number;
  /** `requests`: `count` finished ones. `dueMs`: when they should have been sent, from which their time counts. */
  send(requests: Buffer, count: number, dueMs: number): void;
  close(): void;
}

export interface PipelineEvents {
  readonly onAnswer: (status: number, dueMs: number) => void;
  /** The connection has gone, though nobody here closed it, with so many requests unanswered. It is not made anew. */
  readonly onLost: (pending: number) => void;
}

/** Lent to one socket after the other. */
const READ_BUFFER = Buffer.allocUnsafe(262_144);
const HEAD = Buffer.from("HTTP/1.1 ");
/** `HTTP/1.1 200`: all of an answer that is looked at. */
const LOOKED_AT_BYTES = HEAD.length + 3;

/** `maxPending`: no more are sent than this, which whoever sends has to see to. */
export function createRequestPipeline(
  { host, port }: Pick<Endpoint, "host" | "port">,
  maxPending: number,
  { onAnswer, onLost }: PipelineEvents,
): RequestPipeline {
  /** A ring: the request that is answered next is at `answered`. */
  const dueMs = new Float64Array(maxPending);
  let sent = 0;
  let answered = 0;
  let isClosed = false;
  /** The last bytes that came, where an answer may have begun. */
  let rest = Buffer.alloc(0);

  const socket = connect({
    host,
    port,
    noDelay: true,
    onread: {
      buffer: READ_BUFFER,
      callback(length) {
        read(READ_BUFFER.subarray(0, length));
        return true;
      },
    },
  });
  socket.on("error", lost);
  socket.on("close", lost);

  function lost(): void {
    if (isClosed) return;
    isClosed = true;
    socket.destroy();
    onLost(sent - answered);
  }

  /** Looks for the beginnings of answers, and at nothing else of them: bodies here contain no status line. */
  function read(chunk: Buffer): void {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let from = 0;
    for (;;) {
      const at = bytes.indexOf(HEAD, from);
      if (at === -1 || at + LOOKED_AT_BYTES > bytes.length) break;
      from = at + LOOKED_AT_BYTES;
      const status = Number(bytes.toString("latin1", at + HEAD.length, from));
      onAnswer(status, dueMs[answered % maxPending] ?? 0);
      answered += 1;
    }
    rest = Buffer.from(bytes.subarray(Math.max(from, bytes.length - LOOKED_AT_BYTES + 1)));
  }

  return {
    get pending() {
      return sent - answered;
    },
    send(requests, count, due) {
      for (let n = 0; n < count; n += 1) dueMs[(sent + n) % maxPending] = due;
      sent += count;
      socket.write(requests);
    },
    close() {
      isClosed = true;
      socket.destroy();
    },
  };
}
