/** The room with a fake clock and a fake target: everything happens when the test says so. */
import type { TestContext } from "node:test";
import type { App, AppSettings, Apps, WebhookEndpoint } from "../../src/apps/app.ts";
import type { Log } from "../../src/protocol/log.ts";
import { createFakeClock, type FakeClock } from "./fake-clock.ts";
import { createFakeTarget, type FakeTarget, type Respond } from "./fake-target.ts";
import { appRegistry, app as createApp, endpoint } from "./fixtures.ts";
import { openPipeline, type Pipeline, type PipelineOptions } from "./pipeline.ts";

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface Rig extends Pipeline {
  readonly clock: FakeClock;
  readonly target: FakeTarget;
  readonly app: App;
  readonly lines: LogLine[];
  /** Replaces settings of the app, as a reload does. */
  reload(changes: Partial<AppSettings>): void;
  /** Appends events, then lets the batching window pass. */
  occupyAndWait(...channels: string[]): Promise<void>;
  /** Messages of what was logged as an error. */
  errors(): string[];
}

export interface RigOptions extends Omit<PipelineOptions, "apps" | "target" | "now" | "after"> {
  readonly endpoints?: readonly WebhookEndpoint[];
  readonly appChanges?: Partial<AppSettings>;
  readonly respond?: Respond;
  readonly apps?: Apps;
}

/** One partition unless told otherwise, so that all events of the app share one lane; jitter at its most. */
export async function openRig(t: TestContext, options: RigOptions = {}): Promise<Rig> {
  const { endpoints = [endpoint("one")], appChanges, respond, apps, ...rest } = options;
  const clock = createFakeClock();
  const target = createFakeTarget(clock.now, respond);
  const app = createApp("app", { webhooks: endpoints, ...appChanges });
  const lines: LogLine[] = [];
  const write = (level: string) => (fields: Readonly<Record<string, unknown>>, message: string) => {
    lines.push({ level, fields, message });
  };
  const log: Log = {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
  };
  const pipeline = await openPipeline(t, {
    apps: apps ?? appRegistry(app),
    partitions: 1,
    random: () => 1 - Number.EPSILON,
    ...rest,
    log,
    target,
    now: clock.now,
    after: clock.after,
  });
  return {
    ...pipeline,
    clock,
    target,
    app,
    lines,
    reload(changes) {
      app.settings = { ...app.settings, ...changes };
    },
    async occupyAndWait(...channels) {
      for (const channel of channels) pipeline.occupy(channel);
      await clock.advance(51);
    },
    errors: () => lines.filter(({ level }) => level === "error").map(({ message }) => message),
  };
}
