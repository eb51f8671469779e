/** Moves events into lanes without reading them before: what take.lua is asked, and what it answers. */
import type { Commands } from "../redis/commands.ts";
import type { Keys } from "../redis/keys.ts";
import { loadScript } from "../redis/script.ts";
import type { LaneKey, OutboxEvent, Taken, Way } from "./outbox.ts";
import { readTaken, unexpected } from "./redis-entries.ts";
import { createNumbering, laneName, splitLaneName } from "./redis-routing.ts";

/** lease, source, lanes, holds, meta, and as many again as there are endpoints */
const TAKE = loadScript(new URL("./lua/take.lua", import.meta.url), 5);

export interface TakingParts {
  readonly commands: Commands;
  readonly keys: Keys;
  readonly owner: string;
  /** Of one lane. */
  readonly maxQueuedEvents: number;
}

export interface TakenEvents extends Taken {
  /** What came into each lane, in order. */
  readonly lanes: readonly { readonly lane: LaneKey; readonly events: readonly OutboxEvent[] }[];
}

export type TakeEvents = (
  partition: number,
  ways: readonly Way[],
  maxEvents: number,
) => Promise<TakenEvents | "lost">;

export function createTaking({ commands, keys, owner, maxQueuedEvents }: TakingParts): TakeEvents {
  return async (partition, ways, maxEvents) => {
    const endpoints = createNumbering();
    const numbers = ways.map(({ appId, endpointIds }) =>
      endpointIds.map((id) => endpoints.of(laneName(appId, id))),
    );
    const names = endpoints.names();
    const all = [
      ...["disp", "ev", "lanes", "holds", "meta"].map((name) => keys.key(partition, name)),
      ...names.map((name) => keys.key(partition, "q", name)),
    ];
    const reply = await commands.runScript({ ...TAKE, numberOfKeys: all.length }, all, [
      owner,
      partition,
      maxQueuedEvents,
      maxEvents,
      names.length,
      ...names,
      ...ways.flatMap(({ appId, type }, at) => [appId, type, numbers[at]?.join(",") ?? ""]),
    ]);
    if (reply === -1) return "lost";
    const [left, ...texts]: readonly unknown[] = Array.isArray(reply) ? reply : [];
    if (typeof left !== "number") throw unexpected("result of a take");
    const lanes = names.map((name) => ({
      lane: { partition, ...splitLaneName(name) },
      events: [] as OutboxEvent[],
    }));
    const counts = ways.map(() => 0);
    for (const text of texts) {
      const { at, event } = readTaken(text, ways);
      counts[at] = (counts[at] ?? 0) + 1;
      for (const number of numbers[at] ?? []) lanes[number - 1]?.events.push(event);
    }
    return { left, counts, lanes };
  };
}
