/**
 * The only file that knows prom-client. Rooms keep plain numbers; each becomes a metric whose value is read
 * when somebody scrapes, so nothing runs between scrapes. One registry per server: several live in a process.
 */
import { Counter, Gauge, Histogram, type HistogramConfiguration, Registry } from "prom-client";
import { createHistogramSeries, type HistogramSeries } from "./histogram-series.ts";

/** The values of a metric's labels. Only names from small closed sets: never a channel, socket id, user or URL. */
export type Labels<Name extends string = string> = Readonly<Record<Name, string>>;

/** One series of a metric at the moment of the scrape. */
export interface Sample<Name extends string = string> {
  readonly labels: Labels<Name>;
  readonly value: number;
}

/** What a metric reads at scrape time: its only value, or one sample per series. May have to ask elsewhere. */
export type Reading<Name extends string = string> = number | Iterable<Sample<Name>>;
export type Read<Name extends string = string> = () => Reading<Name> | Promise<Reading<Name>>;

export interface MetricDefinition<Name extends string = string> {
  /** Without the registry's prefix. */
  readonly name: string;
  /** One sentence. */
  readonly help: string;
  /** Besides `port`, which every metric has. */
  readonly labels: readonly Name[];
}

export interface HistogramDefinition<Name extends string = string> extends MetricDefinition<Name> {
  /** Upper bounds, ascending, in the unit of the name. */
  readonly buckets: readonly number[];
}

/** What is known of a metric without its values. `name` has the prefix, `labels` all but `port`. */
export interface MetricDescription extends MetricDefinition {
  readonly type: "counter" | "gauge" | "histogram";
}

export interface MetricsRegistry {
  readonly contentType: string;
  /** Every metric so far, in the order in which they came. */
  descriptions(): readonly MetricDescription[];
  /** A total that only grows. */
  exposeTotal<Name extends string>(metric: MetricDefinition<Name>, read: Read<Name>): void;
  /** A value that goes up and down. */
  exposeGauge<Name extends string>(metric: MetricDefinition<Name>, read: Read<Name>): void;
  /** Answers the function that takes one observation. Two metrics of one name are a mistake of ours and throw. */
  createHistogram<Name extends string>(
    metric: HistogramDefinition<Name>,
  ): (labels: Labels<Name>, value: number) => void;
  /** Everything, in the text format of Prometheus 0.0.4. */
  text(): Promise<string>;
  /** Everything, as an array of `{name, help, type, values}`. */
  json(): Promise<string>;
}

export interface MetricsRegistryOptions {
  /** Comes before every name, `pipit_` for one. */
  readonly prefix: string;
  /** The server's port, asked at scrape time: it is known only once the server listens. */
  readonly port: () => number;
  /** A metric that cannot be read is left out of the scrape. Called once when that begins. */
  readonly onReadFailure?: (metric: string, error: unknown) => void;
}

/** Shows what its series have counted. Puts itself into the registers of its configuration. */
class CountedHistogram extends Histogram {
  readonly #described: { readonly name: string; readonly help: string };
  readonly #series: HistogramSeries;

  constructor(configuration: HistogramConfiguration<string>, series: HistogramSeries) {
    super(configuration);
    const { name, help } = configuration;
    this.#described = { name, help };
    this.#series = series;
  }

  /** What prom-client reads at a scrape, of every kind of metric; its types do not tell. */
  getForPromString() {
    const values = this.#series.samples().map(({ suffix, le, labels, value }) => ({
      metricName: this.#described.name + suffix,
      labels: le === undefined ? {} : { le },
      sharedLabels: labels,
      value,
    }));
    return { ...this.#described, type: "histogram", aggregator: "sum", values };
  }
}

export function createMetricsRegistry(options: MetricsRegistryOptions): MetricsRegistry {
  const registry = new Registry();
  const failing = new Set<string>();
  const descriptions: MetricDescription[] = [];
  let readFailures = 0;

  async function readSamples<Name extends string>(
    name: string,
    read: Read<Name>,
  ): Promise<Iterable<Sample>> {
    try {
      const reading = await read();
      const samples = typeof reading === "number" ? [{ labels: {}, value: reading }] : [...reading];
      failing.delete(name);
      return samples;
    } catch (error) {
      // Whatever it was: a scrape matters most while something fails, so one metric must not take all along.
      readFailures += 1;
      if (!failing.has(name)) options.onReadFailure?.(name, error);
      failing.add(name);
      return [];
    }
  }

  function configuration(type: MetricDescription["type"], metric: MetricDefinition) {
    const { help, labels } = metric;
    const name = options.prefix + metric.name;
    descriptions.push({ type, name, help, labels });
    return {
      name,
      help,
      labelNames: [...labels, "port"],
      registers: [registry],
    };
  }

  /** Set before each scrape, not at construction, since a server that asks for any free port has none before. */
  function setPort(): void {
    registry.setDefaultLabels({ port: String(options.port()) });
  }

  const exposed: MetricsRegistry = {
    contentType: registry.contentType,
    descriptions: () => descriptions,

    exposeTotal(metric, read) {
      const counter = new Counter({
        ...configuration("counter", metric),
        async collect() {
          const samples = await readSamples(metric.name, read);
          counter.reset();
          for (const { labels, value } of samples) counter.inc(labels, value);
        },
      });
      counter.reset();
    },

    exposeGauge(metric, read) {
      const gauge = new Gauge({
        ...configuration("gauge", metric),
        async collect() {
          const samples = await readSamples(metric.name, read);
          gauge.reset();
          for (const { labels, value } of samples) gauge.set(labels, value);
        },
      });
      gauge.reset();
    },

    createHistogram(metric) {
      const series = createHistogramSeries(metric.labels, metric.buckets);
      new CountedHistogram(configuration("histogram", metric), series);
      return series.observe;
    },

    async text() {
      setPort();
      return registry.metrics();
    },

    async json() {
      setPort();
      return JSON.stringify(await registry.getMetricsAsJSON());
    },
  };

  exposed.exposeTotal(
    {
      name: "metric_read_failures_total",
      help: "Metrics left out of a scrape because what they read failed.",
      labels: [],
    },
    () => readFailures,
  );
  return exposed;
}
