/** The rooms up to channels, wired as the server wires them, with memory drivers and sockets without a network. */
import type { Adapter } from "../../src/adapters/adapter.ts";
import { createLocalAdapter } from "../../src/adapters/local-adapter.ts";
import type { App, Apps } from "../../src/apps/app.ts";
import type { CacheStore } from "../../src/cache/cache-store.ts";
import {
  createMemoryCacheStore,
  type MemoryCacheStore,
} from "../../src/cache/memory-cache-store.ts";
import type { ChannelState } from "../../src/channel-state/channel-state.ts";
import {
  createMemoryChannelState,
  type MemoryChannelState,
} from "../../src/channel-state/memory-channel-state.ts";
import { createAnnouncements } from "../../src/channels/announcements.ts";
import type { Handshake } from "../../src/channels/channels.ts";
import {
  type ChannelsSettings,
  type ChannelsWithCounters,
  createChannels,
} from "../../src/channels/create-channels.ts";
import { createDelivery } from "../../src/channels/delivery.ts";
import { createLocalChannels, type LocalChannels } from "../../src/channels/local-channels.ts";
import type { Connection } from "../../src/connections/connection.ts";
import {
  type ConnectionRegistry,
  createConnectionRegistry,
} from "../../src/connections/registry.ts";
import { createWatchers, type Watchers } from "../../src/connections/watchers.ts";
import { SILENT_LOG } from "../../src/protocol/log.ts";
import { createFakeSockets, type FakeSocket } from "./fake-sockets.ts";
import { authFor, createTestApp, KEY } from "./test-app.ts";

const PARTITIONS = 4;

export interface ChannelsNodeOptions {
  readonly app?: App;
  /** Further apps beside `app`. */
  readonly apps?: readonly App[];
  readonly settings?: Partial<ChannelsSettings>;
  readonly connectionsElsewhere?: (appId: string) => number;
  readonly confirmElsewhere?: () => Promise<boolean>;
  readonly wrapApps?: (inner: Apps) => Apps;
  readonly wrapAdapter?: (inner: Adapter) => Adapter;
  readonly wrapState?: (inner: ChannelState) => ChannelState;
  readonly wrapCache?: (inner: CacheStore) => CacheStore;
}

export interface ChannelsNode {
  readonly app: App;
  readonly channels: ChannelsWithCounters;
  /** The memory drivers themselves, whatever is wrapped around them. */
  readonly state: MemoryChannelState;
  readonly cache: MemoryCacheStore;
  readonly locals: LocalChannels;
  readonly connections: ConnectionRegistry;
  readonly watchers: Watchers;
  /** What webhooks would tell, in order: the finished event objects, parsed. */
  readonly events: readonly Readonly<Record<string, unknown>>[];
  /** Topics that the adapter hears now. */
  readonly heard: ReadonlySet<string>;
  nowMs: number;
  /** Lets time pass, and then ends every grace and window that is over. */
  advance(ms: number): void;
  open(handshake?: Partial<Handshake>): { socket: FakeSocket; opened: Opened };
  /** A client that is connected; what it received by then is taken already. */
  connect(handshake?: Partial<Handshake>): Client;
}

type Opened = ReturnType<ChannelsWithCounters["open"]>;

export interface Client {
  readonly connection: Connection;
  readonly socket: FakeSocket;
  send(frame: unknown): void;
  /** Subscribes, signed where the channel needs it. `member` is the channel_data of a presence channel. */
  subscribe(channel: string, member?: unknown): void;
  unsubscribe(channel: string): void;
  /** Signs in with this user_data. */
  signIn(userData: unknown): void;
  /** The frames since the last call. */
  take(): ReturnType<FakeSocket["take"]>;
  /** The same as short texts: `event channel`, or `event code` for errors. */
  takeNames(): readonly string[];
}

export function createChannelsNode(options: ChannelsNodeOptions = {}): ChannelsNode {
  const { app = createTestApp(), apps: others = [], settings } = options;
  const around = <T>(wrap: ((inner: T) => T) | undefined, inner: T): T => wrap?.(inner) ?? inner;
  const events: Record<string, unknown>[] = [];
  const heard = new Set<string>();
  const sockets = createFakeSockets();
  const connections = createConnectionRegistry();
  const watchers = createWatchers();
  const locals = createLocalChannels();
  const { publishToTopic } = sockets;
  const delivery = createDelivery({ locals, connections, publishToTopic });
  const append = (_appId: string, _channel: string, event: { json: string }): void => {
    events.push(JSON.parse(event.json) as Record<string, unknown>);
  };
  const now = (): number => node.nowMs;
  const state = createMemoryChannelState({
    partitions: PARTITIONS,
    now,
    append,
    lastEventId: (partition) => `1-${partition}-0-${events.length}`,
    announce: createAnnouncements(locals, delivery, watchers),
    wake() {},
  });
  const cache = createMemoryCacheStore({ now, append, maxBytes: 1_000_000 });
  const local = createLocalAdapter(delivery.deliver);
  const adapter: Adapter = {
    ...local,
    subscribe: (topic) => void heard.add(topic),
    unsubscribe: (topic) => void heard.delete(topic),
  };
  const everyApp = [app, ...others];
  const apps: Apps = {
    driver: "fake",
    byId: (id) => everyApp.find((one) => one.id === id),
    byKey: (key) => everyApp.find((one) => one.settings.keys.has(key)),
    known: () => everyApp,
  };
  const channels = createChannels({
    apps: around(options.wrapApps, apps),
    adapter: around(options.wrapAdapter, adapter),
    state: around<ChannelState>(options.wrapState, state),
    cache: around<CacheStore>(options.wrapCache, cache),
    connections,
    connectionsElsewhere: options.connectionsElsewhere ?? (() => 0),
    confirmElsewhere: options.confirmElsewhere ?? (async () => true),
    watchers,
    locals,
    settings: {
      activityTimeoutS: 120,
      authorizationTimeoutMs: 30_000,
      maxConnections: Infinity,
      maxConnectionsPerAddress: Infinity,
      maxChannelsPerConnection: 100,
      commandsPerSecond: Infinity,
      commandsBurst: Infinity,
      ...settings,
    },
    now,
    log: SILENT_LOG,
  });

  const node: ChannelsNode = {
    app,
    channels,
    state,
    cache,
    locals,
    connections,
    watchers,
    events,
    heard,
    nowMs: 1_000_000,
    advance(ms) {
      node.nowMs += ms;
      for (let partition = 0; partition < PARTITIONS; partition++) state.sweep(partition);
    },
    open(handshake = {}) {
      const socket = sockets.open();
      const opened = channels.open({ ...HANDSHAKE, ...handshake }, socket);
      if (!(opened instanceof Promise) && "socketId" in opened) {
        socket.onClose = () => channels.closed(opened);
      }
      return { socket, opened };
    },
    connect(handshake) {
      const { socket, opened } = node.open(handshake);
      if (opened instanceof Promise || !("socketId" in opened)) {
        throw new Error(`Not connected: ${JSON.stringify(socket.closed)}`);
      }
      socket.take();
      return createClient(channels, opened, socket);
    },
  };
  return node;
}

export const HANDSHAKE: Handshake = {
  appKey: KEY,
  protocol: "7",
  version: "8.4.0",
  origin: undefined,
  isTls: false,
  address: "127.0.0.1",
};

export function createClient(
  channels: Pick<ChannelsWithCounters, "receive">,
  connection: Connection,
  socket: FakeSocket,
): Client {
  const { socketId } = connection;
  const send = (frame: unknown): void => channels.receive(connection, JSON.stringify(frame));
  return {
    connection,
    socket,
    send,
    subscribe(channel, member) {
      const channelData = member === undefined ? undefined : JSON.stringify(member);
      const content = [socketId, channel, ...(channelData === undefined ? [] : [channelData])];
      const auth = /^(private|presence)-/.test(channel) ? authFor(content.join(":")) : "";
      send({ event: "pusher:subscribe", data: { channel, auth, channel_data: channelData } });
    },
    unsubscribe: (channel) => send({ event: "pusher:unsubscribe", data: { channel } }),
    signIn(user) {
      const userData = JSON.stringify(user);
      const auth = authFor(`${socketId}::user::${userData}`);
      send({ event: "pusher:signin", data: { auth, user_data: userData } });
    },
    take: () => socket.take(),
    takeNames: () =>
      socket.take().map(({ event, channel, data }) => {
        const short = event.replace(/^pusher(_internal)?:/, "");
        const code =
          event === "pusher:error" ? String((data as { code: unknown }).code) : undefined;
        return [short, channel, code].filter((part) => part !== undefined).join(" ");
      }),
  };
}

/** The `data` of a frame that carries it as a string. */
export function dataOf(frame: { readonly data?: unknown } | undefined): unknown {
  if (typeof frame?.data !== "string") throw new Error(`No string data: ${JSON.stringify(frame)}`);
  return JSON.parse(frame.data);
}
