/** The receiver of docs/webhooks.md that takes snapshots, in front of a server that loses its state. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { freePort } from "../support/free-port.ts";
import { APP } from "../support/pipit.ts";
import { until } from "../support/until.ts";
import { type Program, runModule } from "./program.ts";
import { believedAt, ONLINE, receiverCode, type Told } from "./reconciling-receiver.ts";

type Channels = Readonly<Record<string, { readonly users?: readonly string[] }>>;

/** What a server of two partitions would tell. */
interface Truth {
  epoch: number;
  /** By partition. */
  channels: [Channels, Channels];
}

interface Stage {
  readonly truth: Truth;
  /** Partitions that were asked for, in order. */
  readonly asked: number[];
  /** What happens when the page of a partition is asked for, once each; a status refuses it. */
  readonly next: ((partition: number) => number | undefined | Promise<undefined>)[];
  readonly program: Program;
  /** What the receiver believes. */
  believed(): Promise<Told>;
  /** A signed webhook with one event. */
  post(id: string, event: object): Promise<void>;
}

async function setStage(
  t: TestContext,
  channels: [Channels, Channels],
  { rereadEveryMs, next = [] }: { rereadEveryMs?: number; next?: Stage["next"] } = {},
): Promise<Stage> {
  const truth: Truth = { epoch: 900, channels };
  const asked: number[] = [];
  const pages = createServer(async (request, response) => {
    const { searchParams } = new URL(request.url ?? "", "http://localhost");
    const partition = Number(searchParams.get("cursor"));
    asked.push(partition);
    const refusal = await next.shift()?.(partition);
    if (refusal !== undefined) return response.writeHead(refusal).end("{}");
    return response.end(
      JSON.stringify({
        partition,
        revision: `${truth.epoch}-${partition}-1000-5`,
        channels: truth.channels[partition],
        users: [],
        next: partition === 0 ? "1" : null,
      }),
    );
  });
  await new Promise<void>((resolve) => pages.listen(0, "127.0.0.1", resolve));
  t.after(() => void pages.close());
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/`;
  const pipitPort = (pages.address() as AddressInfo).port;
  const program = runModule(t, receiverCode(port, pipitPort, rereadEveryMs));
  return {
    truth,
    asked,
    next,
    program,
    believed: () => believedAt(url),
    async post(id, event) {
      const body = JSON.stringify({ time_ms: Date.now(), events: [event] });
      const signature = createHmac("sha256", APP.secret).update(body).digest("hex");
      const headers = {
        "Content-Type": "application/json",
        "X-Pusher-Key": APP.key,
        "X-Pusher-Signature": signature,
        "X-Pipit-Event-Ids": id,
      };
      assert.equal((await fetch(url, { method: "POST", headers, body })).status, 200);
    },
  };
}

const occupied = (channel: string) => ({ name: "channel_occupied", channel });
const vacated = (channel: string) => ({ name: "channel_vacated", channel });

/** The server loses what it knew, and is then told who is there. */
function lose(truth: Truth, channels: [Channels, Channels]): void {
  Object.assign(truth, { epoch: truth.epoch + 100, channels });
}

describe("the reconciling receiver of docs/webhooks.md", () => {
  test("reads all again when an id shows that the server has lost its state, however long that takes", async (t) => {
    const { truth, next, program, believed, post } = await setStage(t, [{ old: {} }, {}]);
    await program.says("reconciled");
    assert.deepEqual(await believed(), { old: [], [ONLINE]: [] });

    await post("900-0-1000-6", occupied("newer"));
    await post("900-0-1000-5", vacated("old"));
    await post("800-0-2000-0", vacated("old"));
    assert.deepEqual(await believed(), { newer: [], old: [], [ONLINE]: [] });

    next.push(
      () => 503,
      () => 503,
    );
    lose(truth, [{ "presence-x": { users: ["1", "2"] } }, {}]);
    await post("1000-0-1000-5", { name: "member_added", channel: "presence-x", user_id: "2" });
    await program.says(/no page yet: 503.*reconciled/s);
    assert.deepEqual(await believed(), { "presence-x": ["1", "2"], [ONLINE]: [] });
  });

  // Review finding F7: ghosts of the pages that were read before.
  test("keeps nothing of the pages that it read before the server lost its state", async (t) => {
    const channels: [Channels, Channels] = [{ ghost: {}, stays: {} }, { here: {} }];
    const stage = await setStage(t, channels, {
      next: [
        () => undefined,
        () => {
          lose(stage.truth, [{ stays: {} }, { here: {} }]);
          return 503;
        },
      ],
    });
    const { program, believed } = stage;
    await program.says("reconciled");
    assert.deepEqual(await believed(), { here: [], stays: [], [ONLINE]: [] });
  });

  test("goes on where it is when it has read too fast", async (t) => {
    const { asked, program } = await setStage(t, [{}, {}], {
      next: [() => undefined, () => 429, () => 429],
    });
    await program.says("reconciled");
    assert.deepEqual(asked, [0, 1, 1, 1]);
  });

  test("finds a loss that no webhook tells of", async (t) => {
    const channels: [Channels, Channels] = [{ ghost: {} }, { stays: {} }];
    const { truth, program, believed } = await setStage(t, channels, { rereadEveryMs: 50 });
    await program.says("reconciled");
    lose(truth, [{}, { stays: {} }]);
    await until("the ghost is gone", async () => !("ghost" in (await believed())));
    assert.deepEqual(await believed(), { stays: [], [ONLINE]: [] });
  });

  test("puts what comes while a page is read on top of it, and what came before only once", async (t) => {
    const believed: Told[] = [];
    const stage = await setStage(t, [{ goes: {} }, {}], {
      rereadEveryMs: 50,
      next: [
        () => undefined,
        () => undefined,
        // What was decided before the page was asked for is in it.
        () => void Object.assign(stage.truth.channels, [{ again: {}, goes: {} }, {}]),
        () => undefined,
        async () => {
          await stage.post("900-0-1000-7", vacated("goes"));
          await stage.post("900-0-1000-5", vacated("again"));
          await stage.post("900-0-1000-6", occupied("comes"));
        },
        async () => void believed.push(await stage.believed()),
      ],
    });
    await until("the page that was read meanwhile is known", () => believed.length > 0);
    assert.deepEqual(believed, [{ again: [], comes: [], [ONLINE]: [] }]);
  });
});
