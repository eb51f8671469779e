/** What a row of the tables of metrics is made of, and how sources become samples. */
import type { MetricDefinition, Reading, Sample } from "./metrics-registry.ts";
import type {
  Counts,
  MaybePromise,
  NestedCounts,
  ServerMetricsSources,
} from "./metrics-sources.ts";

export interface ServerMetric extends MetricDefinition {
  readonly type: "counter" | "gauge";
  readonly read: (sources: ServerMetricsSources) => MaybePromise<Reading>;
}

/** The close codes that have a series of their own: what the server sends, and what ends a connection without it. */
const CLOSE_CODES = new Set(
  "1000 1001 1002 1003 1005 1006 1007 1009 1011 1012 1013 4000 4001 4003 4004 4005 4006 4007 4008 4009 4100 4200 4201 4301".split(
    " ",
  ),
);

/** One sample per key of `counts`. */
export function samplesBy(label: string, counts: Counts): Sample[] {
  return entries(counts).map(([key, value]) => ({ labels: { [label]: key }, value }));
}

/** One sample per inner key of `counts`. */
export function samplesByTwo(outer: string, inner: string, counts: NestedCounts): Sample[] {
  return entries<Counts>(counts).flatMap(([key, values]) =>
    samplesBy(inner, values).map(({ labels, value }) => ({
      labels: { [outer]: key, ...labels },
      value,
    })),
  );
}

/** As `samplesBy`, of the keys that begin with `prefix` and without it. */
export function samplesByPrefix(label: string, prefix: string, counts: Counts): Sample[] {
  const found = entries(counts).filter(([key]) => key.startsWith(prefix));
  return samplesBy(label, new Map(found.map(([key, count]) => [key.slice(prefix.length), count])));
}

/** As `samplesBy`, with the codes that clients made up themselves joined to `other`, so that series stay few. */
export function samplesByCloseCode(counts: Counts): Sample[] {
  const known: Record<string, number> = {};
  for (const [code, count] of entries(counts)) {
    const label = CLOSE_CODES.has(code) ? code : "other";
    known[label] = (known[label] ?? 0) + count;
  }
  return samplesBy("code", known);
}

function entries<T>(
  counts: Readonly<Record<string, T>> | ReadonlyMap<string | number, T>,
): [string, T][] {
  if (!(counts instanceof Map)) return Object.entries(counts);
  return Array.from(counts, ([key, value]) => [String(key), value]);
}
