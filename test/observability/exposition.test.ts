import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readExposition } from "./exposition.ts";

const HEAD = "# HELP a_total Things.\n# TYPE a_total counter\n";

describe("readExposition", () => {
  test("reads names, labels with escapes, and values", () => {
    const family = readExposition(`${HEAD}a_total{x="q\\"\\\\\\n",y="2"} 1.5e3\n`).get("a_total");
    assert.equal(family?.type, "counter");
    assert.equal(family?.help, "Things.");
    assert.deepEqual(family?.series, [
      { name: "a_total", labels: { x: 'q"\\\n', y: "2" }, value: 1500 },
    ]);
  });

  const broken: readonly [text: string, problem: RegExp][] = [
    [`${HEAD}a_total 1`, /does not end/],
    ["a_total 1\n", /no TYPE/],
    ["# TYPE a_total counter\n", /no HELP/],
    [`${HEAD}b_total 1\n`, /not of the family/],
    [`${HEAD}a_total{x="1"} 1\na_total{x="1"} 2\n`, /twice/],
    [`${HEAD}a_total{x="1",x="2"} 1\n`, /a label twice/],
    [`${HEAD}a_total{x=1} 1\n`, /quotes/],
    [`${HEAD}a_total{x-y="1"} 1\n`, /not a label/],
    [`${HEAD}a_total undefined\n`, /not a value/],
    [`${HEAD}a_total -1\n`, /below 0/],
    [`${HEAD}${HEAD}`, /second HELP/],
    ['# HELP h H.\n# TYPE h histogram\nh_bucket{le="1"} 2\nh_sum 1\nh_count 2\n', /\+Inf/],
    [
      '# HELP h H.\n# TYPE h histogram\nh_bucket{le="1"} 3\nh_bucket{le="+Inf"} 2\nh_sum 1\nh_count 2\n',
      /out of order/,
    ],
  ];
  for (const [text, problem] of broken) {
    test(`refuses ${JSON.stringify(text.replace(HEAD, "… "))}`, () => {
      assert.throws(() => readExposition(text), problem);
    });
  }
});
