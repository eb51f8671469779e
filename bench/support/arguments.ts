/** What the bench commands take on their command line. */
import { parseArgs } from "node:util";

export interface BenchArguments {
  /** None: all of them. */
  readonly scenarios: readonly string[];
  readonly rounds: number;
  /** 1 is the full size. */
  readonly scale: number;
  /** Where the results go; undefined leaves it to the command. */
  readonly out: string | undefined;
  readonly target: TargetArguments | undefined;
  /** Two nodes with Redis instead of one without. */
  readonly isCluster: boolean;
}

/** A server that runs already, with the credentials of one of its apps. */
export interface TargetArguments {
  readonly url: string;
  readonly appId: string;
  readonly key: string;
  readonly secret: string;
  /** Of its process on this machine: without it only throughput and latency can be told. */
  readonly pid: number | undefined;
}

/** Throws on what it does not know. */
export function readArguments(args: readonly string[], defaultRounds: number): BenchArguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      scenario: { type: "string", multiple: true, default: [] },
      rounds: { type: "string", default: String(defaultRounds) },
      scale: { type: "string", default: "1" },
      out: { type: "string" },
      target: { type: "string" },
      "app-id": { type: "string" },
      key: { type: "string" },
      secret: { type: "string" },
      pid: { type: "string" },
      cluster: { type: "boolean", default: false },
    },
  });
  const { "app-id": appId, key, secret, pid } = values;
  const rounds = within("rounds", values.rounds, 1, 100);
  const scale = within("scale", values.scale, 0.001, 1);
  const scenarios = values.scenario.flatMap((names) => names.split(","));
  const common = { scenarios, rounds, scale, out: values.out, isCluster: values.cluster };
  if (values.target === undefined) return { ...common, target: undefined };
  if (appId === undefined || key === undefined || secret === undefined) {
    throw new Error("--target needs --app-id, --key and --secret of an app of that server.");
  }
  const target = { url: values.target, appId, key, secret };
  return {
    ...common,
    target: { ...target, pid: pid === undefined ? undefined : within("pid", pid, 1, 2 ** 22) },
  };
}

function within(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (value >= min && value <= max) return value;
  throw new Error(`--${name} is ${JSON.stringify(text)}, ${min} to ${max} is allowed.`);
}
