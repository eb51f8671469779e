/** Which origins an app lets browsers connect from. Source: protocol.md §1.6. */

/**
 * Whether a connection with this `Origin` header may stay. Upper and lower case are the same. A pattern with
 * `://` is compared with the whole origin, one without with host and port; one `*` in it stands for anything.
 * `*.example.com` also means `example.com`. Without the header (no browser) a connection is let in only where
 * every origin is.
 */
export function isOriginAllowed(patterns: readonly string[], origin: string | undefined): boolean {
  if (patterns.length === 0 || patterns.some((pattern) => EVERY.has(pattern.toLowerCase()))) {
    return true;
  }
  if (origin === undefined || origin === "") return false;
  const whole = origin.toLowerCase();
  const authority = whole.slice(whole.indexOf("://") + (whole.includes("://") ? 3 : 1));
  return patterns.some((pattern) => {
    const wanted = pattern.toLowerCase();
    return matches(wanted, wanted.includes("://") ? whole : authority);
  });
}

const EVERY: ReadonlySet<string> = new Set(["*", "any"]);

function matches(pattern: string, origin: string): boolean {
  const star = pattern.indexOf("*");
  if (star === -1) return origin === pattern;
  const before = pattern.slice(0, star);
  const after = pattern.slice(star + 1);
  if (after.startsWith(".") && origin === before + after.slice(1)) return true;
  const middle = origin.slice(before.length, origin.length - after.length);
  return (
    origin.length >= before.length + after.length &&
    origin.startsWith(before) &&
    origin.endsWith(after) &&
    !middle.includes("/")
  );
}
