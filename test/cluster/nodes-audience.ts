/** Real clients on several nodes: what each of them knows, and whether it is what all of them together are. */
import assert from "node:assert/strict";
import type { TestClient } from "../support/client.ts";
import { readFrom } from "../support/nodes.ts";
import type { Pipit } from "../support/pipit.ts";
import { until } from "../support/until.ts";
import { firstArrivals, type WebhookReceiver } from "../support/webhook-receiver.ts";

/** How long a cluster may take to agree again after a mishap: after a loss reads are refused for 25 s. */
const CONVERGES_WITHIN_MS = 40_000;

export interface Guest {
  readonly userId: string;
  readonly client: TestClient;
  readonly channels: readonly string[];
  /** For ever: a guest that comes again is another one. */
  leave(): void;
}

export interface Audience {
  /** Joins all of `channels` as `userId`. */
  join(node: Pipit, userId: string, channels: readonly string[]): Promise<Guest>;
  /**
   * Waits until what HTTP answers on each node and what each client has been told is the truth. Fails when a
   * client is not on the connection that it came with, or was told of a change that is none.
   */
  agrees(nodes: readonly Pipit[]): Promise<void>;
  everybodyLeaves(): void;
}

export function createAudience(): Audience {
  const guests = new Set<Guest>();

  function truth(): ReadonlyMap<string, readonly string[]> {
    const users = new Map<string, Set<string>>();
    for (const { userId, channels } of guests) {
      for (const channel of channels) {
        users.set(channel, (users.get(channel) ?? new Set<string>()).add(userId));
      }
    }
    return new Map([...users].map(([channel, ids]) => [channel, [...ids].toSorted()]));
  }

  const subscriptions = (channel: string): number =>
    [...guests].filter(({ channels }) => channels.includes(channel)).length;

  /** Undefined while the node cannot tell. The app must have `enable_subscription_count`. */
  async function readsOf(node: Pipit): Promise<unknown> {
    try {
      const { channels } = (await readFrom(node, "/channels")) as { channels: object };
      const names = Object.keys(channels).toSorted();
      return await Promise.all(
        names.map(async (name) => {
          if (!isPresence(name)) {
            const one = await readFrom(node, `/channels/${name}`, { info: "subscription_count" });
            return [name, (one as { subscription_count: number }).subscription_count];
          }
          const { users } = (await readFrom(node, `/channels/${name}/users`)) as {
            users: { id: string }[];
          };
          return [name, users.map(({ id }) => id).toSorted()];
        }),
      );
    } catch {
      return undefined;
    }
  }

  return {
    async join(node, userId, channels) {
      const client = await node.connect({ userId });
      const { socketId } = client;
      for (const channel of channels) await client.subscribe(channel);
      assert.equal(client.pusher.connection.socket_id, socketId);
      const guest: Guest = {
        userId,
        client,
        channels,
        leave() {
          guests.delete(guest);
          client.pusher.disconnect();
        },
      };
      guests.add(guest);
      return guest;
    },
    async agrees(nodes) {
      const expected = [...truth()]
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, users]) => [name, isPresence(name) ? users : subscriptions(name)]);
      let last: unknown;
      for (const node of nodes) {
        await until(
          "every node reads the truth",
          async () => {
            last = await readsOf(node);
            return JSON.stringify(last) === JSON.stringify(expected);
          },
          CONVERGES_WITHIN_MS,
        ).catch(() => assert.deepEqual(last, expected));
      }
      for (const { client, channels } of guests) {
        assert.equal(client.pusher.connection.state, "connected");
        assert.equal(client.pusher.connection.socket_id, client.socketId, "it never had to return");
        for (const channel of channels.filter(isPresence)) {
          const users = truth().get(channel);
          await until(
            "every client's list is the truth",
            () => membersTold(client, channel).join() === users?.join(),
          ).catch(() => assert.deepEqual(membersTold(client, channel), users));
        }
      }
    },
    everybodyLeaves() {
      for (const guest of guests) guest.leave();
    },
  };
}

function isPresence(channel: string): boolean {
  return channel.startsWith("presence-");
}

/** The members of a channel as a client was told of them. Fails on a change that is none. */
function membersTold({ received }: TestClient, channel: string): readonly string[] {
  const members = new Set<string>();
  for (const message of received) {
    if (message.channel !== channel || !message.event.startsWith("pusher_internal:")) continue;
    const data = message.data as { presence: { ids: string[] }; user_id: string };
    if (message.event.endsWith("subscription_succeeded")) {
      for (const id of data.presence.ids) members.add(id);
    } else if (message.event.endsWith("member_added")) {
      assert.ok(!members.has(data.user_id), `${data.user_id} was there`);
      members.add(data.user_id);
    } else if (message.event.endsWith("member_removed")) {
      assert.ok(members.delete(data.user_id), `${data.user_id} was not there`);
    }
  }
  return [...members].toSorted();
}

/**
 * What a receiver was told of each channel, and of each user in it, in order: `presence-room ann` to
 * `added removed`. Fails when two events of a kind follow each other.
 */
export function toldOf(receiver: WebhookReceiver): Readonly<Record<string, string>> {
  const told: Record<string, string> = {};
  for (const { name, channel, user_id } of firstArrivals(receiver)) {
    if (!/^(channel|member)_/.test(name)) continue;
    const subject = user_id === undefined ? channel : `${channel} ${user_id}`;
    const change = name.replace(/^(member|channel)_/, "");
    const before = told[subject]?.split(" ").at(-1);
    const mayFollow: Readonly<Record<string, string | undefined>> = {
      occupied: "vacated",
      vacated: "occupied",
      added: "removed",
      removed: "added",
    };
    const isFirst = before === undefined && (change === "occupied" || change === "added");
    assert.ok(isFirst || mayFollow[change] === before, `${subject}: ${change} after ${before}`);
    told[subject] = before === undefined ? change : `${told[subject]} ${change}`;
  }
  return told;
}
