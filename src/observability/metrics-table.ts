/** The reference of metrics in docs/metrics.md, printed from what the registry knows. */
import { COMPATIBLE_METRICS } from "./compatible-metrics.ts";
import type { MetricDescription } from "./metrics-registry.ts";

/** Everything between the two lines of docs/metrics.md that contain these. */
export const TABLE_BEGIN = "<!-- metrics: begin -->";
export const TABLE_END = "<!-- metrics: end -->";

/** Markdown with one table per group. Names are given without `prefix`. */
export function metricsTable(descriptions: readonly MetricDescription[], prefix: string): string {
  const compatible = new Set(COMPATIBLE_METRICS.map(({ name }) => name));
  const groups: Record<string, MetricDescription[]> = {
    "Connections, messages and HTTP calls by app (names that existing dashboards read)": [],
    "Connections, channels, HTTP API and cache": [],
    Webhooks: [],
    "Cluster: only with Redis": [],
    "Process and Node.js": [],
  };
  const [byApp, own, webhooks, cluster, node] = Object.values(groups);
  for (const { name: full, ...rest } of descriptions) {
    const name = full.slice(prefix.length);
    const isCompatible = compatible.has(name) || name.startsWith("horizontal_adapter_");
    const isNode = /^(process|nodejs)_/.test(name);
    const isCluster = /^(redis|node|state|outbox)_/.test(name);
    const mine = isCluster ? cluster : /^webhook_/.test(name) ? webhooks : own;
    const group = isCompatible ? byApp : isNode ? node : mine;
    group?.push({ name, ...rest });
  }
  return Object.entries(groups)
    .map(([title, rows]) => `### ${title}\n\n${table(rows)}`)
    .join("\n\n");
}

function table(rows: readonly MetricDescription[]): string {
  const lines = rows.map(({ name, type, labels, help }) => {
    const quoted = labels.map((label) => `\`${label}\``).join(", ");
    return `| \`${name}\` | ${type} | ${quoted} | ${help} |`;
  });
  return ["| name | type | labels | what it says |", "|---|---|---|---|", ...lines].join("\n");
}

/** `page` with the table between its two marks replaced. Throws when a mark is missing. */
export function replaceTable(page: string, table: string): string {
  const begin = page.indexOf(TABLE_BEGIN);
  const end = page.indexOf(TABLE_END);
  if (begin === -1 || end < begin)
    throw new Error(`The page lacks ${TABLE_BEGIN} or ${TABLE_END}.`);
  return `${page.slice(0, begin + TABLE_BEGIN.length)}\n\n${table}\n\n${page.slice(end)}`;
}
