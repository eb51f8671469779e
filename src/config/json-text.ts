/** Reads JSON that people write: when it does not parse, says in which line and column, and often why. */

/** The value, or one sentence without the file's name: `line 3, column 12: …`. */
export function parseJson(
  text: string,
): { readonly value: unknown } | { readonly problem: string } {
  const content = text.replace(/^\uFEFF/, "");
  try {
    return { value: JSON.parse(content) };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const at = firstError(content);
    const before = content.slice(0, at).split("\n");
    const column = (before.at(-1) ?? "").length + 1;
    return { problem: `line ${before.length}, column ${column}: ${reason(content, at)}` };
  }
}

/** The offset of the first character that cannot stand where it stands. The engine's messages rarely tell. */
function firstError(text: string): number {
  const space = /[ \t\r\n]*/y;
  const quoted = /"(?:[^"\\\p{Cc}]|[\x7f-\x9f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/uy;
  const scalar = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])/y;
  let at = 0;
  const skip = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    const length = pattern.exec(text)?.[0].length ?? -1;
    if (length > 0) at += length;
    return length >= 0;
  };
  const mark = (character: string): boolean => {
    skip(space);
    if (text[at] !== character) return false;
    at += 1;
    return true;
  };
  const member = (): boolean => {
    skip(space);
    return skip(quoted) && mark(":") && value();
  };
  const list = (end: string, part: () => boolean): boolean => {
    if (mark(end)) return true;
    do {
      if (!part()) return false;
    } while (mark(","));
    return mark(end);
  };
  const value = (): boolean => {
    skip(space);
    if (mark("{")) return list("}", member);
    if (mark("[")) return list("]", value);
    return skip(quoted) || skip(scalar);
  };
  if (value()) skip(space);
  return at;
}

function reason(text: string, at: number): string {
  const found = text[at];
  if (found === undefined) return "the file ends too early; is a bracket or quote not closed?";
  if (found === "/" || found === "#") return "JSON knows no comments";
  if (found === "'") return "JSON wants double quotes";
  const last = text.slice(0, at).trimEnd().at(-1);
  if ((found === "}" || found === "]") && last === ",") return "no comma may stand before the end";
  if (found === '"' && last !== ":" && last !== "," && last !== "{" && last !== "[") {
    return "a comma is missing before this";
  }
  return `unexpected ${JSON.stringify(text.slice(at).split(/\s/, 1)[0]?.slice(0, 20) || found)}`;
}
