/** The app that the demo serves, and its backend's view of it: the real `pusher` library. */
import Pusher from "pusher";
import { WEBHOOK_EVENT_TYPES } from "../../src/protocol/webhook-event.ts";

/** The secret is no secret: the server listens on loopback only and ends with the demo. */
export const DEMO_APP = { id: "1", key: "demo-key", secret: "demo-secret" } as const;

/** What seals encrypted channels. The server never sees it. 32 bytes, base64. */
const MASTER_KEY = Buffer.alloc(32, "pipit").toString("base64");

/** `port`: the server's. `secret`: another one than the app's makes a backend that nobody believes. */
export function createBackend(port: number, secret: string = DEMO_APP.secret): Pusher {
  return new Pusher({
    appId: DEMO_APP.id,
    key: DEMO_APP.key,
    secret,
    host: "127.0.0.1",
    port: String(port),
    useTLS: false,
    encryptionMasterKeyBase64: MASTER_KEY,
  });
}

/** The server's configuration, as it would stand in config.json. `redisUrl`: that of a node among others. */
export function demoConfig(webhookUrl: string, redisUrl?: string): unknown {
  return {
    ...(redisUrl === undefined ? {} : { redis: { url: redisUrl } }),
    host: "127.0.0.1",
    port: 0,
    metrics: { host: "127.0.0.1", port: 0 },
    log: { level: "warn", format: "pretty" },
    shutdown: { grace_s: 5 },
    app_manager: {
      apps: [
        {
          ...DEMO_APP,
          enable_client_messages: true,
          enable_user_authentication: true,
          enable_subscription_count: true,
          webhooks: [{ id: "demo", url: webhookUrl, event_types: WEBHOOK_EVENT_TYPES }],
        },
      ],
    },
  };
}
