/**
 * The series of a histogram, counted in plain numbers and added up when somebody scrapes. prom-client checks and
 * hashes the labels of each observation anew, which cost 0.4 of 18 µs of a signed POST.
 */

/** One line of the exposition. `suffix` goes behind the histogram's name. */
export interface HistogramSample {
  readonly suffix: "_bucket" | "_sum" | "_count";
  /** The upper bound of a bucket. */
  readonly le: number | "+Inf" | undefined;
  /** Of the series. */
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface HistogramSeries {
  /** `value` must be finite; `labels` has exactly the histogram's. */
  observe(labels: Readonly<Record<string, string>>, value: number): void;
  /** Of every series, in the order in which they came: buckets, sum, count. */
  samples(): readonly HistogramSample[];
}

interface Series {
  readonly labels: Readonly<Record<string, string>>;
  /** By bucket, not yet added up; last those above all bounds. */
  readonly counts: number[];
  sum: number;
}

/** In no label's value. */
const BETWEEN_LABELS = "\0";

/** `bounds` ascend; a value that equals one is in its bucket. */
export function createHistogramSeries(
  labelNames: readonly string[],
  bounds: readonly number[],
): HistogramSeries {
  const seriesByKey = new Map<string, Series>();
  const onlyLabel = labelNames.length === 1 ? labelNames[0] : undefined;

  function seriesOf(labels: Readonly<Record<string, string>>): Series {
    const key =
      onlyLabel === undefined
        ? labelNames.map((name) => labels[name]).join(BETWEEN_LABELS)
        : (labels[onlyLabel] ?? "");
    let series = seriesByKey.get(key);
    if (series === undefined) {
      series = { labels, counts: new Array<number>(bounds.length + 1).fill(0), sum: 0 };
      seriesByKey.set(key, series);
    }
    return series;
  }

  return {
    observe(labels, value) {
      const series = seriesOf(labels);
      let bucket = 0;
      while (bucket < bounds.length && value > (bounds[bucket] ?? 0)) bucket += 1;
      series.counts[bucket] = (series.counts[bucket] ?? 0) + 1;
      series.sum += value;
    },
    samples: () => [...seriesByKey.values()].flatMap((series) => samplesOf(series, bounds)),
  };
}

function samplesOf(
  { labels, counts, sum }: Series,
  bounds: readonly number[],
): readonly HistogramSample[] {
  let count = 0;
  const buckets = counts.map((inBucket, index): HistogramSample => {
    count += inBucket;
    return { suffix: "_bucket", le: bounds[index] ?? "+Inf", labels, value: count };
  });
  return [
    ...buckets,
    { suffix: "_sum", le: undefined, labels, value: sum },
    { suffix: "_count", le: undefined, labels, value: count },
  ];
}
