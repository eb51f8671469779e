/** The source files, for tests that compare them with the documents. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./pages.ts";

export interface SourceFile {
  /** Relative to the project's folder. */
  readonly path: string;
  readonly text: string;
}

/** Every TypeScript file under `folder`. */
export function sourceFiles(folder: string): readonly SourceFile[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => join(folder, file))
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));
}
