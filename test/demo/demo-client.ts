/** A user of the app: the real pusher-js, telling the transcript what it hears. */
import type { Channel } from "pusher-js";
import { Pusher } from "../support/client.ts";
import { until } from "../support/until.ts";
import { type AuthEndpoint, USER_HEADER } from "./auth-endpoint.ts";
import { DEMO_APP } from "./demo-app.ts";
import { shown, type Transcript } from "./transcript.ts";

export interface DemoClient {
  readonly name: string;
  readonly socketId: string;
  /** Subscribes and waits until the server has agreed. */
  subscribe(channel: string): Promise<Channel>;
  unsubscribe(channel: string): void;
  /** Sends a client event. */
  whisper(channel: string, event: string, data: unknown): void;
  signIn(): Promise<void>;
  /** Waits for `event` on `channel`. */
  hears(channel: string, event: string): Promise<void>;
  /** Waits until it has a new connection in place of the one that it had at first, and its channels with it. */
  isBack(): Promise<void>;
  /** How often `event` was heard on `channel` so far. */
  heard(channel: string, event: string): number;
  /** Repeatable. */
  disconnect(): void;
}

export async function connectDemoClient(
  name: string,
  port: number,
  auth: AuthEndpoint,
  transcript: Transcript,
): Promise<DemoClient> {
  const say = (what: string) => transcript.line(name, what);
  const heard: string[] = [];
  const headers = { [USER_HEADER]: name };
  const pusher = new Pusher(DEMO_APP.key, {
    cluster: "local",
    wsHost: "127.0.0.1",
    wsPort: port,
    forceTLS: false,
    enabledTransports: ["ws"],
    channelAuthorization: { transport: "ajax", endpoint: auth.channelUrl, headers },
    userAuthentication: { transport: "ajax", endpoint: auth.userUrl, headers },
  });
  pusher.connection.bind("error", (error: unknown) => say(`error ${shown(error)}`));
  await until(`${name} is connected`, () => pusher.connection.state === "connected");
  const socketId = pusher.connection.socket_id;
  say(`connected as socket ${socketId}`);

  function hear(channel: string, event: string, data: unknown): void {
    heard.push(`${channel} ${event}`);
    say(`heard ${event} on ${channel}: ${shown(data)}`);
  }
  const count = (channel: string, event: string) =>
    heard.filter((entry) => entry === `${channel} ${event}`).length;

  return {
    name,
    socketId,
    async subscribe(channelName) {
      const channel = pusher.subscribe(channelName);
      channel.bind_global((event: string, data: unknown) => hear(channelName, event, data));
      await until(`${name} is subscribed to ${channelName}`, () => channel.subscribed);
      return channel;
    },
    unsubscribe(channel) {
      say(`leaves ${channel}`);
      pusher.unsubscribe(channel);
    },
    whisper(channel, event, data) {
      say(`sends ${event} to ${channel}: ${shown(data)}`);
      pusher.channel(channel).trigger(event, data);
    },
    async signIn() {
      pusher.user.bind_global((event: string, data: unknown) => hear("its user", event, data));
      pusher.signin();
      await until(`${name} is signed in`, () => pusher.user.user_data?.id === name);
      say("signed in");
    },
    async hears(channel, event) {
      await until(`${name} hears ${event} on ${channel}`, () => count(channel, event) > 0);
    },
    async isBack() {
      await until(`${name} is back`, () => {
        const { state, socket_id } = pusher.connection;
        const isThere = state === "connected" && socket_id !== socketId;
        return isThere && pusher.allChannels().every(({ subscribed }) => subscribed);
      });
      say(`is back, as socket ${pusher.connection.socket_id}`);
    },
    heard: count,
    disconnect() {
      if (pusher.connection.state === "disconnected") return;
      say("disconnects");
      pusher.disconnect();
    },
  };
}
