/**
 * A logger as the rooms see it: one is handed in, none imports the library behind it. It stands in this room
 * because every other may import it. Messages are fixed lower-case phrases; facts are fields in snake_case.
 */
type Write = (fields: Readonly<Record<string, unknown>>, message: string) => void;

export interface Log {
  readonly debug: Write;
  readonly info: Write;
  readonly warn: Write;
  readonly error: Write;
}

/** For tests and tools that want none. */
export const SILENT_LOG: Log = { debug() {}, info() {}, warn() {}, error() {} };
