/** What every scenario plays on: a Redis with a file, nodes, receivers, and the recorder that knows what must come. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { ConfigInput } from "../../src/config/config.ts";
import { createKeys } from "../../src/redis/keys.ts";
import { nodeConfig } from "../support/pipit-process.ts";
import { type RedisServer, startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { type Load, type LoadOptions, startLoad } from "./load.ts";
import { type ChaosNode, createNode } from "./node.ts";
import { NODE_HEADER, openReceivers, type Receivers } from "./receivers.ts";
import {
  createRecorder,
  type Expected,
  type Recorder,
  type Verdict,
  type Wants,
} from "./recorder.ts";

type AppInput = NonNullable<Parameters<typeof nodeConfig>[0]>;
export type EndpointInput = NonNullable<AppInput["webhooks"]>[number];

export interface EndpointPlan {
  readonly id: string;
  /** Besides id, url and headers. */
  readonly config?: Partial<EndpointInput>;
  /** What `config` makes it take. @default everything */
  readonly wants?: Wants;
  /** Where it listens, if not in this process. */
  readonly url?: string;
}

export interface StageOptions {
  readonly nodes?: number;
  readonly endpoints?: readonly EndpointPlan[];
  readonly webhooks?: ConfigInput["webhooks"];
  /** How the nodes find Redis. @default a Redis of the stage's own, with a file that is synced every second */
  readonly redis?: ConfigInput["redis"];
}

export interface Stage {
  /** Its own; fails when the scenario brought another. */
  readonly redis: RedisServer;
  readonly recorder: Recorder;
  readonly receivers: Receivers;
  readonly nodes: readonly ChaosNode[];
  /** One of those that run. */
  anyNode(): ChaosNode | undefined;
  /** The configuration of a node, with other endpoints if given. */
  configOf(name: string, endpoints?: readonly EndpointPlan[]): ConfigInput;
  load(options: Pick<LoadOptions, "name" | "perSecond"> & Partial<LoadOptions>): Load;
  /** Every event that was decided has been routed into its lanes. */
  isRouted(): Promise<boolean>;
  /** Ends the loads; waits for all that is owed, and until nothing and nobody is left. */
  finish(options?: { readonly mayLose: boolean }): Promise<Verdict>;
}

export const AOF = ["--appendonly", "yes", "--appendfsync", "everysec"];

/** Retries come soon, so that scenarios end soon after their faults. */
const WEBHOOKS = { timeout_ms: 1_000, retry: { initial_ms: 100, max_ms: 2_000 } };
const EVENT_TYPES = [
  "channel_occupied",
  "channel_vacated",
  "member_added",
  "member_removed",
  "client_event",
] as const;
/** A leave is decided when the grace is over. */
const GRACE_MS = 3_000;
/** Longer than a dead node's lease, with the grace. */
const ARRIVES_WITHIN_MS = 60_000;
/** Longer than the restore grace: what has not come by then was lost. */
const LOST_AFTER_MS = 35_000;

export async function openStage(t: TestContext, options: StageOptions = {}): Promise<Stage> {
  const { endpoints = [{ id: "all" }], webhooks } = options;
  const own = options.redis ? undefined : await startRedis(t, { args: AOF });
  const redis = options.redis ?? { url: own?.url };
  const recorder = createRecorder();
  for (const { id, wants } of endpoints) recorder.addEndpoint(id, wants);
  const receivers = await openReceivers(t, recorder);
  const keys = createKeys();
  const loads: Load[] = [];
  const nodes: ChaosNode[] = [];

  function configOf(node: string, plans = endpoints): ConfigInput {
    const app: AppInput = {
      max_client_events_per_second: -1,
      webhooks: plans.map(({ id, config, url = receivers.url(id) }) => ({
        id,
        url,
        event_types: [...EVENT_TYPES],
        headers: { [NODE_HEADER]: node },
        ...config,
      })),
    };
    return nodeConfig(app, { redis, webhooks: { ...WEBHOOKS, ...webhooks } });
  }

  for (let n = 0; n < (options.nodes ?? 2); n++) {
    const name = `node-${n}`;
    nodes.push(await createNode(t, name, configOf(name)));
  }
  await Promise.all(nodes.map((node) => node.start()));

  const anyNode = (): ChaosNode | undefined => {
    const running = nodes.filter(({ isRunning }) => isRunning);
    return running[Math.floor(Math.random() * running.length)];
  };

  const stage: Stage = {
    get redis() {
      if (own === undefined) throw new Error("This stage has no Redis of its own.");
      return own;
    },
    recorder,
    receivers,
    nodes,
    anyNode,
    configOf,
    load(each) {
      const load = startLoad(t, { recorder, node: anyNode, ...each });
      loads.push(load);
      return load;
    },
    async isRouted() {
      const lengths = await Promise.all(
        Array.from({ length: keys.partitions }, (_, p) =>
          stage.redis.call("XLEN", keys.key(p, "ev")),
        ),
      );
      return lengths.every((length) => length === 0);
    },
    async finish({ mayLose } = { mayLose: false }) {
      await Promise.all(loads.map((load) => load.end()));
      let waiting = recorder.waiting();
      let changedMs = Date.now();
      const isStuck = () => {
        if (recorder.waiting() !== waiting) changedMs = Date.now();
        waiting = recorder.waiting();
        return Date.now() > changedMs + (mayLose ? LOST_AFTER_MS : ARRIVES_WITHIN_MS);
      };
      await until("all that is owed has arrived", () => waiting === 0 || isStuck(), 600_000);
      for (const node of nodes.filter(({ isRunning }) => isRunning)) {
        await until(
          `${node.name} knows that everybody has left`,
          async () => (await node.channels())?.length === 0,
          ARRIVES_WITHIN_MS,
        );
      }
      if (own) assert.deepEqual(await own.call("KEYS", "*:dead:*"), [], "nothing has died");
      return recorder.verdict();
    },
  };
  return stage;
}

/** What holds in each scenario in which Redis has lost nothing that it had acknowledged. */
export function assertSound({ lost, invented, unordered, refused, events }: Verdict): void {
  const some = lost.slice(0, 5).map(({ key }) => key);
  assert.deepEqual({ lost: lost.length, some }, { lost: 0, some: [] });
  assert.deepEqual(
    invented.slice(0, 5).map(({ key }) => key),
    [],
  );
  assert.equal(unordered, 0, "first arrivals are in order");
  assert.equal(refused, 0, "the libraries accept every delivery");
  assert.ok(events > 0, "something had to come");
}

/**
 * What holds where Redis has lost writes that it had acknowledged between two times, epoch ms: only what was decided
 * then is lost, or told under a second id, and what follows in channels that were occupied then.
 */
export function assertConverged(verdict: Verdict, fromMs: number, toMs: number): void {
  // It was decided at some time from the client's act until it was known.
  const isThen = ({ dueMs, owedMs = dueMs }: Expected): boolean =>
    Math.max(dueMs, owedMs) >= fromMs && dueMs <= toMs + GRACE_MS;
  const isExcused = (event: Expected | undefined): boolean =>
    event !== undefined && (isThen(event) || (event.first !== undefined && isThen(event.first)));
  const lost = verdict.lost.filter((event) => !isExcused(event)).map(({ key }) => key);
  const invented = verdict.invented.filter(({ event }) => !isExcused(event)).map(({ key }) => key);
  assert.deepEqual({ lost, invented }, { lost: [], invented: [] });
  assert.equal(verdict.refused, 0, "the libraries accept every delivery");
}
