/** Several dispatchers of one deployment, in front of one receiver: real Redis, real HTTP, one process. */
import type { TestContext } from "node:test";
import { channelEvent } from "../../src/protocol/webhook-event.ts";
import { startRedis } from "../support/redis-server.ts";
import { app, appRegistry, endpoint } from "./fixtures.ts";
import { openReceiver } from "./receiver.ts";
import { type DispatcherOptions, openDispatcher } from "./redis-dispatcher.ts";
import { createProducer } from "./redis-producer.ts";

/** One dispatcher runs; `open` starts another one. The app `app` has the endpoint `one`. */
export async function openDeployment(t: TestContext, settings: DispatcherOptions["settings"] = {}) {
  const server = await startRedis(t);
  const receiver = await openReceiver(t);
  const apps = appRegistry(app("app", { webhooks: [endpoint("one", { url: receiver.url })] }));
  const open = (more: Partial<DispatcherOptions> = {}) =>
    openDispatcher(t, { apps, redis: { url: server.url }, settings, ...more });
  const first = await open();
  const { commands, keys, bus } = first.redis;
  const producer = createProducer(commands, keys, bus.publishCommand);
  await producer.register();
  const occupy = (channel: string) =>
    producer.append("app", channel, channelEvent("channel_occupied", channel));
  return { server, receiver, open, first, occupy };
}
