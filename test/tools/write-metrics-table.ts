/** Prints the tables of docs/metrics.md anew: `npx tsx test/tools/write-metrics-table.ts`. */
import { readFileSync, writeFileSync } from "node:fs";
import { metricsTable, replaceTable } from "../../src/observability/metrics-table.ts";
import { allMetrics } from "../observability/all-metrics.ts";

const page = new URL("../../docs/metrics.md", import.meta.url);
const table = metricsTable(allMetrics().descriptions(), "pipit_");
writeFileSync(page, replaceTable(readFileSync(page, "utf8"), table));
