/** docs/alerts.rules.yml, as Prometheus' own tool reads it: each alert is seen to fire, and to be quiet. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { PROMTOOL, programPath } from "../tools/programs.ts";
import { allMetrics } from "./all-metrics.ts";

const RULES = fileURLToPath(new URL("../../docs/alerts.rules.yml", import.meta.url));
const SCRAPE = fileURLToPath(new URL("../../docs/prometheus.yml", import.meta.url));

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

function rules(): readonly Rule[] {
  const { groups } = parse(readFileSync(RULES, "utf8")) as { groups: { rules: Rule[] }[] };
  return groups.flatMap((group) => group.rules);
}

const ENDPOINT = 'app_id="1",endpoint="orders"';

/** One value a minute for an hour, as promtool writes it. */
const flat = (value: number) => `${value}x60`;
const growing = (step: number) => `0+${step}x60`;

/** Of each alert: series with which it fires, and series that look alike and are harmless. */
const CASES: Readonly<Record<string, readonly [fires: Series, quiet: Series]>> = {
  PipitWebhookBacklogOld: [
    // The highest counts: other nodes dispatch nothing for the endpoint.
    {
      [`webhook_oldest_event_age_seconds{${ENDPOINT},instance="a"}`]: flat(0),
      [`webhook_oldest_event_age_seconds{${ENDPOINT},instance="b"}`]: flat(61),
    },
    {
      [`webhook_oldest_event_age_seconds{${ENDPOINT}}`]:
        "0 300 0 0 300 0 0 300 0 0 300 0 0 300 0 0",
    },
  ],
  PipitWebhookEndpointBackingOff: [
    { [`webhook_endpoint_state{${ENDPOINT},state="backing_off"}`]: flat(1) },
    { [`webhook_endpoint_state{${ENDPOINT},state="healthy"}`]: flat(1) },
  ],
  PipitWebhookEndpointPaused: [
    { [`webhook_endpoint_paused{${ENDPOINT}}`]: flat(1) },
    { [`webhook_endpoint_paused{${ENDPOINT}}`]: flat(0) },
  ],
  PipitWebhookEventsDeadLettered: [
    { [`webhook_events_dead_lettered_total{${ENDPOINT}}`]: growing(1) },
    { [`webhook_events_dead_lettered_total{${ENDPOINT}}`]: flat(7) },
  ],
  PipitWebhookEventsDropped: [
    { [`webhook_events_dropped_total{${ENDPOINT}}`]: growing(1) },
    { [`webhook_events_dropped_total{${ENDPOINT}}`]: flat(7) },
  ],
  PipitWebhookEventsOverrun: [
    { webhook_events_overrun_total: growing(1) },
    { webhook_events_overrun_total: flat(7) },
  ],
  PipitWebhookEventsUnrouted: [
    // Stuck: nothing is routed any more.
    { webhook_unrouted_events: flat(1), [`webhook_events_total{${ENDPOINT},type="x"}`]: flat(9) },
    // Busy: 600 a minute, of which 9 are on their way whenever one looks.
    {
      webhook_unrouted_events: flat(9),
      [`webhook_events_total{${ENDPOINT},type="x"}`]: growing(600),
    },
  ],
  PipitWebhookEventsHeld: [
    { webhook_held_events: flat(1) },
    { webhook_held_events: "1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0" },
  ],
  PipitNotReady: [{ ready: flat(0) }, { ready: flat(1) }],
  PipitDegraded: [{ degraded: flat(1) }, { degraded: flat(0) }],
  PipitRedisDown: [{ redis_up: flat(0) }, { redis_up: flat(1) }],
  PipitRedisMemoryHigh: [
    { redis_memory_used_bytes: flat(81), redis_memory_max_bytes: flat(100) },
    // 0 is no limit.
    { redis_memory_used_bytes: flat(81), redis_memory_max_bytes: flat(0) },
  ],
  PipitRedisMayEvict: [
    { 'redis_masters{maxmemory_policy="allkeys-lru"}': flat(1) },
    { 'redis_masters{maxmemory_policy="noeviction"}': flat(3) },
  ],
  PipitOutboxUndispatched: [
    {
      'outbox_partitions{instance="a"}': flat(64),
      'outbox_partitions_owned{instance="a"}': flat(31),
      'outbox_partitions{instance="b"}': flat(64),
      'outbox_partitions_owned{instance="b"}': flat(32),
    },
    {
      'outbox_partitions{instance="a"}': flat(64),
      'outbox_partitions_owned{instance="a"}': flat(32),
      'outbox_partitions{instance="b"}': flat(64),
      'outbox_partitions_owned{instance="b"}': flat(32),
    },
  ],
  PipitOutboxFailing: [{ outbox_failures_total: growing(1) }, { outbox_failures_total: flat(7) }],
};

/** Values by series without the prefix. */
type Series = Readonly<Record<string, string>>;

function promtool(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(programPath(PROMTOOL), args, { encoding: "utf8" });
  assert.equal(status, 0, `promtool ${args.join(" ")}:\n${stdout}${stderr}`);
  return stdout;
}

/** How many alerts of that name fire after a quarter of an hour, as a file of promtool's. */
function firing(alert: string, series: Series, count: number) {
  return {
    interval: "1m",
    input_series: Object.entries(series).map(([name, values]) => ({
      series: `pipit_${withJob(name)}`,
      values,
    })),
    promql_expr_test: [
      {
        expr: `count(ALERTS{alertname="${alert}",alertstate="firing"}) or vector(0)`,
        eval_time: "15m",
        exp_samples: [{ labels: "{}", value: count }],
      },
    ],
  };
}

function withJob(name: string): string {
  return name.includes("{") ? name.replace("{", '{job="pipit",') : `${name}{job="pipit"}`;
}

/** JSON is YAML. */
function saved(t: TestContext, tests: readonly object[]): string {
  const folder = mkdtempSync(join(tmpdir(), "pipit-alerts-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "alerts.test.json");
  writeFileSync(file, JSON.stringify({ rule_files: [RULES], evaluation_interval: "1m", tests }));
  return file;
}

test("Prometheus takes the alerts, and the configuration that names them", () => {
  assert.match(promtool("check", "rules", RULES), /SUCCESS: \d+ rules found/);
  assert.match(promtool("check", "config", SCRAPE), /SUCCESS: 1 rule files found/);
});

test("each alert fires for what it says, and not for what only looks so", (t) => {
  const tests = Object.entries(CASES).flatMap(([alert, [fires, quiet]]) => [
    firing(alert, fires, 1),
    firing(alert, quiet, 0),
  ]);
  promtool("test", "rules", saved(t, tests));
  assert.deepEqual(
    Object.keys(CASES).toSorted(),
    rules()
      .map(({ alert }) => alert)
      .toSorted(),
  );
});

test("each alert says what happened, what it means and what to do", () => {
  for (const { alert, labels, annotations } of rules()) {
    assert.match(labels.severity ?? "", /^(warning|critical)$/, alert);
    assert.deepEqual(Object.keys(annotations), ["summary", "description", "action"], alert);
  }
});

test("each metric that an alert looks at exists, and has the labels it names", () => {
  const metrics = new Map(
    allMetrics()
      .descriptions()
      .map((metric) => [metric.name, metric]),
  );
  for (const { alert, expr } of rules()) {
    const named = expr.match(/\bpipit_\w+/g) ?? [];
    assert.ok(named.length > 0, alert);
    for (const name of named) assert.ok(metrics.has(name), `${alert}: ${name}`);
    const [first = ""] = named;
    const known = ["job", "instance", ...(metrics.get(first)?.labels ?? [])];
    for (const [, list = ""] of expr.matchAll(/\bby \(([^)]*)\)/g)) {
      for (const label of list.split(", ")) assert.ok(known.includes(label), `${alert}: ${label}`);
    }
  }
});
