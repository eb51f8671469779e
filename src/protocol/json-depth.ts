/** A bound on nesting. 50,000 levels parse, and then overflow the stack when they are written again. */

/** Deepest nesting accepted in what clients and backends send as data, in levels of arrays and objects. */
export const MAX_JSON_DEPTH = 64;

/** Whether `value`, made by JSON.parse, has more than `levels` nested arrays and objects. */
export function isDeeperThan(value: unknown, levels: number = MAX_JSON_DEPTH): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  for (const inner of Array.isArray(value) ? value : Object.values(value)) {
    if (isDeeperThan(inner, levels - 1)) return true;
  }
  return false;
}
