import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { WebhookEndpoint } from "../../src/apps/app.ts";
import { signingKey } from "../../src/protocol/signature.ts";
import { answered, held, inTurn } from "./fake-target.ts";
import { app, appRegistry, endpoint } from "./fixtures.ts";
import { openRig } from "./rig.ts";

const ONE = { appId: "app", endpointId: "one" };

describe("an endpoint that changes", () => {
  test("gets what waits at its present url, with its present headers and secret", async (t) => {
    const { occupyAndWait, clock, target, reload } = await openRig(t, {
      respond: inTurn(500, 200),
    });
    await occupyAndWait("a");
    reload({
      webhooks: [endpoint("one", { url: "http://new.test/", headers: { "X-New": "1" } })],
      webhookKey: { key: "other", signingKey: signingKey("other secret") },
    });
    await clock.advance(1_000);
    const [before, after] = target.sent;
    assert.equal(after?.url, "http://new.test/");
    assert.equal(after?.headers["x-new"], "1");
    assert.equal(after?.headers["x-pusher-key"], "other");
    assert.equal(after?.body, before?.body);
    assert.notEqual(after?.headers["x-pusher-signature"], before?.headers["x-pusher-signature"]);
  });

  test("gets what waits whatever its filter says now", async (t) => {
    const { occupyAndWait, clock, target, reload } = await openRig(t, {
      respond: inTurn(500, 200),
    });
    await occupyAndWait("a");
    reload({ webhooks: [endpoint("one", { eventTypes: new Set(["cache_miss"]) })] });
    await clock.advance(1_000);
    await occupyAndWait("b");
    assert.deepEqual(target.log(), ["a", "a"]);
  });

  test("keeps its backlog while it is removed, with one warning, and gets it when it is back", async (t) => {
    const { occupyAndWait, clock, target, reload, lines, webhooks } = await openRig(t, {
      respond: inTurn(500, 200),
    });
    await occupyAndWait("a");
    const { webhooks: endpoints } = (await openRig(t)).app.settings;
    reload({ webhooks: [] });
    await occupyAndWait("b");
    await clock.advance(3_600_000);
    const warnings = lines.filter(
      ({ message }) => message === "webhook endpoint keeps its backlog",
    );
    assert.deepEqual(
      warnings.map(({ fields }) => fields.reason),
      ["endpoint removed"],
    );
    assert.equal((await webhooks.endpoints())[0]?.backlog, 1);
    reload({ webhooks: endpoints });
    await clock.advance(2_000);
    assert.deepEqual(target.log(), ["a", "a"]);
  });

  test("takes no new events while it is disabled and keeps its backlog", async (t) => {
    const { occupyAndWait, clock, target, reload } = await openRig(t, {
      respond: inTurn(500, 200),
    });
    await occupyAndWait("a");
    reload({ webhooks: [endpoint("one", { enabled: false })] });
    await occupyAndWait("b");
    await clock.advance(3_600_000);
    assert.deepEqual(target.log(), ["a"]);
    reload({ webhooks: [endpoint("one")] });
    await clock.advance(2_000);
    assert.deepEqual(target.log(), ["a", "a"]);
  });

  test("of an app without an enabled key waits for one", async (t) => {
    const { occupyAndWait, clock, target, reload, app: owner } = await openRig(t);
    const { webhookKey } = owner.settings;
    reload({ webhookKey: undefined });
    await occupyAndWait("a");
    assert.deepEqual(target.log(), []);
    reload({ webhookKey });
    await clock.advance(2_000);
    assert.deepEqual(target.log(), ["a"]);
  });

  // Review finding F8: it was healthy.
  test("is in the state that its configuration says, whatever became of its last attempt", async (t) => {
    const owner = app("app", { webhooks: [endpoint("one")] });
    const apps = appRegistry(owner);
    const { occupyAndWait, webhooks } = await openRig(t, { apps, respond: inTurn(500) });
    const configure = (...endpoints: WebhookEndpoint[]) => {
      owner.settings = { ...owner.settings, webhooks: endpoints };
    };
    const state = async () => (await webhooks.endpoints())[0]?.state;
    await occupyAndWait("a");
    assert.equal(await state(), "backing_off");
    await webhooks.operations.pause(ONE);
    assert.equal(await state(), "paused");
    configure(endpoint("one", { enabled: false }));
    assert.equal(await state(), "disabled");
    configure();
    assert.equal(await state(), "removed");
    configure(endpoint("one"));
    assert.equal(await state(), "paused");
    apps.byIds.delete("app");
    assert.equal(await state(), "removed");
    assert.equal((await webhooks.endpoints())[0]?.backlog, 1);
  });

  test("is forgotten once it is removed and nothing of it is left", async (t) => {
    const { occupyAndWait, clock, reload, webhooks } = await openRig(t);
    await occupyAndWait("a");
    assert.equal((await webhooks.endpoints()).length, 1);
    reload({ webhooks: [] });
    await clock.advance(4_000);
    assert.deepEqual(await webhooks.endpoints(), []);
  });
});

describe("an endpoint that answers 410", () => {
  test("is paused with one error, collects, and gets no POST however long it lasts", async (t) => {
    const { occupyAndWait, clock, target, webhooks, errors } = await openRig(t, {
      respond: inTurn(410),
    });
    await occupyAndWait("a");
    await occupyAndWait("b");
    await clock.advance(86_400_000);
    assert.deepEqual(target.log(), ["a"]);
    assert.deepEqual(errors(), ["webhook endpoint paused because it answered 410"]);
    const [report] = await webhooks.endpoints();
    assert.deepEqual([report?.state, report?.backlog, report?.deadLetters], ["paused", 2, 0]);
  });

  test("loses nothing to the retry budget, not even by the POST that pauses it", async (t) => {
    const { occupyAndWait, clock, webhooks, target } = await openRig(t, {
      respond: inTurn(500, 410),
      settings: { retry: { initialMs: 400_000, maxMs: 400_000, budgetMs: 300_000 } },
    });
    await occupyAndWait("a");
    await clock.advance(800_000);
    assert.deepEqual(target.log(), ["a", "a"]);
    assert.equal((await webhooks.endpoints())[0]?.backlog, 1);
    assert.deepEqual(await webhooks.deadLetters("app", "one"), []);
  });

  test("still loses what its bounds cannot hold", async (t) => {
    const { occupyAndWait, webhooks } = await openRig(t, {
      respond: inTurn(410),
      bounds: { maxQueuedEvents: 2 },
    });
    await occupyAndWait("a");
    await occupyAndWait("b", "c");
    const letters = await webhooks.deadLetters("app", "one");
    assert.deepEqual(
      letters.map(({ event, reason }) => [event.channel, reason]),
      [["a", "overflow"]],
    );
  });

  test("goes on at once when it is resumed, in order, with a new budget", async (t) => {
    const { occupyAndWait, clock, target, webhooks } = await openRig(t, {
      respond: inTurn(500, 410, 500, 200),
    });
    await occupyAndWait("a");
    await clock.advance(400_000);
    await occupyAndWait("b", "c");
    await webhooks.operations.resume(ONE);
    await clock.advance(0);
    await clock.advance(60_000);
    assert.deepEqual(target.log(), ["a", "a", "a", "a", "b c"]);
    assert.deepEqual(await webhooks.deadLetters("app", "one"), []);
    assert.equal((await webhooks.endpoints())[0]?.state, "healthy");
  });

  test("is resumed by another url, with a new budget, and not by its own once more", async (t) => {
    const { occupyAndWait, clock, target, reload, webhooks, outbox } = await openRig(t, {
      respond: inTurn(500, 410, 500, 200),
    });
    await occupyAndWait("a");
    await clock.advance(290_000);
    reload({ webhooks: [endpoint("one", { headers: { a: "b" } })] });
    await clock.advance(400_000);
    assert.equal(target.sent.length, 2);
    reload({ webhooks: [endpoint("one", { url: "http://moved.test/" })] });
    await clock.advance(70_000);
    assert.deepEqual(target.log(), ["a", "a", "a", "a"]);
    assert.deepEqual(await webhooks.deadLetters("app", "one"), []);
    assert.equal((await outbox.controls.pauses()).size, 0);
    reload({ webhooks: [endpoint("one")] });
    await occupyAndWait("b");
    assert.equal(target.log().at(-1), "b", "its first url may be tried again");
  });
});

describe("an endpoint that an operator pauses", () => {
  test("collects until it is resumed, whatever its url, and is no reason to wait at a stop", async (t) => {
    const { occupyAndWait, clock, target, reload, webhooks, errors } = await openRig(t);
    assert.equal(await webhooks.operations.pause(ONE), undefined);
    await occupyAndWait("a");
    reload({ webhooks: [endpoint("one", { url: "http://moved.test/" })] });
    await occupyAndWait("b");
    await clock.advance(86_400_000);
    assert.deepEqual(target.log(), []);
    assert.equal((await webhooks.endpoints())[0]?.state, "paused");
    await webhooks.operations.resume(ONE);
    await clock.advance(0);
    assert.deepEqual(target.log(), ["a b"]);
    assert.deepEqual(errors(), []);
  });

  test("stays paused when a POST that was under way is taken, or answered with 410", async (t) => {
    for (const status of [200, 410]) {
      const answer = held();
      const { occupyAndWait, clock, target, webhooks } = await openRig(t, {
        respond: () => answer.promise,
      });
      await occupyAndWait("a");
      await webhooks.operations.pause(ONE);
      answer.resolve(answered(status));
      await occupyAndWait("b");
      await clock.advance(10_000);
      assert.deepEqual(target.log(), ["a"]);
      const [found] = await webhooks.operations.status("app");
      assert.equal(found?.pause?.reason, "operator");
    }
  });
});

describe("an endpoint that backs off", () => {
  test("is tried at once when an operator says so, Retry-After or not", async (t) => {
    const { occupyAndWait, clock, target, webhooks } = await openRig(t, {
      respond: (_sent, number) => (number === 1 ? answered(503, "50") : answered(200)),
    });
    await occupyAndWait("a");
    await clock.advance(10_000);
    assert.deepEqual(target.log(), ["a"]);
    await webhooks.operations.retry(ONE);
    await clock.advance(0);
    assert.deepEqual(target.log(), ["a", "a"]);
  });
});

describe("an app that is not known", () => {
  test("has its events held, warned of once, and delivered in order once it is known", async (t) => {
    const apps = appRegistry();
    const { occupyAndWait, clock, target, lines, webhooks } = await openRig(t, { apps });
    await occupyAndWait("a", "b");
    await occupyAndWait("c");
    assert.deepEqual(target.log(), []);
    assert.equal((await webhooks.queues()).held, 3);
    assert.equal(lines.filter(({ level }) => level === "warn").length, 1);
    apps.byIds.set("app", app("app", { webhooks: [endpoint("one")] }));
    await occupyAndWait("d");
    await clock.advance(2_100);
    assert.deepEqual(target.log().join(" "), "a b c d");
    assert.equal((await webhooks.queues()).held, 0);
  });

  test("is treated alike when its look-up fails", async (t) => {
    const registry = appRegistry(app("app", { webhooks: [endpoint("one")] }));
    let fails = true;
    const byId = async (id: string) => {
      if (fails) throw new Error("no database");
      return registry.byId(id);
    };
    const { occupyAndWait, clock, target } = await openRig(t, { apps: { ...registry, byId } });
    await occupyAndWait("a");
    fails = false;
    await clock.advance(2_100);
    assert.deepEqual(target.log(), ["a"]);
  });

  test("holds back nobody else's events", async (t) => {
    const apps = appRegistry(app("app", { webhooks: [endpoint("one")] }));
    const { occupy, clock, target } = await openRig(t, { apps });
    occupy("a", "stranger");
    occupy("b");
    await clock.advance(60);
    assert.deepEqual(target.log(), ["b"]);
  });

  test("loses its oldest events past the bound, counted and logged", async (t) => {
    const { occupyAndWait, webhooks, errors } = await openRig(t, {
      apps: appRegistry(),
      bounds: { maxQueuedEvents: 2 },
    });
    await occupyAndWait("a", "b", "c");
    const { held, dropped } = await webhooks.queues();
    assert.deepEqual({ held, dropped }, { held: 2, dropped: 1 });
    assert.deepEqual(errors(), ["webhook events dropped"]);
  });
});

test("an event of a type that is not known is held, and what follows of its app behind it", async (t) => {
  const { events, occupyAndWait, target, webhooks } = await openRig(t);
  await occupyAndWait("a");
  const type = "of_a_later_version" as "cache_miss";
  events.append("app", "b", { type, json: '{"name":"of_a_later_version","channel":"b"}' });
  await occupyAndWait("c");
  assert.deepEqual(target.log(), ["a"]);
  assert.equal((await webhooks.queues()).held, 2);
});
