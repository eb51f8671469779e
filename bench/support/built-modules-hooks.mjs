/** The hooks of built-modules.mjs. */
const SRC = new URL("../../src/", import.meta.url).href;
const DIST = new URL("../../dist/", import.meta.url).href;

export async function resolve(specifier, context, next) {
  const isFile = specifier.startsWith(".") || specifier.startsWith("file:");
  const url = isFile ? new URL(specifier, context.parentURL).href : "";
  if (!url.startsWith(SRC) || !url.endsWith(".ts")) return next(specifier, context);
  return next(`${DIST}${url.slice(SRC.length, -".ts".length)}.js`, context);
}
