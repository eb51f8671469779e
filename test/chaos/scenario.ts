/** A scenario is a test that leaves one row for the table in docs/webhooks.md. */
import { appendFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import type { Verdict } from "./recorder.ts";
import { type Row, rowText } from "./row.ts";
import { SCALE, type Scale } from "./scale.ts";

export interface Outcome {
  readonly verdict: Verdict;
  readonly note?: string;
}

const TIMEOUT_MS = SCALE.isLong ? 30 * 60_000 : 3 * 60_000;

/** Runs it; the row is told, and appended to the file that `CHAOS_ROWS` names, one JSON object a line. */
export function scenario(
  name: string,
  run: (t: TestContext, scale: Scale) => Promise<Outcome>,
): void {
  test(name, { timeout: TIMEOUT_MS, concurrency: true }, async (t) => {
    const { verdict, note = "" } = await run(t, SCALE);
    const row = rowOf(name, verdict, note);
    t.diagnostic(rowText(row));
    const file = process.env.CHAOS_ROWS;
    if (file) appendFileSync(file, `${JSON.stringify(row)}\n`);
  });
}

function rowOf(name: string, verdict: Verdict, note: string): Row {
  const { events, lost, invented, unordered, repeats, worstDelayMs } = verdict;
  return {
    scenario: name,
    events,
    lost: lost.length,
    invented: invented.length,
    unordered,
    repeats,
    worstDelayMs,
    note,
  };
}
