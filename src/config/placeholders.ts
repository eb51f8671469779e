/** Fills `${VAR}` and `${VAR:-default}` in the texts of a configuration file. `$${` stands for `${` itself. */
import type { Environment } from "./environment.ts";
import { pathText } from "./path.ts";
import type { Problem } from "./problems.ts";

const PLACEHOLDER = /\$(\$)?\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;

/** `value` with every placeholder filled. One that is not set is a problem, and stays as it is. */
export function fillPlaceholders(
  value: unknown,
  env: Environment,
  problems: Problem[],
  path: readonly PropertyKey[] = [],
): unknown {
  if (typeof value === "string") return fillText(value, env, problems, path);
  if (Array.isArray(value)) {
    return value.map((part, index) => fillPlaceholders(part, env, problems, [...path, index]));
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => [
      key,
      fillPlaceholders(part, env, problems, [...path, key]),
    ]),
  );
}

/** As in a shell, `:-` also stands in for a variable that is set to nothing. */
function fillText(
  text: string,
  env: Environment,
  problems: Problem[],
  path: readonly PropertyKey[],
): string {
  return text.replace(
    PLACEHOLDER,
    (whole, escaped: string | undefined, name: string, fallback: string | undefined) => {
      if (escaped !== undefined) return whole.slice(1);
      const found = env[name];
      if (found !== undefined && (found !== "" || fallback === undefined)) return found;
      if (fallback !== undefined) return fallback;
      const hint = `set the variable, or write \${${name}:-default}`;
      problems.push({ path: pathText(path), text: `\${${name}} is not set: ${hint}` });
      return whole;
    },
  );
}
