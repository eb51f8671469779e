/** Pipit's version, as package.json has it. */
import { createRequire } from "node:module";

// From src/ and from dist/ alike, package.json is one folder up.
const { version } = createRequire(import.meta.url)("../package.json") as { version: string };

export const VERSION = version;
