/** Small charts as SVG: lines over a common x axis, enough for a page of the docs. */

export interface Line {
  readonly name: string;
  readonly colour: string;
  readonly isDashed?: boolean;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Chart {
  readonly title: string;
  readonly xTitle: string;
  readonly yTitle: string;
  /** Powers of ten on the y axis, for values that differ a hundredfold. */
  readonly isLogarithmic?: boolean;
  readonly lines: readonly Line[];
}

const WIDTH = 760;
const HEIGHT = 260;
const LEFT = 70;
const RIGHT = 190;
const TOP = 34;
const BOTTOM = 44;

export function escapeXml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

/** The charts one below the other in one document, which `title` describes to those who do not see it. */
export function chartsSvg(title: string, charts: readonly Chart[]): string {
  const height = HEIGHT * charts.length;
  const drawn = charts.map(
    (chart, n) => `<g transform="translate(0 ${n * HEIGHT})">\n${chartSvg(chart)}\n</g>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="11">
<title>${escapeXml(title)}</title>
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
${drawn.join("\n")}
</svg>
`;
}

function chartSvg({ title, xTitle, yTitle, isLogarithmic = false, lines }: Chart): string {
  const xs = lines.flatMap(({ points }) => points.map(([x]) => x));
  const ys = lines.flatMap(({ points }) => points.map(([, y]) => y));
  const xTicks = [...new Set(xs)].toSorted((a, b) => a - b);
  const yTicks = isLogarithmic ? powersOfTen(ys) : evenTicks(Math.max(...ys));
  const [yMin = 0, yMax = 1] = [yTicks[0], yTicks.at(-1)];
  const scaleY = (y: number): number => (isLogarithmic ? Math.log10(Math.max(y, yMin)) : y);
  const x = (value: number): string =>
    (LEFT + (value / Math.max(...xs)) * (WIDTH - LEFT - RIGHT)).toFixed(1);
  const y = (value: number): string => {
    const part = (scaleY(value) - scaleY(yMin)) / (scaleY(yMax) - scaleY(yMin));
    return (HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)).toFixed(1);
  };
  const grid = [
    ...yTicks.map(
      (tick) =>
        `<path d="M${LEFT} ${y(tick)}H${WIDTH - RIGHT}" stroke="#ddd"/><text x="${LEFT - 6}" y="${y(tick)}" dy="4" text-anchor="end">${tick}</text>`,
    ),
    ...xTicks.map(
      (tick) =>
        `<text x="${x(tick)}" y="${HEIGHT - BOTTOM + 16}" text-anchor="middle">${tick}</text>`,
    ),
  ];
  const drawn = lines.map(({ name, colour, isDashed = false, points }, n) => {
    const dash = isDashed ? ' stroke-dasharray="5 3"' : "";
    const path = points.map(([px, py], at) => `${at === 0 ? "M" : "L"}${x(px)} ${y(py)}`).join("");
    const legendY = TOP + 8 + n * 16;
    return (
      `<path d="${path}" fill="none" stroke="${colour}" stroke-width="2"${dash}/>` +
      `<path d="M${WIDTH - RIGHT + 10} ${legendY}h18" stroke="${colour}" stroke-width="3"${dash}/>` +
      `<text x="${WIDTH - RIGHT + 34}" y="${legendY + 4}">${escapeXml(name)}</text>`
    );
  });
  return [
    `<text x="${LEFT}" y="18" font-size="13">${escapeXml(title)}</text>`,
    ...grid,
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 10}" text-anchor="middle">${escapeXml(xTitle)}</text>`,
    `<text transform="translate(14 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">${escapeXml(yTitle)}</text>`,
    ...drawn,
  ].join("\n");
}

/** From 0 to the first round number at or above `max`, in at most six steps. */
function evenTicks(max: number): readonly number[] {
  const rough = Math.max(max, 1e-9) / 5;
  const magnitude = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * magnitude).find((each) => each >= rough) ?? rough;
  return Array.from({ length: Math.ceil(max / step) + 1 }, (_, n) =>
    Number((n * step).toPrecision(6)),
  );
}

function powersOfTen(values: readonly number[]): readonly number[] {
  const positive = values.filter((value) => value > 0);
  const first = Math.floor(Math.log10(Math.min(...positive)));
  const last = Math.ceil(Math.log10(Math.max(...positive)));
  return Array.from({ length: Math.max(2, last - first + 1) }, (_, n) => 10 ** (first + n));
}
