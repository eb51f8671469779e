/** One app, `app_manager.apps[]` in the file: who it is, what it may, how much. Source: protocol.md §8. */
import { z } from "zod";
import { connectionLimit, flag, label, limit } from "./fields.ts";
import { webhookSchema } from "./webhook-schema.ts";

const key = label(
  "The public half: it stands in the clients' URL and in every signature.",
  "1 to 128 of letters, digits and _ . ~ = -",
  /^[A-Za-z0-9_.~=-]{1,128}$/,
);
const secret = label(
  "The secret half, which signs. Known to your backend only.",
  "1 to 512 characters without control characters",
  /^[^\p{Cc}]{1,512}$/u,
);

const keySchema = z.strictObject({
  key,
  secret,
  enabled: flag("Off: the key is refused.", true),
});

export const appSchema = z.strictObject({
  id: label(
    "Stands in the paths of the HTTP API. Some server libraries take nothing but digits.",
    "1 to 64 of letters, digits and _ . -",
    /^[A-Za-z0-9_.-]{1,64}$/,
  ),
  key: key.optional(),
  secret: secret.optional(),
  keys: z
    .array(keySchema)
    .min(1)
    .max(16)
    .meta({
      description:
        "Several key pairs instead of key and secret, to change them without downtime: every enabled one is accepted, the first enabled one signs webhooks.",
      allowed: "a list of 1 to 16 objects with key, secret and, if you like, enabled",
    })
    .optional(),
  enabled: flag("Off: clients are refused with 4003, HTTP requests with 403.", true),
  max_connections: connectionLimit(
    "Connections of the app, with redis on all nodes together; over it 4004. Among nodes it may be passed by what connects within 2 s. 0 is no limit either.",
  ),
  max_client_events_per_second: limit(
    "Client events per connection and second; over it pusher:error 4301.",
    100,
    ["max_client_events_per_sec"],
  ),
  max_backend_events_per_second: limit(
    "Events published over the HTTP API per second and node; over it 429.",
    -1,
    ["max_backend_events_per_sec"],
  ),
  max_read_requests_per_second: limit(
    "GET requests to the HTTP API per second and node; over it 429.",
    -1,
    ["max_read_requests_per_sec", "max_read_req_per_sec"],
  ),
  max_presence_members_per_channel: limit("Distinct users in one presence channel.", 100),
  max_presence_member_size_in_kb: limit("The user_info of a presence member, in KB.", 2),
  max_channel_name_length: limit("Characters of a channel's name, prefix included.", 200),
  max_event_channels_at_once: limit("Channels that one event may be published to.", 100),
  max_event_name_length: limit("Characters of an event's name.", 200),
  max_event_payload_in_kb: limit("The data of one event, in KB.", 100),
  max_event_batch_size: limit("Events in one batch_events request.", 10),
  terminate_on_limit: flag(
    "Close a connection that goes over max_client_events_per_second, instead of dropping the event.",
    false,
  ),
  enable_client_messages: flag(
    "Clients may send client- events on private and presence channels.",
    false,
  ),
  enable_client_messages_on_public_channels: flag(
    "The same on public channels, where nobody was authorised.",
    false,
  ),
  enable_client_messages_on_encrypted_channels: flag(
    "The same on encrypted channels, where the server cannot tell sealed data from plain.",
    false,
  ),
  enable_user_authentication: flag("Clients may sign in.", false),
  enable_watchlist_events: flag(
    "Signed-in users hear when those on their watchlist come and go.",
    false,
  ),
  enable_subscription_count: flag("Clients are told how many subscribers a channel has.", false),
  enable_authorized_connections: flag(
    "Close connections that neither sign in nor join a private or presence channel within user_authentication_timeout_s.",
    false,
  ),
  tls_only: flag("Refuse unencrypted connections with 4000.", false),
  allowed_origins: z
    .array(
      z
        .string()
        .regex(/^[^\s*]*\*?[^\s*]*$/)
        .min(1)
        .max(300)
        .overwrite((origin) => origin.replace(/\/+$/, ""))
        .meta({ allowed: "an origin or host with at most one * and no spaces" }),
    )
    .meta({
      description:
        "Origins that browsers may connect from: https://example.com, example.com:8443, *.example.com. Empty allows all.",
      allowed: "a list of origins or hosts, each with at most one *",
    })
    .default([]),
  strict: flag(
    "Behave as the hosted service where Pipit is more forgiving: no pusher:subscription_error, an error for an unsubscribe from a channel not joined.",
    false,
  ),
  acknowledge_duplicate_subscribe: flag(
    "Answer a second subscribe to the same channel with another success instead of an error.",
    false,
  ),
  cache_ttl_s: z
    .int()
    .min(1)
    .max(604_800)
    .meta({
      description:
        "How long the last event of a cache channel is kept, in seconds. Default: cache.ttl_s.",
    })
    .optional(),
  batch_webhooks: flag("Several webhook events may share a POST; off: one each.", true),
  webhooks: z
    .array(webhookSchema)
    .max(100)
    .meta({
      description: "Who is told about what happens.",
      allowed: "a list of at most 100 webhooks",
    })
    .default([]),
});
