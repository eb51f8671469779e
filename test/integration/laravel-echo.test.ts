/** The real laravel-echo over the real pusher-js, as a Laravel app uses them. protocol.md §9 row 20. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { test } from "node:test";
import Echo, { type EchoOptions } from "laravel-echo";
import { startAppBackend } from "../support/app-backend.ts";
import { Pusher } from "../support/client.ts";
import { type Pipit, startPipit } from "../support/pipit.ts";
import { until } from "../support/until.ts";

const BROADCASTERS = ["pusher", "reverb"] as const;
type Broadcaster = (typeof BROADCASTERS)[number];

interface Member {
  readonly name: string;
}

/**
 * An Echo of the user, connected; made the way Laravel's starter kits make it. Typed as the one broadcaster,
 * for both give the same channels.
 */
async function startEcho(
  t: TestContext,
  pipit: Pipit,
  broadcaster: Broadcaster,
  userId?: string,
): Promise<Echo<"pusher">> {
  const backend = await startAppBackend(t, pipit.pusher);
  const options = {
    broadcaster,
    Pusher,
    key: "test-key",
    ...(broadcaster === "pusher" ? { cluster: "local" } : {}),
    wsHost: "127.0.0.1",
    wsPort: pipit.port,
    forceTLS: false,
    enabledTransports: ["ws"],
    authEndpoint: `${backend.url}/broadcasting/auth`,
    bearerToken: userId ?? null,
  };
  const echo = new Echo(options as unknown as EchoOptions<"pusher">);
  // Before the server stops: a client that is sent away comes back.
  pipit.onClose(() => echo.disconnect());
  await until("Echo is connected", () => echo.connectionStatus() === "connected");
  return echo;
}

for (const broadcaster of BROADCASTERS) {
  test(`${broadcaster}: a public channel hears events of the app's namespace and of none`, async (t) => {
    const pipit = await startPipit(t);
    const echo = await startEcho(t, pipit, broadcaster);
    const heard: unknown[] = [];
    let isSubscribed = false;
    const channel = echo.channel("orders");
    channel.subscribed(() => {
      isSubscribed = true;
    });
    channel
      .listen("OrderShipped", (data: unknown) => heard.push(data))
      .listen(".plain", (data: unknown) => heard.push(data));
    await until("it is subscribed", () => isSubscribed);
    await pipit.pusher.trigger("orders", "App\\Events\\OrderShipped", { order: 1 });
    await pipit.pusher.trigger("orders", "plain", { order: 2 });
    await until("both are heard", () => heard.length === 2);
    assert.deepEqual(heard, [{ order: 1 }, { order: 2 }]);
    echo.leave("orders");
    await until("it is left", async () => {
      const answer = await pipit.pusher.get({ path: "/channels/orders" });
      return !((await answer.json()) as { occupied: boolean }).occupied;
    });
  });

  test(`${broadcaster}: a private channel hears events and notifications`, async (t) => {
    const pipit = await startPipit(t);
    const echo = await startEcho(t, pipit, broadcaster, "ann");
    const heard: unknown[] = [];
    let isSubscribed = false;
    const channel = echo.private("App.Models.User.1");
    channel.subscribed(() => {
      isSubscribed = true;
    });
    channel.listen("Paid", (data: unknown) => heard.push(data));
    channel.notification((data: unknown) => heard.push(data));
    await until("it is subscribed", () => isSubscribed);
    const name = "private-App.Models.User.1";
    const notification = "Illuminate\\Notifications\\Events\\BroadcastNotificationCreated";
    await pipit.pusher.trigger(name, "App\\Events\\Paid", { sum: 7 });
    await pipit.pusher.trigger(name, notification, { id: "n1", type: "x" });
    await until("both are heard", () => heard.length === 2);
    assert.deepEqual(heard, [{ sum: 7 }, { id: "n1", type: "x" }]);
  });

  test(`${broadcaster}: whispers reach the others and not the whisperer`, async (t) => {
    const pipit = await startPipit(t);
    const echoes = [
      await startEcho(t, pipit, broadcaster, "ann"),
      await startEcho(t, pipit, broadcaster, "bob"),
    ] as const;
    const heard: unknown[][] = [[], []];
    const ready: boolean[] = [];
    for (const [n, echo] of echoes.entries()) {
      const channel = echo.private("chat");
      channel.subscribed(() => {
        ready[n] = true;
      });
      channel.listenForWhisper("typing", (data: unknown) => heard[n]?.push(data));
    }
    await until("both are subscribed", () => ready[0] === true && ready[1] === true);
    echoes[0].private("chat").whisper("typing", { name: "Ann" });
    echoes[1].private("chat").whisper("typing", { name: "Bob" });
    await until("both are heard", () => heard.every((events) => events.length > 0));
    assert.deepEqual(heard, [[{ name: "Bob" }], [{ name: "Ann" }]]);
  });

  test(`${broadcaster}: join tells who is here, who joins and who leaves`, async (t) => {
    const pipit = await startPipit(t);
    const ann = await startEcho(t, pipit, broadcaster, "ann");
    const seen: string[] = [];
    const names = (members: readonly Member[]): string =>
      members
        .map(({ name }) => name)
        .sort()
        .join();
    ann
      .join("room")
      .here((members: Member[]) => seen.push(`here ${names(members)}`))
      .joining((member: Member) => seen.push(`joining ${member.name}`))
      .leaving((member: Member) => seen.push(`leaving ${member.name}`));
    await until("Ann is here", () => seen.length === 1);
    const bob = await startEcho(t, pipit, broadcaster, "bob");
    let bobSees = "";
    bob.join("room").here((members: Member[]) => {
      bobSees = names(members);
    });
    await until("Bob is here", () => bobSees !== "");
    bob.leave("room");
    await until("Bob has left", () => seen.length === 3);
    assert.equal(bobSees, "ANN,BOB");
    assert.deepEqual(seen, ["here ANN", "joining BOB", "leaving BOB"]);
  });

  test(`${broadcaster}: error tells of a channel that the backend forbids, and of one that the server refuses`, async (t) => {
    const pipit = await startPipit(t, { max_presence_members_per_channel: 1 });
    const ann = await startEcho(t, pipit, broadcaster, "ann");
    const forbidden: { status?: number }[] = [];
    ann.private("forbidden").error((error: { status: number }) => forbidden.push(error));
    await until("the refusal of the backend is heard", () => forbidden.length > 0);
    assert.equal(forbidden[0]?.status, 403);

    let isHere = false;
    ann.join("room").here(() => {
      isHere = true;
    });
    await until("Ann is here", () => isHere);
    const bob = await startEcho(t, pipit, broadcaster, "bob");
    const refused: { type?: string; status?: number }[] = [];
    bob.join("room").error((error: { type: string; status: number }) => refused.push(error));
    await until("the refusal of the server is heard", () => refused.length > 0);
    assert.deepEqual([refused[0]?.type, refused[0]?.status], ["LimitReached", 4100]);
  });

  test(`${broadcaster}: the backend leaves out the sender by Echo's socket id`, async (t) => {
    const pipit = await startPipit(t);
    const echoes = [
      await startEcho(t, pipit, broadcaster),
      await startEcho(t, pipit, broadcaster),
    ] as const;
    const heard: unknown[][] = [[], []];
    const ready: boolean[] = [];
    for (const [n, echo] of echoes.entries()) {
      const channel = echo.channel("news");
      channel.subscribed(() => {
        ready[n] = true;
      });
      channel.listen(".said", (data: unknown) => heard[n]?.push(data));
    }
    await until("both are subscribed", () => ready[0] === true && ready[1] === true);
    const socket_id = echoes[0].socketId() ?? "";
    await pipit.pusher.trigger("news", "said", 1, { socket_id });
    await pipit.pusher.trigger("news", "said", 2);
    await until("both have heard", () => heard.every((events) => events.includes(2)));
    assert.deepEqual(heard, [[2], [1, 2]]);
  });
}
