/** The server that clients and backends reach: one listener, plain or TLS, for WebSockets and HTTP. */
import type { Channels } from "../channels/channels.ts";
import type { HttpApi } from "../http/http-api.ts";
import type { Log } from "../protocol/log.ts";
import { createTrustedProxies } from "./client-address.ts";
import { createTransportCounters, type TransportCounters } from "./counters.ts";
import { createHeartbeat } from "./heartbeat.ts";
import { serveHttp } from "./http-requests.ts";
import { TopicPublisher } from "./topic-publisher.ts";
import { type LoadedUws, loadUws, type TemplatedApp, type us_listen_socket } from "./uws.ts";
import { serveWebSockets } from "./websockets.ts";

export interface TransportSettings {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Other processes may listen on the port too, and the system deals connections out among them. */
  readonly isPortShared: boolean;
  readonly pathPrefix: string;
  readonly ssl: TlsSettings | undefined;
  readonly trustedProxies: readonly string[];
  readonly maxFrameBytes: number;
  readonly maxBackpressureBytes: number;
  readonly countsAddresses: boolean;
  readonly activityTimeoutS: number;
  readonly pongTimeoutS: number;
}

/** Paths of PEM files. */
export interface TlsSettings {
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string | undefined;
  readonly passphrase: string | undefined;
}

export interface Transport {
  readonly counters: Readonly<TransportCounters>;
  /** Rejects with PortUnavailableError when the port is taken, with UwsUnavailableError when the library is missing. */
  listen(rooms: TransportRooms): Promise<void>;
  /** The port listened on; undefined before `listen`. */
  port(): number | undefined;
  loaded(): LoadedUws["loaded"] | undefined;
  /** Publishes to the local sockets subscribed to `topic`, `receivers` of them. Nothing before `listen` and after `close`. */
  publish(topic: string, frame: string, receivers: number): void;
  /** What was published in this turn of the event loop takes long to send: requests should wait. */
  hasMuchToSend(): boolean;
  /** Stops listening and ends every socket that is left. */
  close(): void;
}

/** What transport hands frames and requests to. */
export interface TransportRooms {
  readonly channels: Channels;
  readonly api: HttpApi;
}

/** The port cannot be listened on. */
export class PortUnavailableError extends Error {
  override readonly name = "PortUnavailableError";
  readonly code = "PIPIT_PORT_UNAVAILABLE";
  constructor(host: string, port: number) {
    super(
      `Cannot listen on ${host}:${port}: is another program using the port, or is ${host} no address of this machine? Change host or port, or stop that program.`,
    );
  }
}

/** The certificate or key cannot be used. */
export class TlsUnusableError extends Error {
  override readonly name = "TlsUnusableError";
  readonly code = "PIPIT_TLS_UNUSABLE";
  constructor({ certFile, keyFile }: TlsSettings, cause: unknown) {
    super(
      `TLS cannot start with ssl.cert_file ${certFile} and ssl.key_file ${keyFile}: are both PEM, do they belong together, and is ssl.passphrase right?`,
      { cause },
    );
  }
}

/** What the library calls LIBUS_LISTEN_DEFAULT and does not export. */
const LISTEN_SHARED = 0;

export function createTransport(settings: TransportSettings, log: Log): Transport {
  const counters = createTransportCounters();
  const heartbeat = createHeartbeat(settings.activityTimeoutS, settings.pongTimeoutS);
  let library: LoadedUws | undefined;
  let app: TemplatedApp | undefined;
  let listening: us_listen_socket | undefined;
  const publisher = new TopicPublisher((topic, frame) => app?.publish(topic, frame));

  return {
    counters,
    async listen({ channels, api }) {
      library = await loadUws();
      const { uws } = library;
      app = settings.ssl === undefined ? uws.App() : createTlsApp(uws, settings.ssl);
      const proxies = createTrustedProxies(settings.trustedProxies);
      const isTls = settings.ssl !== undefined;
      serveWebSockets(app, uws, {
        channels,
        heartbeat,
        publisher,
        proxies,
        counters,
        settings: { ...settings, isTls },
        log,
      });
      serveHttp(app, { api, proxies, counters });
      listening = await listenOn(app, uws, settings);
      heartbeat.start();
    },
    port: () =>
      listening === undefined ? undefined : library?.uws.us_socket_local_port(listening),
    loaded: () => library?.loaded,
    publish(topic, frame, receivers) {
      publisher.publish(topic, frame, receivers, undefined);
    },
    hasMuchToSend: () => publisher.isFull,
    close() {
      publisher.flush();
      heartbeat.close();
      app?.close();
      app = undefined;
      listening = undefined;
    },
  };
}

function createTlsApp(uws: LoadedUws["uws"], ssl: TlsSettings): TemplatedApp {
  try {
    return uws.SSLApp({
      cert_file_name: ssl.certFile,
      key_file_name: ssl.keyFile,
      ...(ssl.caFile === undefined ? {} : { ca_file_name: ssl.caFile }),
      ...(ssl.passphrase === undefined ? {} : { passphrase: ssl.passphrase }),
    });
  } catch (error) {
    throw new TlsUnusableError(ssl, error);
  }
}

/** Exclusively unless told otherwise: two processes would else share the port in silence. */
function listenOn(
  app: TemplatedApp,
  uws: LoadedUws["uws"],
  { host, port, isPortShared }: TransportSettings,
): Promise<us_listen_socket> {
  const options = isPortShared ? LISTEN_SHARED : uws.LIBUS_LISTEN_EXCLUSIVE_PORT;
  return new Promise((resolve, reject) => {
    app.listen(host, port, options, (socket) => {
      if (socket === false) reject(new PortUnavailableError(host, port));
      else resolve(socket);
    });
  });
}
