/** Moves events into lanes: what route.lua is asked, and what it answers. Source: architecture.md §5, Route. */
import type { Commands } from "../redis/commands.ts";
import type { Keys } from "../redis/keys.ts";
import { loadScript } from "../redis/script.ts";
import type { LaneKey, OutboxEvent, Route, RouteResult, UnderWay } from "./outbox.ts";
import { type Placed, unexpected } from "./redis-entries.ts";

/** lease, source, lanes, holds, deads, tries, and as many again as the events need */
const ROUTE = loadScript(new URL("./lua/route.lua", import.meta.url), 6);

export interface RoutingParts {
  readonly commands: Commands;
  readonly keys: Keys;
  readonly owner: string;
  /** Of one lane, and of one app's holding lane. */
  readonly maxQueuedEvents: number;
  /** Of one endpoint in one partition. */
  readonly maxDeadLetters: number;
}

export interface Placement {
  readonly route: Route;
  readonly placed: Placed;
}

export interface Routed extends RouteResult {
  /** Every event went where it should: nothing was held instead, or moved before. */
  readonly isAsAsked: boolean;
}

export type MoveEvents = (
  partition: number,
  heldApp: string | undefined,
  placements: readonly Placement[],
  underWay: UnderWay,
) => Promise<Routed | "lost">;

/** Gives each name a number from 1 on. */
export function createNumbering() {
  const numbers = new Map<string, number>();
  return {
    names: () => [...numbers.keys()],
    of(name: string): number {
      const known = numbers.get(name);
      if (known !== undefined) return known;
      numbers.set(name, numbers.size + 1);
      return numbers.size;
    },
  };
}

export function createRouting(parts: RoutingParts): MoveEvents {
  const { commands, keys, owner, maxQueuedEvents, maxDeadLetters } = parts;
  return async (partition, heldApp, placements, underWay) => {
    const apps = createNumbering();
    const endpoints = createNumbering();
    const perEvent: string[] = [];
    let expected = 0;
    for (const { route, placed } of placements) {
      const { appId } = placed.event;
      const { id, endpointIds } = route;
      const numbers = endpointIds?.map((endpointId) => endpoints.of(laneName(appId, endpointId)));
      perEvent.push(placed.place, id, `${apps.of(appId)},${numbers?.join(",") ?? "-"}`);
      expected += numbers?.length ?? 0;
    }
    const appIds = apps.names();
    const names = endpoints.names();
    const key = (...rest: string[]): string => keys.key(partition, ...rest);
    const all = [
      key("disp"),
      heldApp === undefined ? key("ev") : key("hold", heldApp),
      ...["lanes", "holds", "deads", "try"].map((name) => key(name)),
      ...appIds.map((appId) => key("hold", appId)),
      ...names.map((name) => key("q", name)),
      ...names.map((name) => key("dead", name)),
      key("meta"),
      key("losses"),
    ];
    const reply = await commands.runScript({ ...ROUTE, numberOfKeys: all.length }, all, [
      owner,
      maxQueuedEvents,
      maxDeadLetters,
      heldApp ?? "",
      appIds.length,
      names.length,
      ...appIds,
      ...names,
      ...names.map((name) => underWay({ partition, ...splitLaneName(name) })),
      ...perEvent,
    ]);
    if (reply === -1) return "lost";
    const [left, enqueued, ...hits] = readNumbers(reply);
    if (left === undefined || enqueued === undefined) throw unexpected("result of a route");
    const pushedOut: LaneKey[] = [];
    for (let i = 0; i < hits.length; i += 3) {
      // Those of holding lanes are positive. How many it were is told by the claims.
      const name = names[-(hits[i] ?? 0) - 1];
      if (name !== undefined) pushedOut.push({ partition, ...splitLaneName(name) });
    }
    return { left, enqueued, pushedOut, isAsAsked: enqueued === expected };
  };
}

/** The events of each lane, in order. */
export function byLane(partition: number, placements: readonly Placement[]) {
  const lanes = new Map<string, { readonly lane: LaneKey; readonly events: OutboxEvent[] }>();
  for (const { route, placed } of placements) {
    const { appId } = placed.event;
    for (const endpointId of route.endpointIds ?? []) {
      const name = laneName(appId, endpointId);
      const known = lanes.get(name) ?? { lane: { partition, appId, endpointId }, events: [] };
      known.events.push(placed.event);
      lanes.set(name, known);
    }
  }
  return lanes.values();
}

/** A lane's name within its partition: `<app>:<endpoint>`. */
export function laneName(appId: string, endpointId: string): string {
  return `${appId}:${endpointId}`;
}

/** Ids of endpoints have no colon. */
export function splitLaneName(name: string): { appId: string; endpointId: string } {
  const at = name.lastIndexOf(":");
  return { appId: name.slice(0, at), endpointId: name.slice(at + 1) };
}

function readNumbers(reply: unknown): readonly number[] {
  if (!Array.isArray(reply)) throw unexpected("result of a route");
  return reply.map((each: unknown) => {
    if (typeof each !== "number") throw unexpected("number");
    return each;
  });
}
