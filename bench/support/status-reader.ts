/** Finds the statuses in a stream of HTTP answers, and looks at nothing else of them. */

const HEAD = Buffer.from("HTTP/1.1 ");
/** `HTTP/1.1 200`: all of an answer that is looked at. */
const LOOKED_AT_BYTES = HEAD.length + 3;

/** The function takes the stream in pieces. Bodies may not contain a status line. */
export function createStatusReader(onStatus: (status: number) => void): (chunk: Buffer) => void {
  /** The last bytes that came, where an answer may have begun: too few for a whole status line. */
  let rest = Buffer.alloc(0);

  return (chunk) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let from = 0; ; ) {
      const at = bytes.indexOf(HEAD, from);
      from = at + LOOKED_AT_BYTES;
      if (at === -1 || from > bytes.length) break;
      onStatus(Number(bytes.toString("latin1", at + HEAD.length, from)));
    }
    rest = Buffer.from(bytes.subarray(Math.max(0, bytes.length - LOOKED_AT_BYTES + 1)));
  };
}
