/**
 * A strict reader of Prometheus' text format 0.0.4, written from its description alone: it shares no code with
 * what prints the metrics, and throws where a scraper would drop the scrape.
 */

export interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly series: Series[];
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const TYPES = ["counter", "gauge", "histogram", "summary", "untyped"];
const VALUE = /^(?:[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|[+-]?Inf|NaN)$/i;

/** Every family by its name. Throws with the number of the line on anything that the format does not allow. */
export function readExposition(text: string): Map<string, Family> {
  if (!text.endsWith("\n")) throw new Error("The last line does not end.");
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let helps = new Map<string, string>();
  let current: Family | undefined;

  const lines = text.slice(0, -1).split("\n");
  for (const [index, line] of lines.entries()) {
    const fail = (problem: string): never => {
      throw new Error(`line ${index + 1}: ${problem}: ${line}`);
    };
    if (line === "") continue;
    const help = /^# HELP (\S+) (.*)$/.exec(line);
    if (help !== null) {
      const [, name = "", sentence = ""] = help;
      if (helps.has(name) || families.has(name)) fail("a second HELP, or a split family");
      helps = new Map([[name, sentence]]);
      continue;
    }
    const type = /^# TYPE (\S+) (\S+)$/.exec(line);
    if (type !== null) {
      const [, name = "", kind = ""] = type;
      if (!NAME.test(name)) fail("not a name");
      if (!TYPES.includes(kind)) fail("not a type");
      if (families.has(name)) fail("a second TYPE");
      current = { name, help: helps.get(name) ?? fail("no HELP before"), type: kind, series: [] };
      families.set(name, current);
      continue;
    }
    if (line.startsWith("#")) continue;
    const series = readSeries(line, fail);
    if (current === undefined || !belongs(series, current)) {
      throw fail(current === undefined ? "no TYPE before" : `not of the family ${current.name}`);
    }
    const labels = Object.entries(series.labels).sort(([a], [b]) => (a < b ? -1 : 1));
    const identity = series.name + JSON.stringify(labels);
    if (seen.has(identity)) fail("a series twice");
    seen.add(identity);
    if (current.type === "counter" && !(series.value >= 0)) fail("a counter below 0");
    current.series.push(series);
  }
  for (const family of families.values()) {
    if (family.type === "histogram") checkHistogram(family);
  }
  return families;
}

function readSeries(line: string, fail: (problem: string) => never): Series {
  const name = /^[^{\s]+/.exec(line)?.[0] ?? "";
  if (!NAME.test(name)) fail("not a name");
  const labels: Record<string, string> = {};
  let at = name.length;
  if (line[at] === "{") {
    at += 1;
    while (line[at] !== "}") {
      const equals = line.indexOf("=", at);
      const label = line.slice(at, equals);
      if (equals === -1 || !LABEL.test(label)) fail("not a label");
      if (label in labels) fail("a label twice");
      if (line[equals + 1] !== '"') fail("a label without quotes");
      let value = "";
      at = equals + 2;
      while (line[at] !== '"') {
        if (at >= line.length) fail("a label value without an end");
        if (line[at] === "\\") {
          at += 1;
          const escaped = { n: "\n", "\\": "\\", '"': '"' }[line[at] ?? ""];
          value += escaped ?? fail("not an escape");
        } else {
          value += line[at];
        }
        at += 1;
      }
      labels[label] = value;
      at += 1;
      if (line[at] === ",") at += 1;
      else if (line[at] !== "}") fail("neither a comma nor the end of the labels");
    }
    at += 1;
  }
  const [, value = "", timestamp] = /^ (\S+)(?: (-?\d+))?$/.exec(line.slice(at)) ?? [];
  if (!VALUE.test(value)) fail("not a value");
  if (timestamp !== undefined) fail("a timestamp, which nothing here sends");
  return { name, labels, value: Number(value.replace(/Inf/i, "Infinity")) };
}

function belongs({ name, labels }: Series, family: Family): boolean {
  if (family.type !== "histogram") return name === family.name;
  if (name === `${family.name}_bucket`) return "le" in labels;
  return name === `${family.name}_sum` || name === `${family.name}_count`;
}

/** Buckets grow, end with +Inf, and the last equals the count. */
function checkHistogram(family: Family): void {
  const buckets = new Map<string, { bound: number; count: number }[]>();
  for (const { name, labels, value } of family.series) {
    if (!name.endsWith("_bucket")) continue;
    const { le = "", ...rest } = labels;
    const key = JSON.stringify(Object.entries(rest).sort());
    const bound = Number(le.replace("Inf", "Infinity"));
    buckets.set(key, [...(buckets.get(key) ?? []), { bound, count: value }]);
  }
  for (const { name, labels, value } of family.series) {
    if (!name.endsWith("_count")) continue;
    const list = buckets.get(JSON.stringify(Object.entries(labels).sort())) ?? [];
    list.forEach(({ bound, count }, index) => {
      const before = list[index - 1];
      if (before !== undefined && (before.bound >= bound || before.count > count)) {
        throw new Error(`${family.name}: bucket ${bound} is out of order.`);
      }
    });
    const last = list.at(-1);
    if (last?.bound !== Number.POSITIVE_INFINITY || last.count !== value) {
      throw new Error(`${family.name}: the +Inf bucket is not the count.`);
    }
  }
}
