/**
 * The process and Node itself as metrics, under the names that dashboards for Node know.
 *
 * prom-client has a collection of these, but what it starts for the event loop and for garbage collection
 * cannot be stopped again, and a process may run and close many servers. A test compares the two lists.
 */
import { readdirSync, readFileSync } from "node:fs";
import {
  type IntervalHistogram,
  monitorEventLoopDelay,
  PerformanceObserver,
} from "node:perf_hooks";
import { getHeapSpaceStatistics } from "node:v8";
import type { MetricDefinition, MetricsRegistry, Sample } from "./metrics-registry.ts";

export interface ProcessMetrics {
  /** Begins to watch the event loop and garbage collection. */
  start(): void;
  close(): void;
}

const EVENT_LOOP_RESOLUTION_MS = 10;
const GC_BUCKETS_S = [0.001, 0.01, 0.1, 1, 2, 5];
/** By `NODE_PERFORMANCE_GC_…` constants, which are bits. */
const GC_KINDS: Readonly<Record<number, string>> = {
  1: "minor",
  4: "major",
  8: "incremental",
  16: "weakcb",
};

export function registerProcessMetrics(registry: MetricsRegistry): ProcessMetrics {
  registerProcess(registry);
  registerResources(registry);
  registerHeap(registry);
  const eventLoop = registerEventLoop(registry);
  const garbage = registerGarbageCollection(registry);
  return {
    start() {
      eventLoop.enable();
      garbage.observe({ entryTypes: ["gc"] });
    },
    close() {
      eventLoop.disable();
      garbage.disconnect();
    },
  };
}

function registerProcess(registry: MetricsRegistry): void {
  registry.exposeTotal(
    metric("process_cpu_user_seconds_total", "CPU time spent in user mode, in seconds."),
    () => process.cpuUsage().user / 1e6,
  );
  registry.exposeTotal(
    metric("process_cpu_system_seconds_total", "CPU time spent in system mode, in seconds."),
    () => process.cpuUsage().system / 1e6,
  );
  registry.exposeTotal(metric("process_cpu_seconds_total", "CPU time spent, in seconds."), () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  registry.exposeGauge(
    metric("process_start_time_seconds", "When the process started, in seconds since the epoch."),
    () => Math.round(Date.now() / 1000 - process.uptime()),
  );
  registry.exposeGauge(
    metric("process_resident_memory_bytes", "Memory of the process that is in RAM."),
    () => process.memoryUsage.rss(),
  );
  if (process.platform !== "linux") return;
  registry.exposeGauge(
    metric("process_virtual_memory_bytes", "Address space of the process."),
    () => statusBytes("VmSize"),
  );
  registry.exposeGauge(metric("process_heap_bytes", "Data segment of the process."), () =>
    statusBytes("VmData"),
  );
  registry.exposeGauge(
    metric("process_open_fds", "File descriptors that are open."),
    () => readdirSync("/proc/self/fd").length - 1, // reading the folder opens one
  );
  registry.exposeGauge(metric("process_max_fds", "File descriptors that may be open."), () =>
    Number(/^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1]),
  );
}

/** A line `VmSize:   123 kB` of /proc/self/status, in bytes. */
function statusBytes(key: string): number {
  const status = readFileSync("/proc/self/status", "utf8");
  return Number(new RegExp(`^${key}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) * 1024;
}

function registerResources(registry: MetricsRegistry): void {
  const groups: readonly [name: string, what: string, list: () => readonly string[]][] = [
    [
      "resources",
      "Resources that keep the event loop alive",
      () => process.getActiveResourcesInfo(),
    ],
    ["handles", "Handles of libuv", () => constructorNames("_getActiveHandles")],
    ["requests", "Requests of libuv", () => constructorNames("_getActiveRequests")],
  ];
  for (const [name, what, list] of groups) {
    registry.exposeGauge(metric(`nodejs_active_${name}`, `${what}, by type.`, "type"), () =>
      countByType(list()),
    );
    registry.exposeGauge(metric(`nodejs_active_${name}_total`, `${what}.`), () => list().length);
  }
}

/** What an undocumented function of `process` lists, if this Node still has it. */
function constructorNames(listFunction: "_getActiveHandles" | "_getActiveRequests"): string[] {
  const list: unknown = Reflect.get(process, listFunction);
  if (typeof list !== "function") return [];
  const found: unknown = list.call(process);
  if (!Array.isArray(found)) return [];
  return found.map((one: unknown) =>
    typeof one === "object" && one !== null ? one.constructor.name : typeof one,
  );
}

function countByType(types: readonly string[]): Sample<"type">[] {
  const counts = new Map<string, number>();
  for (const type of types) counts.set(type, (counts.get(type) ?? 0) + 1);
  return [...counts].map(([type, value]) => ({ labels: { type }, value }));
}

function registerHeap(registry: MetricsRegistry): void {
  registry.exposeGauge(
    metric("nodejs_heap_size_total_bytes", "Heap of V8, reserved."),
    () => process.memoryUsage().heapTotal,
  );
  registry.exposeGauge(
    metric("nodejs_heap_size_used_bytes", "Heap of V8, in use."),
    () => process.memoryUsage().heapUsed,
  );
  registry.exposeGauge(
    metric("nodejs_external_memory_bytes", "Memory outside of the heap that objects in it own."),
    () => process.memoryUsage().external,
  );
  const spaces = [
    ["total", "space_size"],
    ["used", "space_used_size"],
    ["available", "space_available_size"],
  ] as const;
  for (const [name, field] of spaces) {
    registry.exposeGauge(
      metric(`nodejs_heap_space_size_${name}_bytes`, `Spaces of V8's heap, ${name}.`, "space"),
      () =>
        getHeapSpaceStatistics().map((space) => ({
          labels: { space: space.space_name.replace(/_space$/, "") },
          value: space[field],
        })),
    );
  }
  const [major = "", minor = "", patch = ""] = process.versions.node.split(".");
  registry.exposeGauge(
    metric("nodejs_version_info", "1, with Node's version.", "version", "major", "minor", "patch"),
    () => [{ labels: { version: process.version, major, minor, patch }, value: 1 }],
  );
}

function registerEventLoop(registry: MetricsRegistry): IntervalHistogram {
  const delay = monitorEventLoopDelay({ resolution: EVENT_LOOP_RESOLUTION_MS });
  const figures: readonly [name: string, what: string, readNs: () => number][] = [
    ["min_", "shortest", () => delay.min],
    ["max_", "longest", () => delay.max],
    ["mean_", "mean", () => delay.mean],
    ["stddev_", "standard deviation", () => delay.stddev],
    ["p50_", "50th percentile", () => delay.percentile(50)],
    ["p90_", "90th percentile", () => delay.percentile(90)],
    ["p99_", "99th percentile", () => delay.percentile(99)],
  ];
  for (const [name, what, readNs] of figures) {
    registry.exposeGauge(
      metric(
        `nodejs_eventloop_lag_${name}seconds`,
        `Delay of the event loop since the last scrape: ${what}.`,
      ),
      // Without a measurement the smallest is a huge constant and the mean is NaN.
      () => (delay.count === 0 ? 0 : readNs() / 1e9),
    );
  }
  registry.exposeGauge(
    metric("nodejs_eventloop_lag_seconds", "Delay of the event loop, measured at this scrape."),
    async () => {
      const startedMs = performance.now();
      await new Promise<void>((resolve) => setImmediate(resolve));
      // Last of the figures to be ready, so the others have been read and may start anew.
      delay.reset();
      return (performance.now() - startedMs) / 1e3;
    },
  );
  return delay;
}

function registerGarbageCollection(registry: MetricsRegistry): PerformanceObserver {
  const observe = registry.createHistogram({
    ...metric("nodejs_gc_duration_seconds", "Pauses for garbage collection, by kind.", "kind"),
    buckets: GC_BUCKETS_S,
  });
  return new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const detail = "detail" in entry ? entry.detail : undefined;
      observe({ kind: GC_KINDS[gcKind(detail)] ?? "other" }, entry.duration / 1e3);
    }
  });
}

function gcKind(detail: unknown): number {
  if (typeof detail !== "object" || detail === null || !("kind" in detail)) return 0;
  return typeof detail.kind === "number" ? detail.kind : 0;
}

function metric<Name extends string = never>(
  name: string,
  help: string,
  ...labels: readonly Name[]
): MetricDefinition<Name> {
  return { name, help, labels };
}
