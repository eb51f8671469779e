/** A configuration that cannot be used. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly code = "PIPIT_CONFIG_INVALID";
  /** One line each: `path: found …, allowed: …`. No secrets. */
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`The configuration cannot be used:\n${problems.map((line) => `  ${line}`).join("\n")}`);
    this.problems = problems;
  }
}
