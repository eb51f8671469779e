/** The receiver of docs/webhooks.md that takes snapshots ends equal to the truth, whenever it has lost its state. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { LEAVE_GRACE_MS } from "../../src/channel-state/channel-state.ts";
import { DEFAULT_PARTITIONS, partitionOf } from "../../src/protocol/partition.ts";
import { WEBHOOK_EVENT_TYPES } from "../../src/protocol/webhook-event.ts";
import type { TestClient } from "../support/client.ts";
import { createSeededRandom } from "../support/delayed-calls.ts";
import { freePort } from "../support/free-port.ts";
import { readFrom, startNodes } from "../support/nodes.ts";
import { APP, type Pipit, startPipit } from "../support/pipit.ts";
import { until } from "../support/until.ts";
import { type Program, runModule } from "./program.ts";
import { believedAt, ONLINE, receiverCode, sorted, type Told } from "./reconciling-receiver.ts";

interface Stage {
  readonly nodes: readonly [Pipit, ...Pipit[]];
  /** Runs the receiver, which knows nothing yet. Done once it knows all. */
  startReceiver(): Promise<Program>;
  /** What the receiver believes. */
  believed(): Promise<Told>;
}

const MARKER = "marker-";

/** Hundreds of reads each time that is looked. */
const PATIENCE_MS = 30_000;

type Start = (t: TestContext, app: object, config: object) => Promise<readonly Pipit[]>;

const DEPLOYMENTS: readonly (readonly [name: string, start: Start])[] = [
  ["one node", async (t, app, config) => [await startPipit(t, app, config)]],
  ["two nodes", async (t, app, config) => (await startNodes(t, 2, { app, config })).nodes],
];

async function setStage(t: TestContext, start: Start): Promise<Stage> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/`;
  const app = { webhooks: [{ url, event_types: [...WEBHOOK_EVENT_TYPES] }] };
  const retry = { initial_ms: 50, max_ms: 200 };
  const [first, ...others] = await start(t, app, { webhooks: { retry } });
  if (first === undefined) throw new Error("No node has been started.");
  const code = receiverCode(port, first.port);
  return {
    nodes: [first, ...others],
    async startReceiver() {
      const program = runModule(t, code);
      await program.says("reconciled");
      return program;
    },
    believed: () => believedAt(url),
  };
}

describe("the reconciling receiver of docs/webhooks.md", () => {
  for (const [deployment, start] of DEPLOYMENTS) {
    test(`${deployment}: ends equal to the truth when it forgets all in the middle of churn`, async (t) => {
      const userIds = ["a", "b", "c", "d"];
      const seed = Date.now() % 100_000;
      const stage = await setStage(t, start);
      const clients = await Promise.all(
        userIds.map((userId, n) => nodeOf(stage, n).connect({ userId })),
      );
      for (const { pusher } of clients) pusher.signin();
      const churn = new AbortController();
      t.after(() => churn.abort());
      const churning = clients.map((client, n) => toggle(client, n, seed + n, churn.signal));
      for (let times = 0; times < 3; times++) {
        const receiver = await stage.startReceiver();
        // Long enough that leaves of this time become events while the next one reads its pages.
        await delay(LEAVE_GRACE_MS / 2);
        await receiver.kill();
      }
      const receiver = await stage.startReceiver();
      churn.abort();
      await Promise.all(churning);

      const [node] = stage.nodes;
      const hasGrace = async () => !isEqual(await told(node), await truth(node, userIds));
      await until("the graces are over", async () => !(await hasGrace()), PATIENCE_MS);
      await sendMarkers(stage);
      const there = await truth(node, userIds);
      assert.ok(Object.keys(there).length > 10);
      assert.deepEqual(await stage.believed(), there, `seed ${seed}: ${receiver.output()}`);
    });

    test(`${deployment}: keeps a member who returns after it has read its pages in the grace`, async (t) => {
      const stage = await setStage(t, start);
      const [node] = stage.nodes;
      const member = await nodeOf(stage, 1).connect({ userId: "m" });
      await member.subscribe("presence-x");
      for (let attempts = 1; ; attempts++) {
        const leftAt = performance.now();
        member.pusher.unsubscribe("presence-x");
        await until(
          "the member has left",
          async () => (await truth(node))["presence-x"] === undefined,
        );
        const receiver = await stage.startReceiver();
        await member.subscribe("presence-x");
        const isInTime = performance.now() - leftAt < LEAVE_GRACE_MS * 0.9;
        if (isInTime) break;
        assert.ok(attempts < 10, "The machine is too busy to return within the grace.");
        await receiver.kill();
      }
      await sendMarkers(stage);
      const expected = { "presence-x": ["m"], [ONLINE]: [] };
      assert.deepEqual(withoutMarkers(await stage.believed()), expected);
      assert.deepEqual(withoutMarkers(await truth(node)), expected);
    });
  }
});

function nodeOf({ nodes }: Stage, n: number): Pipit {
  return nodes[n % nodes.length] ?? nodes[0];
}

/** Joins and leaves channels until told to stop: some of its own, and presence channels that all share. */
async function toggle(
  { pusher }: TestClient,
  n: number,
  seed: number,
  signal: AbortSignal,
): Promise<void> {
  const random = createSeededRandom(seed);
  const joined = new Set<string>();
  while (!signal.aborted) {
    const which = Math.floor(random() * 100);
    const channel = random() < 0.5 ? `room-${n}-${which}` : `presence-${which}`;
    if (joined.delete(channel)) pusher.unsubscribe(channel);
    else {
      joined.add(channel);
      pusher.subscribe(channel);
    }
    await delay(random() * 10);
  }
}

/** Who is where, if `online` are those who have signed in. */
async function truth(node: Pipit, online: readonly string[] = []): Promise<Told> {
  const { channels } = (await readFrom(node, "/channels")) as { channels: object };
  const found = Object.keys(channels).map(async (name): Promise<[string, string[]]> => {
    if (!name.startsWith("presence-")) return [name, []];
    const { users } = (await readFrom(node, `/channels/${name}/users`)) as {
      users: { id: string }[];
    };
    return [name, users.map(({ id }) => id)];
  });
  return sorted({ ...Object.fromEntries(await Promise.all(found)), [ONLINE]: online });
}

/** What webhooks have told: the same once the graces are over. */
async function told(node: Pipit): Promise<Told> {
  const all: Told = {};
  const online: string[] = [];
  for (let cursor: string | null = "0"; cursor !== null; ) {
    const page = (await readFrom(node, "/webhooks/snapshot", { cursor })) as {
      channels: Record<string, { users?: string[] }>;
      users: string[];
      next: string | null;
    };
    for (const [name, { users = [] }] of Object.entries(page.channels)) all[name] = users;
    online.push(...page.users);
    cursor = page.next;
  }
  return sorted({ ...all, [ONLINE]: online });
}

/** Occupies a channel in each partition: what was decided before has been delivered when these have. */
async function sendMarkers({ nodes: [node], believed }: Stage): Promise<void> {
  const markers = new Map<number, string>();
  for (let n = 0; markers.size < DEFAULT_PARTITIONS; n++) {
    const channel = `${MARKER}${n}`;
    markers.set(partitionOf(APP.id, channel, DEFAULT_PARTITIONS), channel);
  }
  const client = await node.connect();
  await Promise.all([...markers.values()].map((channel) => client.subscribe(channel)));
  await until(
    "the markers of all partitions have come",
    async () => {
      const known = await believed();
      return [...markers.values()].every((channel) => channel in known);
    },
    PATIENCE_MS,
  );
}

function withoutMarkers(all: Told): Told {
  return Object.fromEntries(Object.entries(all).filter(([name]) => !name.startsWith(MARKER)));
}

function isEqual(a: Told, b: Told): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
