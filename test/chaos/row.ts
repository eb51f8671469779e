/** What a scenario tells in one row of the table in docs/webhooks.md. */

export interface Row {
  readonly scenario: string;
  /** That were owed, over all endpoints. */
  readonly events: number;
  readonly lost: number;
  readonly invented: number;
  readonly unordered: number;
  readonly repeats: number;
  /** From the decision to the first arrival that was taken. */
  readonly worstDelayMs: number;
  /** What else was measured. */
  readonly note: string;
}

/** The head of the table. */
export const COLUMNS = [
  "| scenario | events | lost | invented | out of order | repeats | worst delay | |",
  "|---|---|---|---|---|---|---|---|",
];

/** A row of it. */
export function rowText(row: Row): string {
  const { scenario, events, lost, invented, unordered, repeats, worstDelayMs, note } = row;
  const counts = [events, lost, invented, unordered, repeats].map((n) => n.toLocaleString("en"));
  const cells = [scenario, ...counts, `${(worstDelayMs / 1_000).toFixed(1)} s`, note];
  return `| ${cells.join(" | ")} |`;
}
