/** docs/overload.svg: throughput and times against offered load, with a limit and without one. */
import type { Overload, Step } from "./overload-load.ts";
import { type Chart, chartsSvg, type Line } from "./svg.ts";

const X_TITLE = "offered load, 1 is what one core carries";

export function overloadChart(limited: Overload, unlimited: Overload): string {
  return chartsSvg("Throughput and p99 against offered load", [
    throughput("Requests per second, the app may publish 0.8", limited, "refused (429)"),
    throughput("Requests per second, no limit", unlimited, "refused (503)"),
    {
      title: "Time to the answer",
      xTitle: X_TITLE,
      yTitle: "ms",
      isLogarithmic: true,
      lines: [
        line("p99, with the limit", "#36c", limited.rising, ({ p99Ms }) => p99Ms),
        line("p99, without", "#c63", unlimited.rising, ({ p99Ms }) => p99Ms),
        line("slowest health, with", "#7af", limited.rising, ({ healthMaxMs }) => healthMaxMs),
        line("slowest health, without", "#fb8", unlimited.rising, ({ healthMaxMs }) => healthMaxMs),
      ],
    },
  ]);
}

function throughput(title: string, { rising, falling }: Overload, refused: string): Chart {
  return {
    title,
    xTitle: X_TITLE,
    yTitle: "requests/s",
    lines: [
      line("offered", "#999", rising, ({ offeredPerSecond }) => offeredPerSecond),
      line("published (200)", "#2a7", rising, ({ publishedPerSecond }) => publishedPerSecond),
      line(refused, "#c63", rising, ({ refusedPerSecond }) => refusedPerSecond),
      line("given up by backends", "#a3a", rising, ({ givenUpPerSecond }) => givenUpPerSecond),
      {
        ...line("published, load falling", "#2a7", falling, (step) => step.publishedPerSecond),
        isDashed: true,
      },
    ],
  };
}

function line(
  name: string,
  colour: string,
  steps: readonly Step[],
  y: (step: Step) => number,
): Line {
  const points = steps.map((step) => [step.share, y(step)] as const);
  return { name, colour, points: points.filter(([, value]) => Number.isFinite(value)) };
}
