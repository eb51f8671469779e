/** A server for one test, with clients of every kind, all closed when the test ends. */
import type { TestContext } from "node:test";
import Pusher from "pusher";
import type { ConfigInput } from "../../src/config/config.ts";
import { createServer, type Server, type ServerOptions } from "../../src/server.ts";
import { connectClient, type TestClient, type TestClientOptions } from "./client.ts";
import { delayedDrivers } from "./delayed-drivers.ts";
import { openRawSocket, type RawSocket } from "./raw-socket.ts";

type AppInput = NonNullable<NonNullable<ConfigInput["app_manager"]>["apps"]>[number];

/** Set by the test command for a second run of the integration suite: drivers then answer late. */
export const HAS_SLOW_DRIVERS = process.env.PIPIT_TEST_SLOW_DRIVERS === "1";

export const APP = { id: "42", key: "test-key", secret: "test-secret" } as const;

export interface Pipit {
  readonly server: Server;
  readonly port: number;
  /** The real server library, for the app {@link APP}. */
  readonly pusher: Pusher;
  url(path: string): string;
  /** A real pusher-js client, connected. */
  connect(options?: TestClientOptions): Promise<TestClient>;
  /**
   * Called before the server is closed: where clients leave that would else be sent away. One of them would
   * come back at once, and in Node its timers then hold the process.
   */
  onClose(leave: () => void): void;
  /** A bare WebSocket that shows every frame. */
  raw(path?: string, headers?: Record<string, string>): Promise<RawSocket>;
}

/** The real server library, for the app {@link APP} of a server at that port. */
export function createBackend(port: number): Pusher {
  return new Pusher({
    appId: APP.id,
    key: APP.key,
    secret: APP.secret,
    host: "127.0.0.1",
    port: String(port),
    useTLS: false,
    // 32 bytes in base64, for encrypted channels.
    encryptionMasterKeyBase64: Buffer.alloc(32, 7).toString("base64"),
  });
}

/** Starts a server on a free port with one app; `app` and `config` override what a test needs otherwise. */
export async function startPipit(
  t: TestContext,
  app: Partial<AppInput> = {},
  config: ConfigInput = {},
  options: ServerOptions = {},
): Promise<Pipit> {
  const server = createServer(
    {
      port: 0,
      metrics: { port: 0 },
      shutdown: { grace_s: 1 },
      log: { level: "silent" },
      ...config,
      app_manager: {
        apps: [
          {
            ...APP,
            enable_client_messages: true,
            enable_user_authentication: true,
            ...app,
          } as AppInput,
          ...(config.app_manager?.apps ?? []),
        ],
      },
    },
    HAS_SLOW_DRIVERS ? { ...options, wrap: delayedDrivers() } : options,
  );
  await server.listen();
  const leaves: (() => void)[] = [];
  t.after(() => {
    for (const leave of leaves) leave();
    return server.close();
  });
  const port = server.address()?.port ?? 0;
  const pusher = createBackend(port);
  return {
    server,
    port,
    pusher,
    url: (path) => `http://127.0.0.1:${port}${path}`,
    async connect(clientOptions) {
      const client = await connectClient(t, port, pusher, clientOptions);
      leaves.push(() => client.pusher.disconnect());
      return client;
    },
    onClose: (leave) => leaves.push(leave),
    raw: (path = `/app/${APP.key}?protocol=7&client=js&version=8.6.0`, headers = {}) =>
      openRawSocket(t, port, path, headers),
  };
}
