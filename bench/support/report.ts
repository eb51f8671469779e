/** A result that says where it comes from: machine, versions, commit and command. */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { join } from "node:path";

export interface Report {
  /** The file's name in bench/results/, without its ending. */
  readonly name: string;
  /** The question, as a title. */
  readonly title: string;
  readonly command: string;
  /** What was measured and how, in a few lines of Markdown. */
  readonly method: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Goes into the JSON file as it is. */
  readonly raw: unknown;
  /** Versions besides Node's, by name. */
  readonly versions: Readonly<Record<string, string>>;
}

/** Writes the `.md` and the `.json` and answers the table. `root` is the project's folder. */
export function writeReport(root: string, report: Report): string {
  const machine = {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    kernel: release(),
    node: process.versions.node,
    ...report.versions,
  };
  const commit = commitOf(root);
  const table = [report.columns, report.columns.map(() => "---"), ...report.rows]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
  const facts = Object.entries(machine).map(([name, value]) => `${name} ${value}`);
  const text = `# ${report.title}\n\n${table}\n\n${report.method}\n\nMeasured with \`${report.command}\` at commit ${commit}: ${facts.join(", ")}.\n`;
  const folder = join(root, "bench", "results");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${report.name}.md`), text);
  const json = { command: report.command, commit, machine, results: report.raw };
  const jsonFile = join(folder, `${report.name}.json`);
  writeFileSync(jsonFile, JSON.stringify(json));
  execFileSync("npx", ["biome", "format", "--write", jsonFile], { cwd: root, stdio: "ignore" });
  return table;
}

function commitOf(root: string): string {
  const git = (...args: string[]) =>
    execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();
  const isChanged = git("status", "--porcelain", "--", "src") !== "";
  return git("rev-parse", "--short", "HEAD") + (isChanged ? " with changes" : "");
}
