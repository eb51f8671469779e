/** WebSockets: from the upgrade to the close. Source: protocol.md §1. */
// Imported: the global one is a getter of Node, a call for each use.
import { Buffer } from "node:buffer";
import type { Channels, Handshake } from "../channels/channels.ts";
import type { Connection } from "../connections/connection.ts";
import { CLOSE_CODES } from "../protocol/close-code.ts";
import type { Log } from "../protocol/log.ts";
import { addressText, clientOf, type TrustedProxies } from "./client-address.ts";
import { countClose, type TransportCounters } from "./counters.ts";
import { backstopTimeoutS, type Heartbeat } from "./heartbeat.ts";
import type { TopicPublisher } from "./topic-publisher.ts";
import type {
  HttpRequest,
  HttpResponse,
  TemplatedApp,
  UwsModule,
  us_socket_context_t,
  WebSocket,
} from "./uws.ts";
import { type Held, TOO_SLOW, UwsSocket } from "./uws-socket.ts";

export interface WebSocketSettings {
  /** Stands before `/app/{key}`; empty or with a leading slash. */
  readonly pathPrefix: string;
  readonly isTls: boolean;
  readonly maxFrameBytes: number;
  readonly maxBackpressureBytes: number;
  /** Connections per address are limited: channels need each client's. */
  readonly countsAddresses: boolean;
  readonly activityTimeoutS: number;
  readonly pongTimeoutS: number;
}

export interface WebSocketParts {
  readonly channels: Channels;
  readonly heartbeat: Heartbeat;
  readonly publisher: TopicPublisher;
  readonly proxies: TrustedProxies;
  readonly counters: TransportCounters;
  readonly settings: WebSocketSettings;
  readonly log: Log;
}

/** Frames that a client may send before its connection is admitted. */
const MAX_EARLY_FRAMES = 16;

/** A query as it came, and what counts of it. */
interface ClientQuery {
  readonly text: string | undefined;
  readonly protocol: string | undefined;
  readonly version: string | undefined;
}

/** What uWebSockets.js gives as the reason when it ends a connection for a frame over the limit. */
const FRAME_TOO_LARGE = "Received too big message";

/** A client without proxies that need to be asked about it, where addresses are not counted. */
const ANY_CLIENT = { address: undefined, isForwardedTls: false } as const;

/** Routes upgrades under `/app/{key}` to channels; any other path is answered with 4005 after the upgrade. */
export function serveWebSockets(app: TemplatedApp, uws: UwsModule, parts: WebSocketParts): void {
  const { channels, heartbeat, publisher, proxies, counters, settings, log } = parts;

  /** Of the upgrade under way, which opens the socket before it returns: so the socket need not carry it. */
  let upgrading: Handshake | undefined;

  /** The query that came last: clients of a kind send the same one, and each field is a call into the library. */
  let lastQuery: ClientQuery | undefined;

  /** Frames that came while the app was being looked up. */
  const early = new Map<UwsSocket, string[]>();

  function upgrade(
    res: HttpResponse,
    req: HttpRequest,
    context: us_socket_context_t,
    key: string | undefined,
  ): void {
    const socket = new UwsSocket(publisher);
    upgrading = key === undefined ? undefined : readHandshake(res, req, key);
    res.upgrade<Held>(
      { socket },
      req.getHeader("sec-websocket-key"),
      req.getHeader("sec-websocket-protocol"),
      req.getHeader("sec-websocket-extensions"),
      context,
    );
    upgrading = undefined;
  }

  function readHandshake(res: HttpResponse, req: HttpRequest, key: string): Handshake {
    // Each is a call into the library: left out, they and a WeakMap here save 3 % of a connect (npm run bench).
    const { address, isForwardedTls } =
      settings.countsAddresses || !proxies.isEmpty
        ? clientOf(
            addressText(res.getRemoteAddress()),
            req.getHeader("x-forwarded-for"),
            req.getHeader("x-forwarded-proto"),
            proxies,
          )
        : ANY_CLIENT;
    const text: string | undefined = req.getQuery();
    if (lastQuery === undefined || lastQuery.text !== text) {
      lastQuery = { text, protocol: req.getQuery("protocol"), version: req.getQuery("version") };
    }
    return {
      appKey: decoded(key),
      protocol: lastQuery.protocol,
      version: lastQuery.version,
      origin: req.getHeader("origin") || undefined,
      isTls: settings.isTls || isForwardedTls,
      address,
    };
  }

  function open(socket: UwsSocket): void {
    const handshake = upgrading;
    upgrading = undefined;
    if (handshake === undefined) {
      socket.close(CLOSE_CODES.pathNotFound, `Connect to ${settings.pathPrefix}/app/{key}.`);
      return;
    }
    const opened = channels.open(handshake, socket);
    if (!(opened instanceof Promise)) {
      admit(socket, opened);
      return;
    }
    opened.then(
      (result) => admit(socket, result),
      (error: unknown) => {
        log.error({ err: error }, "app look-up failed");
        socket.close(CLOSE_CODES.overCapacity, "The server cannot look up apps just now.");
      },
    );
  }

  function admit(socket: UwsSocket, opened: Connection | { code: number }): void {
    if ("code" in opened) return;
    // The client may have gone while the app was being looked up.
    if (socket.ws === undefined) {
      channels.closed(opened);
      return;
    }
    socket.connection = opened;
    heartbeat.add(socket);
    log.debug({ app_id: opened.app.id, socket_id: opened.socketId }, "connection opened");
    if (early.size === 0) return;
    const frames = early.get(socket) ?? [];
    early.delete(socket);
    for (const frame of frames) channels.receive(opened, frame);
  }

  /** Keeps a frame for later; false when there are too many. */
  function keepEarly(socket: UwsSocket, frame: string): boolean {
    const frames = early.get(socket) ?? [];
    if (frames.length >= MAX_EARLY_FRAMES) return false;
    frames.push(frame);
    early.set(socket, frames);
    return true;
  }

  function message(socket: UwsSocket, bytes: ArrayBuffer, isBinary: boolean): void {
    const { connection } = socket;
    if (connection === undefined) {
      const isKept = !isBinary && keepEarly(socket, Buffer.from(bytes).toString());
      if (!isKept) counters.earlyFramesDropped += 1;
      return;
    }
    socket.heardAtTick = heartbeat.tick;
    connection.app.traffic.messagesReceived += 1;
    connection.app.traffic.bytesReceived += bytes.byteLength;
    if (isBinary) channels.receiveBinary(connection);
    else channels.receive(connection, Buffer.from(bytes).toString());
  }

  function close(socket: UwsSocket, wireCode: number): void {
    const { connection } = socket;
    socket.ws = undefined;
    heartbeat.remove(socket);
    if (early.size > 0) early.delete(socket);
    let code = socket.closedWith || wireCode;
    if (code === TOO_SLOW) {
      counters.slowConsumersClosed += 1;
      code = CLOSE_CODES.overCapacity;
    }
    if (connection === undefined) return;
    countClose(counters, code);
    log.debug(
      { app_id: connection.app.id, socket_id: connection.socketId, code },
      "connection closed",
    );
    channels.closed(connection);
  }

  /** A bug of ours. uWebSockets.js would end the connection and tell nobody; the others go on. */
  function onFault(socket: UwsSocket, error: unknown): void {
    counters.faults += 1;
    log.error({ err: error, socket_id: socket.connection?.socketId }, "connection failed");
    socket.close(CLOSE_CODES.reconnect, "The server failed on this connection: connect again.");
  }

  const behaviour = {
    compression: uws.DISABLED,
    maxPayloadLength: settings.maxFrameBytes,
    maxBackpressure: settings.maxBackpressureBytes,
    closeOnBackpressureLimit: true,
    // The wheel pings and closes with 4201; this one drops without a close frame, so it is only the backstop.
    idleTimeout: backstopTimeoutS(settings.activityTimeoutS, settings.pongTimeoutS),
    sendPingsAutomatically: false,
    open(ws: WebSocket<Held>): void {
      const { socket } = ws.getUserData();
      socket.ws = ws;
      try {
        open(socket);
      } catch (error) {
        onFault(socket, error);
      }
    },
    message(ws: WebSocket<Held>, bytes: ArrayBuffer, isBinary: boolean): void {
      const { socket } = ws.getUserData();
      try {
        message(socket, bytes, isBinary);
      } catch (error) {
        onFault(socket, error);
      }
    },
    dropped(ws: WebSocket<Held>): void {
      ws.getUserData().socket.closedWith = TOO_SLOW;
    },
    ping(ws: WebSocket<Held>): void {
      ws.getUserData().socket.heardAtTick = heartbeat.tick;
    },
    pong(ws: WebSocket<Held>): void {
      ws.getUserData().socket.heardAtTick = heartbeat.tick;
    },
    close(ws: WebSocket<Held>, code: number, reason: ArrayBuffer): void {
      const { socket } = ws.getUserData();
      if (code === 1006 && Buffer.from(reason).toString() === FRAME_TOO_LARGE) {
        counters.framesTooLarge += 1;
      }
      try {
        close(socket, code);
      } catch (error) {
        onFault(socket, error);
      }
    },
  };

  app.ws<Held>(`${settings.pathPrefix}/app/:key`, {
    ...behaviour,
    upgrade: (res, req, context) => upgrade(res, req, context, req.getParameter(0) ?? ""),
  });
  app.ws<Held>("/*", {
    ...behaviour,
    upgrade: (res, req, context) => upgrade(res, req, context, undefined),
  });
}

/** A path part, percent-decoded where it can be. */
function decoded(part: string): string {
  if (!part.includes("%")) return part;
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
