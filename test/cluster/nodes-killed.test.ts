/** A node that dies without a word: the others clean up after it, for every kind of channel, once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CHANNEL_KINDS, channelKind } from "../../src/protocol/channel-name.ts";
import { subscribe } from "../support/commands.ts";
import { nodeAt, readFrom, startNodes } from "../support/nodes.ts";
import { APP, type Pipit } from "../support/pipit.ts";
import { nodeConfig, startPipitProcess } from "../support/pipit-process.ts";
import { openRawSocket, type RawSocket } from "../support/raw-socket.ts";
import { until } from "../support/until.ts";
import { firstArrivals, startReceiver, type WebhookReceiver } from "../support/webhook-receiver.ts";

const CLIENTS = 500;
const CHANNELS = 200;
const USERS = 60;

/** Lease, one heartbeat, grace and 2 s. */
const CLEAN_WITHIN_MS = 15_000 + 5_000 + 3_000 + 2_000;

const PREFIXES = ["", ...CHANNEL_KINDS.map(({ prefix }) => prefix)];
const NAMES = Array.from(
  { length: CHANNELS },
  (_, n) => `${PREFIXES[n % PREFIXES.length]}killed-${n}`,
);

/** One connection in one channel. */
interface Seat {
  readonly channel: string;
  readonly userId: string | undefined;
}

function seat(channelNumber: number, client: number): Seat {
  const channel = NAMES[channelNumber % CHANNELS] ?? "";
  const userId = channelKind(channel).hasMembers ? `user-${client % USERS}` : undefined;
  return { channel, userId };
}

async function take(socket: RawSocket, { channel, userId }: Seat): Promise<void> {
  await subscribe(socket, channel, userId === undefined ? undefined : { user_id: userId });
}

/** Who is in each channel: its users, or nobody by name. */
function truth(seats: readonly Seat[]): ReadonlyMap<string, ReadonlySet<string>> {
  const channels = new Map<string, Set<string>>();
  for (const { channel, userId } of seats) {
    const users = channels.get(channel) ?? new Set();
    channels.set(channel, users);
    if (userId !== undefined) users.add(userId);
  }
  return channels;
}

async function assertReads(node: Pipit, seats: readonly Seat[]): Promise<void> {
  const expected = truth(seats);
  const { channels } = (await readFrom(node, "/channels")) as { channels: object };
  assert.deepEqual(Object.keys(channels).toSorted(), [...expected.keys()].toSorted());
  for (const [channel, users] of expected) {
    const count = seats.filter((one) => one.channel === channel).length;
    if (!channelKind(channel).hasMembers) {
      const info = { info: "subscription_count" };
      assert.deepEqual(await readFrom(node, `/channels/${channel}`, info), {
        occupied: true,
        subscription_count: count,
      });
      continue;
    }
    const reply = (await readFrom(node, `/channels/${channel}/users`)) as {
      users: { id: string }[];
    };
    assert.deepEqual(reply.users.map(({ id }) => id).toSorted(), [...users].toSorted());
  }
}

/** The events of one kind so far, `channel user`, sorted. What the dead node had sent may come again, by its id. */
function told(receiver: WebhookReceiver, kind: string): readonly string[] {
  return firstArrivals(receiver)
    .filter(({ name }) => name === kind)
    .map(({ channel, user_id = "" }) => `${channel} ${user_id}`)
    .toSorted();
}

/** `channel user` of all that are in `before` and not in `after`. */
function gone(before: readonly Seat[], after: readonly Seat[]) {
  const [was, is] = [truth(before), truth(after)];
  const vacated = [...was.keys()].filter((channel) => !is.has(channel)).map((name) => `${name} `);
  const removed = [...was].flatMap(([channel, users]) =>
    [...users].filter((id) => !is.get(channel)?.has(id)).map((id) => `${channel} ${id}`),
  );
  return { vacated: vacated.toSorted(), removed: removed.toSorted() };
}

test("what only the dead node held is vacated and removed once, everything else stays", async (t) => {
  const receiver = await startReceiver(t, APP);
  const app = { enable_subscription_count: true, webhooks: [{ url: receiver.url }] };
  const cluster = await startNodes(t, 2, { app });
  const redis = { url: cluster.redis.url };
  const victim = await startPipitProcess(t, nodeConfig(app, { redis }));

  const lost: Seat[] = [];
  const kept: Seat[] = [];
  async function occupy(port: number, seats: Seat[], places: readonly Seat[]): Promise<RawSocket> {
    const socket = await openRawSocket(t, port, `/app/${APP.key}?protocol=7`);
    for (const place of places) {
      await take(socket, place);
      seats.push(place);
    }
    return socket;
  }
  const clients = Array.from({ length: CLIENTS }, (_, n) =>
    occupy(victim.port, lost, [seat(n, n), seat(n * 7 + 3, n)]),
  );
  await Promise.all(clients);
  // A quarter of the channels goes on elsewhere, those with members with one user whom the dead node has too.
  const survivors: RawSocket[] = [];
  for (let n = 0; n < CHANNELS; n += 4) {
    const { port } = nodeAt(cluster, (n / 4) % 2);
    survivors.push(await occupy(port, kept, [seat(n, n)]));
  }
  await assertReads(nodeAt(cluster, 0), [...lost, ...kept]);

  victim.kill("SIGKILL");
  const killedMs = performance.now();
  const expected = gone([...lost, ...kept], kept);
  assert.ok(expected.vacated.length > CHANNELS / 2 && expected.removed.length > CHANNELS);
  await until(
    "all is told",
    () =>
      told(receiver, "channel_vacated").length >= expected.vacated.length &&
      told(receiver, "member_removed").length >= expected.removed.length,
    CLEAN_WITHIN_MS,
  );
  t.diagnostic(`all was told ${((performance.now() - killedMs) / 1_000).toFixed(1)} s later`);
  assert.deepEqual(told(receiver, "channel_vacated"), expected.vacated);
  assert.deepEqual(told(receiver, "member_removed"), expected.removed);
  for (const node of cluster.nodes) await assertReads(node, kept);

  // Events of one channel arrive in order: when the rest has been told, nothing else can have been before.
  for (const socket of survivors) socket.destroy();
  const all = gone([...lost, ...kept], []);
  await until(
    "the rest is told",
    () => told(receiver, "channel_vacated").length >= all.vacated.length,
  );
  assert.deepEqual(told(receiver, "channel_vacated"), all.vacated);
  assert.deepEqual(told(receiver, "member_removed"), all.removed);
  assert.equal(told(receiver, "channel_occupied").length, CHANNELS);
});
