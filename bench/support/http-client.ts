/** One keep-alive HTTP connection on a raw socket: finished requests out, statuses back. */
import { connect, type Socket } from "node:net";
import type { Endpoint } from "./endpoint.ts";

export interface HttpClient {
  /** Sends a finished request. One at a time; `onStatus` is called once, with 0 when the connection was lost. */
  send(request: Buffer, onStatus: (status: number) => void): void;
  /** How often the server has closed the connection after an answer, so that it had to be opened anew. */
  readonly reconnects: number;
  close(): void;
}

const READ_BUFFER = Buffer.allocUnsafe(65_536);
const END_OF_HEAD = Buffer.from("\r\n\r\n");

export function createHttpClient({ host, port }: Pick<Endpoint, "host" | "port">): HttpClient {
  let socket: Socket | undefined;
  let onStatus: ((status: number) => void) | undefined;
  let rest: Buffer | undefined;
  let reconnects = 0;
  /** Bytes of the last answer and its status: an answer that is just as long is taken for its like. */
  let lastLength = 0;
  let lastStatus = 0;

  function open(): Socket {
    const opened = connect({
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
    opened.on("error", () => lost(opened));
    opened.on("close", () => lost(opened));
    return opened;
  }

  function lost(which: Socket): void {
    if (socket !== which) return;
    socket = undefined;
    answer(0);
  }

  function answer(status: number): void {
    const told = onStatus;
    onStatus = undefined;
    rest = undefined;
    told?.(status);
  }

  function read(chunk: Buffer): void {
    if (rest === undefined && chunk.length === lastLength && statusOf(chunk) === lastStatus) {
      return answer(lastStatus);
    }
    const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    const end = bytes.indexOf(END_OF_HEAD);
    const head = end === -1 ? "" : bytes.toString("latin1", 0, end).toLowerCase();
    const length = end + 4 + Number(/\ncontent-length: *(\d+)/.exec(head)?.[1] ?? 0);
    if (end === -1 || bytes.length < length) {
      rest = Buffer.from(bytes);
      return;
    }
    if (head.includes("\nconnection: close")) {
      reconnects += 1;
      const closing = socket;
      socket = undefined;
      closing?.destroy();
    } else {
      lastLength = bytes.length;
      lastStatus = statusOf(bytes);
    }
    answer(statusOf(bytes));
  }

  return {
    get reconnects() {
      return reconnects;
    },
    send(request, told) {
      onStatus = told;
      socket ??= open();
      socket.write(request);
    },
    close() {
      const closing = socket;
      socket = undefined;
      closing?.destroy();
    },
  };
}

/** Of an answer's first bytes: `HTTP/1.1 200`. */
function statusOf(bytes: Buffer): number {
  return ((bytes[9] ?? 0) - 48) * 100 + ((bytes[10] ?? 0) - 48) * 10 + ((bytes[11] ?? 0) - 48);
}
