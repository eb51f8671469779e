/** The Lua scripts of this room. They share parts, which a script names with `-- include <file>`. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { loadScript, type Script } from "../redis/script.ts";

const INCLUDE = /^-- include (\S+)$/gm;

/**
 * Reads `lua/<verb>.lua` with its parts filled in. `numberOfKeys` is that of a call without what comes once
 * per app, channel or user: see {@link withKeys}.
 */
export function readScript(verb: string, numberOfKeys: number): Script {
  const script = loadScript(new URL(`./lua/${verb}.lua`, import.meta.url), numberOfKeys);
  const lua = script.lua.replace(INCLUDE, (_line, part: string) =>
    readFileSync(new URL(`./lua/${part}`, import.meta.url), "utf8"),
  );
  return { ...script, lua, sha: createHash("sha1").update(lua).digest("hex") };
}

/** The script for a call with this many keys. */
export function withKeys(script: Script, numberOfKeys: number): Script {
  return { ...script, numberOfKeys };
}

/** For replies that no script of ours gives: a guess would lose a webhook. */
export function unexpectedReply(script: Script, reply: unknown): Error {
  return new TypeError(
    `${script.name}.lua answered ${JSON.stringify(reply)?.slice(0, 100)}, which it never does.`,
  );
}

/** The reply of a script that answers a list of texts and numbers, as texts. */
export function textsOf(script: Script, reply: unknown): readonly string[] {
  if (!Array.isArray(reply)) throw unexpectedReply(script, reply);
  return reply.map((each) => String(each));
}
