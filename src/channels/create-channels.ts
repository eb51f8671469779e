/** Builds channels from their parts: the way in for frames, connections and publishes. */
import type { Adapter } from "../adapters/adapter.ts";
import type { App, Apps } from "../apps/app.ts";
import type { CacheStore } from "../cache/cache-store.ts";
import type { ChannelState } from "../channel-state/channel-state.ts";
import type { Connection, Socket } from "../connections/connection.ts";
import type { ConnectionRegistry } from "../connections/registry.ts";
import type { Watchers } from "../connections/watchers.ts";
import { createTokenBucket, takeToken } from "../limits/token-bucket.ts";
import { CLOSE_CODES, type ClosingRefusal } from "../protocol/close-code.ts";
import {
  readFrame,
  readPlainSubscribe,
  readSignIn,
  readSubscribe,
  readUnsubscribe,
} from "../protocol/command.ts";
import { connectionEstablishedFrame, PONG_FRAME } from "../protocol/frame.ts";
import type { Log } from "../protocol/log.ts";
import { createSocketIds } from "../protocol/socket-id.ts";
import { userTopic } from "../protocol/topic.ts";
import type { Channels, Handshake } from "./channels.ts";
import { CLIENT_EVENT_PREFIX, createClientEvents } from "./client-events.ts";
import { type ChannelsCounters, createChannelsCounters } from "./counters.ts";
import { createDeadlines } from "./deadlines.ts";
import { drainConnections, turnAway } from "./drain.ts";
import { type HandshakeRefusal, handshakeRefusal } from "./handshake.ts";
import type { LocalChannels } from "./local-channels.ts";
import { createPublishing } from "./publishing.ts";
import { createRefusals } from "./refusals.ts";
import { createSigningIn } from "./sign-in.ts";
import { createSubscribing } from "./subscribing.ts";

/** Limits: `Infinity` is none. */
export interface ChannelsSettings {
  readonly activityTimeoutS: number;
  readonly authorizationTimeoutMs: number;
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  readonly maxChannelsPerConnection: number;
  readonly commandsPerSecond: number;
  readonly commandsBurst: number;
}

/** Clients that may wait until it is sure that their app is full; more are told at once to come again. */
const MAX_UNSURE = 1_000;

export interface ChannelsParts {
  readonly apps: Apps;
  readonly adapter: Adapter;
  readonly state: ChannelState;
  readonly cache: CacheStore;
  readonly connections: ConnectionRegistry;
  /** The app's connections on other nodes, asked for each client of the app that comes; 0 on a node alone. */
  readonly connectionsElsewhere: (appId: string) => number;
  /** Done once the other nodes have told those numbers again; false when one has not in time. */
  readonly confirmElsewhere: () => Promise<boolean>;
  readonly watchers: Watchers;
  readonly locals: LocalChannels;
  readonly settings: ChannelsSettings;
  readonly now: () => number;
  readonly log: Log;
}

export interface ChannelsWithCounters extends Channels {
  readonly counters: Readonly<ChannelsCounters>;
}

export function createChannels(parts: ChannelsParts): ChannelsWithCounters {
  const { apps, adapter, cache, connections, settings, now, log } = parts;
  const counters = createChannelsCounters();
  const refusals = createRefusals(log);
  const common = { ...parts, refusals, counters };
  const subscribing = createSubscribing({
    ...common,
    maxChannelsPerConnection: settings.maxChannelsPerConnection,
    now,
  });
  const signingIn = createSigningIn(common);
  const relayClientEvent = createClientEvents({ ...common, mayAnswer: isWithinCommandRate });
  const publish = createPublishing(common);
  const nextSocketId = createSocketIds();
  const countsAddresses = settings.maxConnectionsPerAddress !== Infinity;
  const deadlines = createDeadlines(settings.authorizationTimeoutMs, now, (connection) => {
    counters.unauthorizedClosed += 1;
    connection.socket.close(CLOSE_CODES.unauthorized, "The connection was not authorized in time.");
  });
  let isDraining = false;
  let unsure = 0;

  function countRefusal(code: number): void {
    counters.handshakesRefused.set(code, (counters.handshakesRefused.get(code) ?? 0) + 1);
  }

  function admit(
    handshake: Handshake,
    socket: Socket,
    app: App | undefined,
    isElsewhereSure?: boolean,
  ): Connection | ClosingRefusal | Promise<Connection | ClosingRefusal> {
    if (isDraining) {
      countRefusal(CLOSE_CODES.reconnect);
      return turnAway(socket);
    }
    const refusal = handshakeRefusal(handshake, app, {
      nodeConnections: connections.size,
      maxNodeConnections: settings.maxConnections,
      addressConnections: countsAddresses ? connections.countOfAddress(handshake.address ?? "") : 0,
      maxAddressConnections: settings.maxConnectionsPerAddress,
      appConnections: app === undefined ? 0 : connections.countOfApp(app.id),
      appConnectionsElsewhere: app === undefined ? 0 : parts.connectionsElsewhere(app.id),
      isElsewhereSure: isElsewhereSure ?? false,
    });
    if (refusal?.isUnsure && isElsewhereSure === undefined && unsure < MAX_UNSURE) {
      unsure += 1;
      return parts.confirmElsewhere().then((isSure) => {
        unsure -= 1;
        return admit(handshake, socket, app, isSure);
      });
    }
    if (refusal !== undefined || app === undefined) {
      const { code, message, limit }: HandshakeRefusal = refusal ?? {
        code: CLOSE_CODES.unknownApp,
        message: "No such app.",
      };
      if (limit !== undefined) {
        counters.capacityHit.set(limit, (counters.capacityHit.get(limit) ?? 0) + 1);
      }
      countRefusal(code);
      socket.close(code, message);
      return { code, message };
    }
    const connection: Connection = {
      socketId: nextSocketId(),
      app,
      socket,
      subscriptions: undefined,
      user: undefined,
      isAuthorized: false,
      isOpen: true,
      address: countsAddresses ? handshake.address : undefined,
      commandBucket: undefined,
      clientEventBucket: undefined,
      refusedCommands: 0,
    };
    connections.add(connection);
    app.traffic.connectionsOpened += 1;
    socket.send(connectionEstablishedFrame(connection.socketId, settings.activityTimeoutS));
    if (app.settings.features.authorizedConnections) deadlines.add(connection);
    return connection;
  }

  function receive(connection: Connection, text: string): void {
    if (!connection.isOpen) return;
    const plain = readPlainSubscribe(text);
    if (plain !== undefined) {
      if (isWithinCommandRate(connection)) subscribing.subscribe(connection, plain);
      return;
    }
    const frame = readFrame(text);
    if (typeof frame !== "string") {
      if (frame.event === "pusher:ping") return connection.socket.send(PONG_FRAME);
      if (frame.event === "pusher:pong") return;
      if (frame.event.startsWith(CLIENT_EVENT_PREFIX)) return relayClientEvent(connection, frame);
    }
    if (!isWithinCommandRate(connection)) return;
    if (typeof frame === "string") return refusals.refuse(connection, "bad_frame", null, frame);
    switch (frame.event) {
      case "pusher:subscribe": {
        const command = readSubscribe(frame.data);
        if (typeof command === "string") return refuseCommand(connection, command);
        return subscribing.subscribe(connection, command);
      }
      case "pusher:unsubscribe": {
        const command = readUnsubscribe(frame.data);
        if (typeof command === "string") return refuseCommand(connection, command);
        return subscribing.unsubscribe(connection, command.channel);
      }
      case "pusher:signin": {
        const command = readSignIn(frame.data);
        if (typeof command === "string") return refuseCommand(connection, command);
        return signingIn.signIn(connection, command);
      }
      default: {
        const name = JSON.stringify(frame.event.slice(0, 64));
        const message = `The event ${name} is not known: clients send pusher:subscribe, pusher:unsubscribe, pusher:signin, pusher:ping and events whose name begins "client-".`;
        return refusals.refuse(connection, "unknown_event", null, message);
      }
    }
  }

  function refuseCommand(connection: Connection, message: string): void {
    refusals.refuse(connection, "bad_command", null, message);
  }

  /** Over the rate a command is dropped with 4301; more refusals than the burst, and the connection goes. */
  function isWithinCommandRate(connection: Connection): boolean {
    const { commandsPerSecond, commandsBurst } = settings;
    if (commandsPerSecond === Infinity) return true;
    const nowMs = now();
    connection.commandBucket ??= createTokenBucket(commandsBurst, nowMs);
    const bucket = connection.commandBucket;
    if (takeToken(bucket, commandsPerSecond, commandsBurst, nowMs)) {
      if (bucket.tokens > commandsBurst / 2) connection.refusedCommands = 0;
      return true;
    }
    connection.refusedCommands += 1;
    const message = `More than ${commandsPerSecond} commands a second: this one was dropped.`;
    refusals.refuse(connection, "command_rate", CLOSE_CODES.rejected, message);
    if (connection.refusedCommands > commandsBurst) {
      counters.abusersClosed += 1;
      connection.socket.close(CLOSE_CODES.rejected, "Too many commands over the rate.");
    }
    return false;
  }

  return {
    counters,
    open(handshake, socket) {
      const app = apps.byKey(handshake.appKey);
      return app instanceof Promise
        ? app.then((found) => admit(handshake, socket, found))
        : admit(handshake, socket, app);
    },
    receive,
    receiveBinary(connection) {
      if (!connection.isOpen || !isWithinCommandRate(connection)) return;
      const message = "Binary frames are not supported: send text frames with JSON.";
      refusals.refuse(connection, "binary_frame", null, message);
    },
    closed(connection) {
      if (!connection.isOpen) return;
      connection.isOpen = false;
      connection.app.traffic.connectionsClosed += 1;
      connections.remove(connection);
      deadlines.remove(connection);
      subscribing.leaveAll(connection);
      signingIn.signOut(connection);
    },
    publish,
    terminateUser: (app, userId) => adapter.publish("terminate", userTopic(app.id, userId), ""),
    cached: (app, channel) => cache.get(app.id, channel),
    drain(overMs) {
      isDraining = true;
      deadlines.close();
      return drainConnections(connections, overMs);
    },
  };
}
