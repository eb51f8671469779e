/** A tree of calls as an SVG flame graph: callers below, what they call above, widths are time. */
import type { Call } from "./cpu-profile.ts";
import { escapeXml } from "./svg.ts";

const WIDTH = 1_200;
const ROW = 17;
const HEAD = 30;
/** Narrower calls are left out: nobody could see them. */
const LEAST_WIDTH = 1.5;
const CHARACTER = 6.2;
const FILL: Record<Call["origin"], string> = {
  own: "#f2a65a",
  library: "#8fb8de",
  node: "#c9d6c3",
};

export function flameGraph(root: Call, title: string): string {
  const depth = depthOf(root, root.totalUs);
  const height = HEAD + depth * ROW + 24;
  const boxes: string[] = [];

  function draw(call: Call, x: number, level: number): void {
    const width = (call.totalUs / root.totalUs) * WIDTH;
    if (width < LEAST_WIDTH) return;
    const y = HEAD + (depth - 1 - level) * ROW;
    const share = ((call.totalUs / root.totalUs) * 100).toFixed(1);
    const shown = call.name.slice(0, Math.max(0, Math.floor((width - 6) / CHARACTER)));
    const label =
      shown.length < 3 ? "" : `<text x="${fixed(x + 3)}" y="${y + 12}">${escapeXml(shown)}</text>`;
    boxes.push(
      `<g><title>${escapeXml(call.name)}, ${share} %</title>` +
        `<rect x="${fixed(x)}" y="${y}" width="${fixed(width)}" height="${ROW - 1}" fill="${FILL[call.origin]}"/>${label}</g>`,
    );
    let at = x;
    for (const each of call.calls) {
      draw(each, at, level + 1);
      at += (each.totalUs / root.totalUs) * WIDTH;
    }
  }

  draw(root, 0, 0);
  const legend = "orange: Pipit, blue: libraries, green: Node and V8 with what they call natively";
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="monospace" font-size="10">
<title>${escapeXml(title)}</title>
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
<text x="4" y="18" font-size="13">${escapeXml(title)}</text>
${boxes.join("\n")}
<text x="4" y="${height - 8}">${legend}</text>
</svg>
`;
}

function depthOf(call: Call, wholeUs: number): number {
  const wide = call.calls.filter(({ totalUs }) => (totalUs / wholeUs) * WIDTH >= LEAST_WIDTH);
  return 1 + Math.max(0, ...wide.map((each) => depthOf(each, wholeUs)));
}

function fixed(value: number): string {
  return value.toFixed(1);
}
