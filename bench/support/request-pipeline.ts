/** Many requests under way on one keep-alive connection: finished requests out, statuses back in their order. */
import { connect } from "node:net";
import type { Endpoint } from "./endpoint.ts";
import { createStatusReader } from "./status-reader.ts";

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
  const read = createStatusReader((status) => {
    onAnswer(status, dueMs[answered % maxPending] ?? 0);
    answered += 1;
  });

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
