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
import { logListening, type ServerAddress, type ServerDescription } from "./server-description.ts";
import { memoryUse } from "./server-memory.ts";
import { metricsSources } from "./server-metrics-sources.ts";
import {
  channelsSettings,
  httpApiSettings,
  redisSettings,
  transportSettings,
  webhookSettings,
} from "./server-settings.ts";
import { takeLeave } from "./server-stop.ts";
import { createTransport } from "./transport/transport.ts";
import { VERSION } from "./version.ts";
import { createHttpTarget } from "./webhooks/http-target.ts";
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
  const settings = webhookSettings(config);
  const target = createHttpTarget({ now, rules: settings.targets });
  const webhooks = createWebhooks({
    apps,
    outbox,
    target,
    settings,
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
    turnWork: { afterTurn: setImmediate, cpuMs, hasMuchToSend: transport.hasMuchToSend },
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
      nameLookups: target.lookups,
      lastDeliveries: lastDeliveries.counters,
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
    // Where nobody can read it, the event loop need not be woken a hundred times a second to be watched.
    if (metrics !== undefined) processMetrics.start();
    await metrics?.listen();
    // Before the drivers: probes are answered, "not ready", while Redis is waited for.
    await transport.listen({ channels, api });
    await drivers.start();
    await webhooks.start();
    logListening(logger, config, server.address(), server.describe());
  }

  async function stop(): Promise<void> {
    const { grace_s } = config.shutdown;
    logger.info({ connections: connections.size, grace_s }, "stopping");
    await takeLeave({ channels, drivers, state, webhooks, graceMs: grace_s * 1_000, now });
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

function around<T>(wrap: ((inner: T) => T) | undefined, inner: T): T {
  return wrap === undefined ? inner : wrap(inner);
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
