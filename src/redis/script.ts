/** Lua scripts: read once from beside the module that calls them, run by their hash. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

export interface Script {
  /** The file's name without its ending, for messages and metrics. */
  readonly name: string;
  readonly lua: string;
  /** What Redis knows it by: SHA-1, lower-case hex. */
  readonly sha: string;
  readonly numberOfKeys: number;
}

/** Reads `new URL("./lua/<verb>.lua", import.meta.url)`. Throws when the file is not there: a broken build. */
export function loadScript(url: URL, numberOfKeys: number): Script {
  const lua = readFileSync(url, "utf8");
  const name = url.pathname.replace(/^.*\/(.*)\.lua$/, "$1");
  return { name, lua, sha: createHash("sha1").update(lua).digest("hex"), numberOfKeys };
}
