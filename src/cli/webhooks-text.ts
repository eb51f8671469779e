/** How the webhooks commands write tables, ages and counts. */

/** Columns as wide as they need to be; those named in `right` are set to the right. */
export function tableText(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly string[] = [],
): string {
  const widths = head.map((name, at) =>
    Math.max(name.length, ...rows.map((row) => row[at]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    head
      .map((name, at) => {
        const cell = cells[at] ?? "";
        const width = widths[at] ?? 0;
        return right.includes(name) ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd();
  return [head, ...rows].map((cells) => `${line(cells)}\n`).join("");
}

const UNITS: readonly (readonly [name: string, ms: number])[] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
];

/** `2h 5m`: the two largest units; `0s` for anything shorter than a second. */
export function ageText(ms: number): string {
  let rest = Math.max(0, ms);
  const parts: string[] = [];
  for (const [name, size] of UNITS) {
    const count = Math.floor(rest / size);
    if (count === 0 && parts.length === 0) continue;
    rest -= count * size;
    if (count > 0) parts.push(`${count}${name}`);
    if (parts.length === 2 || count === 0) break;
  }
  return parts.length === 0 ? "0s" : parts.join(" ");
}

/** `1 dead letter`, `1,200 dead letters`. */
export function countText(count: number, thing: string): string {
  return `${count.toLocaleString("en")} ${thing}${count === 1 ? "" : "s"}`;
}

/** `2026-11-24 10:00:00Z`. */
export function timeText(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 19).replace("T", " ")}Z`;
}
