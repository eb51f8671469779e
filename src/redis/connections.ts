/** The connections to Redis that all of a node's drivers share. */
import { randomBytes } from "node:crypto";
import type { Log } from "../protocol/log.ts";
import type { RedisBus } from "./bus.ts";
import { createClients, type RedisClient } from "./clients.ts";
import { type Commands, createCommands } from "./commands.ts";
import { createBus } from "./create-bus.ts";
import { joinDeployment, RedisDeploymentError } from "./deployment.ts";
import { createGate, type GateCounters } from "./gate.ts";
import { createKeys, type Keys } from "./keys.ts";
import { type RedisMemory, readMemory } from "./memory.ts";
import { createProbe, type Probe } from "./probe.ts";
import { RedisRefusedError, RedisUnavailableError } from "./redis-unavailable.ts";
import { keySettings, type RedisSettings, redisTimings } from "./settings.ts";
import { createSlotOwners, serverOf } from "./slot-owners.ts";
import { createSubscribers, type LinkEvents, type Subscribers } from "./subscribers.ts";

export interface RedisConnections {
  readonly keys: Keys;
  readonly commands: Commands;
  readonly bus: RedisBus;
  /**
   * Done once Redis can be used for the first time, however long that takes. Rejects with
   * RedisDeploymentError when nodes of another schema or number of partitions use the same prefix, and with
   * RedisUnavailableError when closed meanwhile.
   */
  connect(): Promise<void>;
  /** Everything still under way rejects with RedisUnavailableError. Repeatable. */
  close(): Promise<void>;
  /**
   * Says again how this deployment uses Redis, which may have lost that and would let nodes in that use it
   * otherwise. What comes of it shows in {@link isUp} and {@link isForeign}. Does nothing before the first time.
   */
  rejoin(): void;
  /** Nodes of another schema or number of partitions have taken the key prefix since: the log says what to do. */
  isForeign(): boolean;
  /** It answers and does not let this node join: the log says why. */
  isRefused(): boolean;
  /** Whether Redis answers and is heard, as far as is known. */
  isUp(): boolean;
  /** Whether Redis was ever away since {@link connect}, at its beginning too. */
  hasBeenAway(): boolean;
  /** Called each time that {@link isUp} becomes true, the first included. */
  onUp(listener: () => void): void;
  /** Called each time that it becomes false again. */
  onDown(listener: () => void): void;
  /** Why Redis cannot be used now, for an operator; undefined while it can, or while nothing has failed. */
  problem(): string | undefined;
  /** What each master says of its memory. Rejects with RedisUnavailableError. */
  memory(): Promise<readonly RedisMemory[]>;
  readonly counters: {
    readonly commands: Readonly<GateCounters>;
    readonly publishes: Readonly<GateCounters>;
  };
}

export interface RedisConnectionsOptions {
  /** ASCII, unlike any other node's. */
  readonly nodeId?: string;
  readonly random?: () => number;
  /** How long each answered command took; `name` is that of the script or command, or `publish`. */
  readonly observe?: (name: string, seconds: number) => void;
}

/** How long a node waits before it asks again whether it may join. */
const JOIN_AGAIN_AFTER_MS = 500;

const SILENT = "Redis does not answer.";

/** What exists from `connect` on. */
interface Opened {
  readonly commands: RedisClient;
  readonly publisher: RedisClient;
  readonly subscribers: Subscribers;
  readonly probe: Probe;
}

export function createRedisConnections(
  settings: RedisSettings,
  log: Log,
  options: RedisConnectionsOptions = {},
): RedisConnections {
  const {
    nodeId = randomBytes(8).toString("hex"),
    random = Math.random,
    observe = () => {},
  } = options;
  const timings = redisTimings(settings);
  const keys = createKeys(keySettings(settings));
  const isCluster = settings.cluster !== undefined;
  const laneOf = (key: string): string => serverOf(opened?.publisher, key);
  const gate = (timeoutMs: number) =>
    createGate({ timeoutMs, maxInFlight: timings.maxInFlight, onChange: look, observe });
  const commandGate = gate(timings.commandTimeoutMs);
  const publishGate = gate(timings.publishTimeoutMs);
  const notYet = (): Promise<never> => Promise.reject(new Error("There is no connection yet."));
  const commands = createCommands({
    gate: commandGate,
    client: () => opened?.commands ?? notYet(),
    laneOf,
  });
  const bus = createBus({
    keys,
    isCluster,
    gate: publishGate,
    publisher: () => opened?.publisher ?? notYet(),
    laneOf,
    canReach,
    subscribeTimeoutMs: timings.subscribeTimeoutMs,
    lingerMs: timings.lingerMs,
  });
  const upListeners: (() => void)[] = [];
  const downListeners: (() => void)[] = [];

  let opened: Opened | undefined;
  let connecting: Promise<void> | undefined;
  let settleConnecting: { resolve(): void; reject(error: Error): void } | undefined;
  let isClosed = false;
  let hasJoined = false;
  let isForeign = false;
  let isRefused = false;
  let isRejoining = false;
  let joining: NodeJS.Timeout | undefined;
  let wasUp = false;
  let downSinceMs: number | undefined;
  let hasBeenAway = false;
  let lastError = "";

  function open(): Opened {
    const clients = createClients(settings, random);
    const [commandsClient, publisher] = [clients.commands(), clients.publisher()];
    const events: LinkEvents = {
      ...bus.events,
      ready(link) {
        bus.events.ready(link);
        look();
      },
      lost(link) {
        bus.events.lost(link);
        look();
      },
    };
    const owners = createSlotOwners(publisher, keys);
    const subscribers = createSubscribers({ open: clients.subscriber, owners, events });
    const { probeIntervalMs: intervalMs } = timings;
    const probe = createProbe({ bus, keys, subscribers, nodeId, intervalMs, log });
    commandsClient.on("ready", () => void join());
    commandsClient.on("close", () => {
      hasJoined = false;
      isRefused = false;
    });
    for (const client of [commandsClient, publisher]) {
      client.on("error", (error: Error) => {
        lastError = reasonOf(error);
      });
      client.on("ready", look);
      client.on("close", () => {
        lastError ||= "The connection was closed.";
        look();
      });
    }
    return { commands: commandsClient, publisher, subscribers, probe };
  }

  function start({ commands, publisher, subscribers, probe }: Opened): void {
    // Both try again by themselves: what comes of it is told by their events.
    for (const client of [commands, publisher]) client.connect().catch(() => {});
    subscribers.start();
    bus.start(subscribers);
    probe.start();
  }

  /** On each new connection, since the Redis behind it may be another, or empty. Never rejects. */
  async function join(): Promise<void> {
    try {
      await joinDeployment(commands, keys);
      hasJoined = true;
      isForeign = false;
      isRefused = false;
      look();
    } catch (error) {
      if (isClosed) return;
      noteRefusal(error);
      if (error instanceof RedisDeploymentError) {
        if (settleConnecting !== undefined) return settleConnecting.reject(error);
        lastError = error.message;
        if (!isForeign) log.error({ reason: lastError }, "redis belongs to another deployment");
        isForeign = true;
        hasJoined = false;
        look();
      } else if (!(error instanceof RedisUnavailableError)) {
        settleConnecting?.reject(error instanceof Error ? error : new Error(String(error)));
      }
      clearTimeout(joining);
      joining = setTimeout(() => void join(), JOIN_AGAIN_AFTER_MS);
    }
  }

  function noteRefusal(error: unknown): void {
    const wasRefused = isRefused;
    isRefused = error instanceof RedisRefusedError;
    if (!isRefused) return;
    lastError = reasonOf(error as RedisRefusedError);
    if (!wasRefused) log.error({ reason: lastError }, "redis does not let this node join");
    look();
  }

  function isUp(): boolean {
    if (opened === undefined || isClosed || !hasJoined) return false;
    if (commandGate.isSilent() || publishGate.isSilent()) return false;
    const { subscribers, commands, publisher } = opened;
    return commands.status === "ready" && publisher.status === "ready" && subscribers.isReady();
  }

  function canReach(topic: string): boolean {
    if (opened === undefined || opened.publisher.status !== "ready") return false;
    const lane = laneOf(topic);
    if (commandGate.isSilent(lane) || publishGate.isSilent(lane)) return false;
    // The publisher's connections to masters are made when they are used; those that hear are always wanted.
    const partition = isCluster ? keys.partitionOfTopic(topic) : undefined;
    return partition === undefined || opened.subscribers.linkOf(partition)?.isReady() === true;
  }

  /** Tells when what {@link isUp} answers has changed. */
  function look(): void {
    const nowMs = performance.now();
    const up = isUp();
    if (isClosed) return;
    if (!up && downSinceMs === undefined && (wasUp || lastError !== "")) {
      downSinceMs = nowMs;
      hasBeenAway = true;
      log.warn({ reason: lastError || SILENT }, "redis is away, trying again");
    }
    if (up === wasUp) return;
    wasUp = up;
    if (up) {
      const downMs = downSinceMs === undefined ? 0 : Math.round(nowMs - downSinceMs);
      log.info({ down_ms: downMs }, "redis is there");
      downSinceMs = undefined;
      lastError = "";
      settleConnecting?.resolve();
    }
    for (const listener of up ? upListeners : downListeners) listener();
  }

  async function close(): Promise<void> {
    if (isClosed) return;
    isClosed = true;
    clearTimeout(joining);
    bus.close();
    commandGate.close();
    publishGate.close();
    opened?.probe.close();
    opened?.subscribers.close();
    opened?.publisher.disconnect();
    opened?.commands.disconnect();
    settleConnecting?.reject(new RedisUnavailableError("The connections are closed."));
  }

  return {
    keys,
    commands,
    bus,
    connect() {
      connecting ??= new Promise<void>((resolve, reject) => {
        if (isClosed) return reject(new RedisUnavailableError("The connections are closed."));
        const settle = (): void => {
          settleConnecting = undefined;
        };
        settleConnecting = {
          resolve() {
            settle();
            resolve();
          },
          reject(error) {
            settle();
            void close();
            reject(error);
          },
        };
        opened = open();
        start(opened);
      });
      return connecting;
    },
    close,
    rejoin() {
      // Else it is on its way, or will be with the next connection.
      if (!hasJoined || isRejoining) return;
      isRejoining = true;
      void join().then(() => {
        isRejoining = false;
      });
    },
    isForeign: () => isForeign,
    isRefused: () => isRefused,
    isUp,
    hasBeenAway: () => hasBeenAway,
    onUp: (listener) => void upListeners.push(listener),
    onDown: (listener) => void downListeners.push(listener),
    problem() {
      if (isUp()) return undefined;
      return lastError || (wasUp || downSinceMs !== undefined ? SILENT : undefined);
    },
    memory: () => readMemory(commandGate, opened?.commands),
    counters: { commands: commandGate.counters, publishes: publishGate.counters },
  };
}

/** A cluster's client only says that nobody answered: why, its last node has said. */
function reasonOf(error: Error & { readonly lastNodeError?: unknown }): string {
  const { lastNodeError } = error;
  return lastNodeError instanceof Error ? lastNodeError.message : error.message;
}
