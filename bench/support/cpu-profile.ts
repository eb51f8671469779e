/** A profile as V8 writes it, and the tree of calls that it means. */

export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  /** Ids of the nodes that were seen running, one a sample. */
  readonly samples: readonly number[];
  /** µs since the sample before. */
  readonly timeDeltas: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    readonly lineNumber: number;
  };
  readonly children?: readonly number[];
}

/** A function where it was called, with everything it called. */
export interface Call {
  /** `publish transport/transport.js:53`. */
  readonly name: string;
  /** `own`: Pipit's code; `library`: of npm; `node`: of Node and V8. */
  readonly origin: "own" | "library" | "node";
  /** µs, what it called included. */
  readonly totalUs: number;
  readonly calls: readonly Call[];
}

/** No work of the server: waiting, and the profiler's own start, which is a call of the inspector. */
const IDLE = new Set(["(idle)", "dispatch"]);

/** The whole tree, the time in which the process did not work left out. */
export function callTree(profile: CpuProfile): Call {
  const selfUs = selfTimeById(profile);
  const byId = new Map(profile.nodes.map((node) => [node.id, node]));
  const build = (node: ProfileNode): Call => {
    const calls = (node.children ?? [])
      .flatMap((id) => byId.get(id) ?? [])
      .filter(({ callFrame }) => !IDLE.has(callFrame.functionName))
      .map(build)
      .filter(({ totalUs }) => totalUs > 0)
      .toSorted((a, b) => b.totalUs - a.totalUs);
    const totalUs = calls.reduce((sum, call) => sum + call.totalUs, selfUs.get(node.id) ?? 0);
    return { name: nameOf(node), origin: originOf(node), totalUs, calls };
  };
  const [root] = profile.nodes;
  if (root === undefined) throw new Error("The profile is empty.");
  return build(root);
}

/** Functions by the time spent in themselves, most first; `share` of the time that it worked. */
export function selfTimes(profile: CpuProfile): readonly { name: string; share: number }[] {
  const selfUs = selfTimeById(profile);
  const byName = new Map<string, number>();
  let totalUs = 0;
  for (const node of profile.nodes) {
    const us = selfUs.get(node.id) ?? 0;
    if (us === 0 || IDLE.has(node.callFrame.functionName)) continue;
    totalUs += us;
    byName.set(nameOf(node), (byName.get(nameOf(node)) ?? 0) + us);
  }
  return [...byName]
    .map(([name, us]) => ({ name, share: us / totalUs }))
    .toSorted((a, b) => b.share - a.share);
}

function selfTimeById({ samples, timeDeltas }: CpuProfile): ReadonlyMap<number, number> {
  const selfUs = new Map<number, number>();
  for (const [n, id] of samples.entries()) {
    selfUs.set(id, (selfUs.get(id) ?? 0) + (timeDeltas[n] ?? 0));
  }
  return selfUs;
}

function nameOf({ callFrame: { functionName, url, lineNumber } }: ProfileNode): string {
  const name = functionName === "" ? "(anonymous)" : functionName;
  if (url === "") return name;
  return `${name} ${url.split("/").slice(-2).join("/")}:${lineNumber + 1}`;
}

function originOf({ callFrame: { url } }: ProfileNode): Call["origin"] {
  if (url.includes("/node_modules/")) return "library";
  return url.startsWith("file:") ? "own" : "node";
}
