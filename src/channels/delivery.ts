/** Delivers messages to this node's sockets: the near end of every adapter. */
import type { DeliverLocally } from "../adapters/adapter.ts";
import type { App } from "../apps/app.ts";
import type { LocalChannel } from "../connections/local-channel.ts";
import type { ConnectionRegistry } from "../connections/registry.ts";
import { CLOSE_CODES } from "../protocol/close-code.ts";
import { channelTopic } from "../protocol/topic.ts";
import type { LocalChannels } from "./local-channels.ts";

/** Publishes a frame to the sockets of this node that are subscribed to the topic, `receivers` of them. Transport provides it. */
export type PublishToTopic = (topic: string, frame: string, receivers: number) => void;

export interface DeliveryParts {
  readonly locals: LocalChannels;
  readonly connections: ConnectionRegistry;
  readonly publishToTopic: PublishToTopic;
}

export interface Delivery {
  readonly deliver: DeliverLocally;
  /** Tells every local subscriber of a channel, if there are any. */
  toChannel(channel: LocalChannel, frame: string): void;
}

export function createDelivery({ locals, connections, publishToTopic }: DeliveryParts): Delivery {
  function count(app: App, receivers: number, frame: string): void {
    app.traffic.messagesSent += receivers;
    app.traffic.bytesSent += receivers * Buffer.byteLength(frame);
  }

  function toChannel(channel: LocalChannel, frame: string): void {
    if (channel.receivers === 0) return;
    count(channel.app, channel.receivers, frame);
    publishToTopic(channel.topic, frame, channel.receivers);
  }

  function terminate(topic: string): void {
    for (const connection of [...(connections.byUserTopic(topic) ?? [])]) {
      connection.socket.close(CLOSE_CODES.unauthorized, "The app's backend ended this connection.");
    }
  }

  return {
    toChannel,
    deliver(kind, topic, frame, except) {
      if (kind === "terminate") return terminate(topic);
      const channel = locals.get(topic);
      if (channel !== undefined && kind === "event") channel.eventsDelivered += 1;
      const signedIn = channel === undefined ? connections.byUserTopic(topic) : undefined;
      const sender = except === undefined ? undefined : connections.bySocketId(except);
      const hearsTopic =
        sender !== undefined &&
        (channel === undefined
          ? signedIn?.has(sender) === true
          : topic === channelTopic(sender.app.id, channel.name) &&
            sender.subscriptions?.get(channel.name)?.status === "joined");
      if (!hearsTopic) {
        if (channel !== undefined) toChannel(channel, frame);
        else if (signedIn !== undefined) {
          for (const { app } of signedIn) {
            count(app, signedIn.size, frame);
            break;
          }
          publishToTopic(topic, frame, signedIn.size);
        }
        return;
      }
      const receivers = (channel?.receivers ?? signedIn?.size ?? 1) - 1;
      count(sender.app, receivers, frame);
      sender.socket.publish(topic, frame, receivers);
    },
  };
}
