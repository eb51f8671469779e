/** The real pusher-js in Node, with a log of everything it receives. */
import type { TestContext } from "node:test";
import type PusherServer from "pusher";
import PusherJs, { type Channel, type Options } from "pusher-js";
import { until } from "./until.ts";

/** pusher-js is CommonJS, whose class Node gives as the default export and the types as its `default`. */
export const Pusher = PusherJs as unknown as typeof PusherJs.default;
export type PusherClient = PusherJs.default;

export interface TestClientOptions {
  /** Who the client is on presence channels and when it signs in. */
  readonly userId?: string;
  readonly userInfo?: Record<string, unknown>;
  readonly watchlist?: string[];
  readonly key?: string;
  readonly options?: Partial<Options>;
}

export interface TestClient {
  readonly pusher: PusherClient;
  readonly socketId: string;
  /** Every message on the connection, as pusher-js decoded it. */
  readonly received: ReceivedEvent[];
  /** Subscribes and waits for the answer. Rejects on a subscription error. */
  subscribe(channel: string): Promise<Channel>;
  /** Events received on a channel, without those of the protocol. */
  eventsOn(channel: string): { event: string; data: unknown }[];
}

export interface ReceivedEvent {
  readonly event: string;
  readonly channel?: string;
  readonly data?: unknown;
  readonly user_id?: string;
}

/** Connects; channels are authorised with the server library, as an app's backend would. */
export async function connectClient(
  t: TestContext,
  port: number,
  backend: PusherServer,
  { userId, userInfo, watchlist, key = "test-key", options }: TestClientOptions = {},
): Promise<TestClient> {
  const pusher = new Pusher(key, {
    cluster: "local",
    wsHost: "127.0.0.1",
    wsPort: port,
    forceTLS: false,
    enabledTransports: ["ws"],
    disableStats: true,
    channelAuthorization: {
      transport: "ajax",
      endpoint: "",
      customHandler: ({ socketId, channelName }, callback) => {
        const member =
          userId === undefined ? undefined : { user_id: userId, user_info: userInfo ?? {} };
        const isPresence = channelName.startsWith("presence-");
        try {
          const auth = backend.authorizeChannel(
            socketId,
            channelName,
            isPresence ? member : undefined,
          );
          callback(null, auth as { auth: string });
        } catch (error) {
          callback(error as Error, null);
        }
      },
    },
    userAuthentication: {
      transport: "ajax",
      endpoint: "",
      customHandler: ({ socketId }, callback) => {
        const user = { id: userId ?? "nobody", user_info: userInfo, watchlist };
        callback(null, backend.authenticateUser(socketId, user) as never);
      },
    },
    ...options,
  } as Options);
  t.after(() => pusher.disconnect());
  const received: ReceivedEvent[] = [];
  pusher.connection.bind("message", (message: ReceivedEvent) => received.push(message));
  await until("pusher-js is connected", () => pusher.connection.state === "connected");
  return {
    pusher,
    socketId: pusher.connection.socket_id,
    received,
    async subscribe(name) {
      const channel = pusher.subscribe(name);
      let failure: unknown;
      channel.bind("pusher:subscription_error", (error: unknown) => {
        failure = error;
      });
      await until(`the subscription to ${name} is answered`, () => {
        if (failure !== undefined) throw new Error(`Refused: ${JSON.stringify(failure)}`);
        return channel.subscribed;
      });
      return channel;
    },
    eventsOn: (name) =>
      received
        .filter(({ channel, event }) => channel === name && !event.startsWith("pusher"))
        .map(({ event, data }) => ({ event, data })),
  };
}
