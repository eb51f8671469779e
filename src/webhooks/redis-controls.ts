/**
 * Pauses in Redis, and what operators tell the dispatchers of all nodes.
 *
 *     {t0}:paused   hash, `<app>:<endpoint>` -> `<since, ms>:<reason>:<hash of the url, or nothing>`
 *     {t0}:control  topic: messages of kind `control`, JSON as {@link Order}; what a node does not know it passes over
 */
import type { RedisBus } from "../redis/bus.ts";
import type { Commands } from "../redis/commands.ts";
import type { Keys } from "../redis/keys.ts";
import { encodeTextMessage, messageText } from "../redis/message.ts";
import { loadScript } from "../redis/script.ts";
import type { EndpointName, PauseReason } from "./operations.ts";
import type { LaneKey } from "./outbox.ts";
import type { ControlListener, OutboxControls, StoredPause } from "./outbox-controls.ts";
import { unexpected } from "./redis-entries.ts";
import { laneName } from "./redis-routing.ts";

/** paused */
const PAUSE = loadScript(new URL("./lua/pause.lua", import.meta.url), 1);
/** paused */
const RESUME = loadScript(new URL("./lua/resume.lua", import.meta.url), 1);

export interface RedisControls extends OutboxControls {
  /** Begins to hear other nodes, and tries again what has failed. Called with every look. */
  hear(): void;
  /** The lane was changed by this node for an operator: tells the others, and `onTouched`. */
  tellTouched(lane: LaneKey): void;
  /** This node dispatches a lane that was changed: tells the listener. */
  noteTouched(lane: LaneKey): void;
  close(): void;
  readonly counters: {
    /** Orders that could not be sent or heard: those who missed them find out with their next look. */
    readonly failures: number;
  };
}

export interface RedisControlsParts {
  readonly bus: RedisBus;
  readonly commands: Commands;
  readonly keys: Keys;
  /** Names this process: it does not listen to itself. */
  readonly owner: string;
  /** A lane was changed for an operator, at this node or another. */
  readonly onTouched: (lane: LaneKey) => void;
  readonly reach: <T>(partition: number, call: () => Promise<T>) => Promise<T>;
}

interface Order {
  readonly from: string;
  readonly what: "pauses" | "retry" | "touched";
  readonly app?: string;
  readonly endpoint?: string;
  readonly partition?: number;
}

/** To be called before the connections are opened. */
export function createRedisControls(parts: RedisControlsParts): RedisControls {
  const { bus, commands, keys, owner, onTouched, reach } = parts;
  const topic = keys.key(0, "control");
  const pausedKey = keys.key(0, "paused");
  const counters = { failures: 0 };
  let listener: ControlListener | undefined;
  let isHeard = false;

  bus.on("control", (heard, bytes) => {
    if (heard !== topic) return;
    const order = readOrder(messageText(bytes));
    if (order && order.from !== owner) obey(order);
  });
  bus.onResubscribed((topics) => {
    if (isHeard && topics.includes(topic)) listener?.pausesChanged();
  });

  function obey({ what, app: appId, endpoint: endpointId, partition }: Order): void {
    if (what === "pauses") return listener?.pausesChanged();
    if (appId === undefined || endpointId === undefined) return;
    if (what === "retry") listener?.retry({ appId, endpointId });
    else if (partition !== undefined) onTouched({ partition, appId, endpointId });
  }

  function tell(order: Omit<Order, "from">): void {
    bus
      .publish(topic, encodeTextMessage("control", JSON.stringify({ from: owner, ...order })))
      .catch(() => {
        // Whatever the reason: what was changed stands in Redis, and every look reads it.
        counters.failures += 1;
      });
  }

  async function begin(): Promise<void> {
    isHeard = true;
    try {
      await bus.subscribe(topic);
      listener?.pausesChanged();
    } catch {
      // Whatever the reason: the next look tries again.
      isHeard = false;
      counters.failures += 1;
    }
  }

  function changed(): void {
    listener?.pausesChanged();
    tell({ what: "pauses" });
  }

  const nameOf = ({ appId, endpointId }: EndpointName) => laneName(appId, endpointId);

  return {
    counters,
    hear() {
      if (!isHeard) void begin();
    },
    listen(told) {
      listener = told;
    },
    pauses: () => reach(0, async () => readPauses(await commands.call("HGETALL", pausedKey))),
    async pause(of, pause) {
      const args = [nameOf(of), pauseText(pause)];
      await reach(0, () => commands.runScript(PAUSE, [pausedKey], args));
      changed();
    },
    async resume(of, expected) {
      const args = [nameOf(of), expected === undefined ? "" : pauseText(expected)];
      await reach(0, () => commands.runScript(RESUME, [pausedKey], args));
      changed();
    },
    async retry(of) {
      listener?.retry(of);
      tell({ what: "retry", app: of.appId, endpoint: of.endpointId });
    },
    tellTouched(lane) {
      onTouched(lane);
      const { partition, appId, endpointId } = lane;
      tell({ what: "touched", partition, app: appId, endpoint: endpointId });
    },
    noteTouched(lane) {
      listener?.touched(lane);
    },
    close() {
      listener = undefined;
      if (isHeard) bus.unsubscribe(topic);
      isHeard = false;
    },
  };
}

function pauseText({ sinceMs, reason, urlHash = "" }: StoredPause): string {
  return `${sinceMs}:${reason}:${urlHash}`;
}

/** A reason that this release does not know is an operator's: it takes an operator to end it. */
function readPauses(reply: unknown): ReadonlyMap<string, StoredPause> {
  if (!Array.isArray(reply)) throw unexpected("list of pauses");
  const pauses = new Map<string, StoredPause>();
  for (let i = 0; i < reply.length; i += 2) {
    const [sinceMs, named, urlHash = ""] = String(reply[i + 1]).split(":");
    const reason: PauseReason = named === "gone" ? "gone" : "operator";
    pauses.set(String(reply[i]), {
      reason,
      sinceMs: Number(sinceMs),
      urlHash: urlHash === "" ? undefined : urlHash,
    });
  }
  return pauses;
}

/** Undefined for what another release may say. */
function readOrder(text: string): Order | undefined {
  let order: unknown;
  try {
    order = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof order !== "object" || order === null) return undefined;
  const { from, what, app, endpoint, partition } = order as Record<string, unknown>;
  if (typeof from !== "string") return undefined;
  if (what !== "pauses" && what !== "retry" && what !== "touched") return undefined;
  return {
    from,
    what,
    ...(typeof app === "string" && { app }),
    ...(typeof endpoint === "string" && { endpoint }),
    ...(typeof partition === "number" && { partition }),
  };
}
