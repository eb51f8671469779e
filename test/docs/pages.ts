/** The documents as tests read them: their text, code blocks, headings and links. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export interface CodeBlock {
  readonly language: string;
  readonly code: string;
}

/** `file`: relative to the project's folder. */
export function readPage(file: string): string {
  return readFileSync(join(ROOT, file), "utf8");
}

/** Every document for users and contributors, relative to the project's folder. */
export function pages(): readonly string[] {
  const docs = readdirSync(join(ROOT, "docs")).filter((file) => file.endsWith(".md"));
  return ["README.md", "CHANGELOG.md", ...docs.map((file) => join("docs", file))];
}

/** The fenced code of a page, in order. */
export function codeBlocks(page: string): readonly CodeBlock[] {
  return [...page.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language = "", code = ""]) => ({
    language,
    code,
  }));
}

/** The one block of `language` that contains `text`. Throws when there are none or several. */
export function codeBlock(page: string, language: string, text: string): string {
  const found = codeBlocks(page).filter(
    (block) => block.language === language && block.code.includes(text),
  );
  const [block] = found;
  if (block === undefined || found.length > 1) {
    throw new Error(`${found.length} blocks of ${language} contain ${JSON.stringify(text)}.`);
  }
  return block.code;
}

/** A page without its code blocks. */
export function prose(page: string): string {
  return page.replace(/^```.*?^```$/gms, "");
}

/** The headings' texts, without their hashes. */
export function headings(page: string): readonly string[] {
  return [...prose(page).matchAll(/^#+ (.*)$/gm)].map(([, text = ""]) => text);
}

/** What a link to the heading has after its hash. */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
}
