/**
 * The composition root: builds the parts, hands them to each other, and listens. The only place where a
 * driver is chosen.
 */
import type { Adapter } from "./adapters/adapter.ts";
import type { Apps } from "./apps/app.ts";
import { createAppRegistry } from "./apps/app-registry.ts";
import type { CacheStore } from "./cache/cache-store.ts";
import type { ChannelState } from "./channel-state/channel-state.ts";
import { createAnnouncements } from "./channels/announcements.ts";
import { createChannels } from "./channels/create-channels.ts";
import { createDelivery } from "./channels/delivery.ts";
import { createLocalChannels } from "./channels/local-channels.ts";
import type { ConfigInput } from "./config/config.ts";
import { requireConfig } from "./config/read-config.ts";
import { requireWebhookFiles } from "./config/webhook-files.ts";
import { createConnectionRegistry } from "./connections/registry.ts";
import { createWatchers } from "./connections/watchers.ts";
import type { DriverParts } from "./drivers.ts";
import { createHealthRoutes } from "./http/health-routes.ts";
import { createHttpApi } from "./http/rest-api.ts";
import { createLifecycle } from "./lifecycle.ts";
import { createMemoryDrivers } from "./memory-drivers.ts";
import { createLogOutput } from "./observability/log-output.ts";
import { createLogger } from "./observability/logger.ts";
import { createMetricsListener } from "./observability/metrics-listener.ts";
import { createMetricsRegistry } from "./observability/metrics-registry.ts";
import { registerProcessMetrics } from "./observability/process-metrics.ts";
import { registerServerMetrics } from "./observability/server-metrics.ts";
import { createRedisDrivers } from "./redis-drivers.ts";
import { memoryUse } from "./server-memory.ts";
import { metricsSources } from "./server-metrics-sources.ts";
import {
  channelsSettings,
  httpApiSettings,
  redisSettings,
  transportSettings,
  webhookSettings,
} from "./server-settings.ts";
import { createTransport } from "./transport/transport.ts";
import { VERSION } from "./version.ts";
import { createLastDeliveries } from "./webhooks/last-deliveries.ts";
import { createWebhooks } from "./webhooks/webhooks.ts";

export interface Server {
  /**
   * Rejects when a port is taken, the native library is missing, or a webhook's certificates cannot be used
   * (ConfigError); nothing is left open then.
   */
  listen(): Promise<void>;
  /** Where it listens; undefined before `listen` and after `close`. */
  address(): ServerAddress | undefined;
  /** What runs, for people. Never holds a secret. */
  describe(): ServerDescription;
  /**
   * Stops gracefully within `shutdown.grace_s`: not ready, no new connections, clients sent away with 4200,
   * webhooks flushed. Repeatable: later calls wait for the same stop.
   */
  close(): Promise<void>;
}

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  readonly metrics: { readonly host: string; readonly port: number } | undefined;
}

export interface ServerDescription {
  readonly version: string;
  /** The package that uWebSockets.js was loaded from; undefined before `listen`. */
  readonly uws: { readonly name: string; readonly version: string } | undefined;
  readonly drivers: Readonly<
    Record<"apps" | "adapter" | "channel_state" | "cache" | "webhooks", string>
  >;
  readonly warnings: readonly string[];
}

export interface ServerOptions {
  /** Puts something around drivers: tests make them slow or failing so. */
  readonly wrap?: {
    readonly apps?: (apps: Apps) => Apps;
    readonly adapter?: (adapter: Adapter) => Adapter;
    readonly state?: (state: ChannelState) => ChannelState;
    readonly cache?: (cache: CacheStore) => CacheStore;
  };
  /** The time of day in ms. */
  readonly now?: () => number;
}

/** More would make the line too long for those who collect it. */
const MOST_APPS_LOGGED = 100;

/** The least time to write what this node no longer holds, in ms. */
const MIN_LEAVE_MS = 500;

/** A server that does not listen yet. Throws ConfigError, which lists every problem of `input`. */
export function createServer(input: ConfigInput, options: ServerOptions = {}): Server {
  const { config, warnings } = requireConfig(input);
  const { wrap = {}, now = Date.now } = options;
  const logOutput = createLogOutput();
  const logger = createLogger(config.log, logOutput);
  const room = (name: string) => logger.child({ room: name });

  const apps = around(wrap.apps, createAppRegistry(config.app_manager.apps));
  const connections = createConnectionRegistry();
  const watchers = createWatchers();
  const locals = createLocalChannels();
  const transport = createTransport(transportSettings(config), room("transport"));
  const delivery = createDelivery({ locals, connections, publishToTopic: transport.publish });
  const announce = createAnnouncements(locals, delivery, watchers);

  const parts: DriverParts = {
    apps,
    connectionsOf: connections.countOfApp,
    deliver: delivery.deliver,
    announce,
    now,
    log: room,
    observeCommand: (command, seconds) => observations.redisCommand(command, seconds),
  };
  const redis = redisSettings(config);
  const drivers =
    redis === undefined
      ? createMemoryDrivers(config, parts)
      : createRedisDrivers(config, redis, parts);
  const { outbox } = drivers;
  const state = around(wrap.state, drivers.state);
  const cache = around(wrap.cache, drivers.cache);
  const adapter = around(wrap.adapter, drivers.adapter);

  const registry = createMetricsRegistry({
    prefix: config.metrics.prefix,
    port: () => transport.port() ?? config.port,
    onReadFailure: (metric, error) =>
      logger.error({ metric, err: error }, "metric could not be read"),
  });
  const processMetrics = registerProcessMetrics(registry);
  const channels = createChannels({
    apps,
    adapter,
    state,
    cache,
    connections,
    connectionsElsewhere: drivers.connectionsElsewhere,
    confirmElsewhere: drivers.confirmElsewhere,
    watchers,
    locals,
    settings: channelsSettings(config),
    now,
    log: room("channels"),
  });
  const lifecycle = createLifecycle(drivers.problems, drivers.mayServe);
  const health = createHealthRoutes({
    readiness: lifecycle.readiness,
    memory: memoryUse,
    apps,
    memoryThresholdPercent: config.http.accept_traffic_memory_threshold,
  });
  const lastDeliveries = createLastDeliveries(now);
  const webhooks = createWebhooks({
    apps,
    outbox,
    settings: webhookSettings(config),
    now,
    random: Math.random,
    log: room("webhooks"),
    version: VERSION,
    onDelivered(latencyMs, appId, endpointId, event) {
      observations.webhookDelivered(appId, endpointId, latencyMs / 1_000);
      lastDeliveries.note(appId, endpointId, event);
    },
  });
  const api = createHttpApi({
    apps,
    channels,
    state,
    webhooks: { operations: webhooks.operations, lastDelivery: lastDeliveries.of, now },
    health,
    settings: httpApiSettings(config),
    now,
    elapsedMs: () => performance.now(),
    observeRequest: (route, _status, seconds) => observations.httpRequest(route, seconds),
    log: room("http"),
  });
  const observations = registerServerMetrics(
    registry,
    metricsSources({
      uws: transport.loaded,
      logLinesLost: () => logOutput.counters.linesLost,
      isReady: () => lifecycle.readiness().ready,
      isDegraded() {
        const { ready, reasons } = lifecycle.readiness();
        return ready && reasons.length > 0;
      },
      apps,
      connections,
      state,
      channels: channels.counters,
      transport: transport.counters,
      http: api.counters,
      cacheSizes: drivers.cacheSizes,
      cluster: drivers.cluster,
      webhooks,
    }),
  );
  const metrics = config.metrics.enabled
    ? createMetricsListener({
        host: config.metrics.host,
        port: config.metrics.port,
        health,
        registry,
        log: room("metrics"),
      })
    : undefined;

  /** Callers before callees. */
  async function closeParts(): Promise<void> {
    transport.close();
    await metrics?.close();
    await adapter.close();
    await cache.close();
    await drivers.close();
    processMetrics.close();
  }

  async function start(): Promise<void> {
    requireWebhookFiles(config);
    processMetrics.start();
    await metrics?.listen();
    // Before the drivers: probes are answered, "not ready", while Redis is waited for.
    await transport.listen({ channels, api });
    await drivers.start();
    await webhooks.start();
    logListening();
  }

  /** What the command line prints for people, for those who collect lines. */
  function logListening(): void {
    const ids = config.app_manager.apps.map(({ id }) => id);
    const { uws, drivers } = server.describe();
    const address = server.address();
    logger.info(
      {
        host: address?.host,
        port: address?.port,
        is_tls: address?.isTls,
        metrics: address?.metrics,
        path_prefix: config.path_prefix,
        apps: ids.length,
        app_ids: ids.slice(0, MOST_APPS_LOGGED),
        drivers,
        uws,
        version: VERSION,
        node_version: process.versions.node,
      },
      "listening",
    );
  }

  async function stop(): Promise<void> {
    const graceMs = config.shutdown.grace_s * 1_000;
    const deadlineMs = now() + graceMs;
    logger.info({ connections: connections.size, grace_s: config.shutdown.grace_s }, "stopping");
    // The first 60 % for the clients, the rest for what their leaving has to tell receivers.
    const drainMs = graceMs * 0.6;
    const left = within(Math.max(MIN_LEAVE_MS, drainMs), drivers.leave());
    await Promise.all([channels.drain(drainMs), left]);
    await within(Math.max(MIN_LEAVE_MS, deadlineMs - now()), state.close());
    await webhooks.close(Math.max(0, deadlineMs - now()));
    await closeParts();
    logger.info({}, "stopped");
  }

  const server: Server = {
    listen: () =>
      lifecycle.start(start, async () => {
        await webhooks.close(0);
        await state.close();
        await closeParts();
      }),
    close: () => lifecycle.stop(stop, drivers.close),
    address() {
      const port = transport.port();
      if (port === undefined) return undefined;
      const isTls = config.ssl !== undefined;
      return { host: config.host, port, isTls, metrics: metrics?.address() };
    },
    describe: () => ({
      version: VERSION,
      uws: transport.loaded(),
      drivers: {
        apps: apps.driver,
        adapter: adapter.driver,
        channel_state: state.driver,
        cache: cache.driver,
        webhooks: outbox.driver,
      },
      warnings,
    }),
  };
  return server;
}

/** Done with `work`, or after `ms` when it takes longer: it ends with what it waits for, when that is closed. */
async function within(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, timeout]);
  clearTimeout(timer);
}

function around<T>(wrap: ((inner: T) => T) | undefined, inner: T): T {
  return wrap === undefined ? inner : wrap(inner);
}
