/** From a profile as V8 writes it to a flame graph. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type CpuProfile, callTree, selfTimes } from "../../bench/support/cpu-profile.ts";
import { flameGraph } from "../../bench/support/flame-graph.ts";
import { chartsSvg } from "../../bench/support/svg.ts";

function node(id: number, functionName: string, url: string, children: readonly number[] = []) {
  return { id, callFrame: { functionName, url, lineNumber: 4 }, children };
}

const PROFILE: CpuProfile = {
  nodes: [
    node(1, "(root)", "", [2, 4]),
    node(2, "publish", "file:///p/dist/channels/publishing.js", [3]),
    node(3, "observe", "file:///p/node_modules/prom-client/lib/histogram.js"),
    node(4, "(idle)", ""),
  ],
  samples: [2, 3, 4, 3],
  timeDeltas: [100, 200, 5_000, 100],
};

describe("a profile", () => {
  test("becomes a tree in which callers contain what they call and waiting is left out", () => {
    const root = callTree(PROFILE);
    assert.equal(root.totalUs, 400);
    const [publish] = root.calls;
    assert.equal(publish?.name, "publish channels/publishing.js:5");
    assert.equal(publish?.origin, "own");
    assert.equal(publish?.totalUs, 400);
    assert.equal(publish?.calls[0]?.origin, "library");
    assert.equal(publish?.calls[0]?.totalUs, 300);
  });

  test("tells which function takes the most", () => {
    assert.deepEqual(
      selfTimes(PROFILE).map(({ share }) => share),
      [0.75, 0.25],
    );
  });

  test("is drawn with a box for each call, its text escaped", () => {
    const svg = flameGraph(callTree(PROFILE), "a < b");
    assert.equal(svg.match(/<g>/g)?.length, 3);
    assert.match(svg, /a &lt; b/);
    assert.match(svg, /observe lib\/histogram\.js:5, 75\.0 %/);
  });
});

test("a chart has a line for each series, also where values differ a thousandfold", () => {
  const points = [0.5, 1, 2].map((x) => [x, 10 ** (x * 2)] as const);
  const chart = {
    title: "t",
    xTitle: "x",
    yTitle: "y",
    lines: [{ name: "n", colour: "#000", points }],
  };
  const svg = chartsSvg("Charts", [chart, { ...chart, isLogarithmic: true }]);
  assert.equal(svg.match(/stroke-width="2"/g)?.length, 2);
  assert.doesNotMatch(svg, /NaN|Infinity/);
});
