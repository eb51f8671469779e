/** Scripts that a test makes itself. */
import { createHash } from "node:crypto";
import type { Script } from "../../src/redis/script.ts";

export function scriptOf(name: string, lua: string, numberOfKeys: number): Script {
  return { name, lua, sha: createHash("sha1").update(lua).digest("hex"), numberOfKeys };
}
