/** The load of bench:overload, at its smallest, and what the bench takes for a fault. Never how long something takes. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { openBackends } from "../../bench/support/backends.ts";
import { BENCH_APP } from "../../bench/support/endpoint.ts";
import type { Overload, Step } from "../../bench/support/overload-load.ts";
import { overloadProblems } from "../../bench/support/overload-problems.ts";
import { createRequestPipeline } from "../../bench/support/request-pipeline.ts";
import { createStatusReader } from "../../bench/support/status-reader.ts";
import { until } from "../support/until.ts";

/** A server that does with a connection what it is told. Answers its port. */
async function listen(t: TestContext, onSocket: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    onSocket(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  return address.port;
}

function answer(status: number): string {
  return `HTTP/1.1 ${status} Status\r\nContent-Length: 13\r\n\r\n{"error":"x"}`;
}

describe("a pipeline of requests", () => {
  test("reads each status once, wherever the stream is cut", () => {
    const statuses = [200, 429, 503, 200, 413];
    const bytes = Buffer.from(statuses.map(answer).join(""));
    for (let size = 1; size <= bytes.length; size += 1) {
      const seen: number[] = [];
      const read = createStatusReader((status) => void seen.push(status));
      for (let at = 0; at < bytes.length; at += size) read(bytes.subarray(at, at + size));
      assert.deepEqual(seen, statuses, `in pieces of ${size}`);
    }
  });

  test("gives the time of each request with its answer", async (t) => {
    const three = [200, 429, 200].map(answer).join("");
    const port = await listen(t, (socket) => socket.once("data", () => socket.write(three)));
    const seen: [status: number, dueMs: number][] = [];
    const pipeline = createRequestPipeline({ host: "127.0.0.1", port }, 8, {
      onAnswer: (status, dueMs) => void seen.push([status, dueMs]),
      onLost: () => assert.fail("lost"),
    });
    t.after(() => pipeline.close());
    pipeline.send(Buffer.from("two requests"), 2, 1);
    pipeline.send(Buffer.from("one more"), 1, 2);
    assert.equal(pipeline.pending, 3);
    await until("all are answered", () => pipeline.pending === 0);
    assert.deepEqual(seen, [
      [200, 1],
      [429, 1],
      [200, 2],
    ]);
  });

  test("tells how many had no answer when the connection is lost", async (t) => {
    const port = await listen(t, (socket) => {
      socket.once("data", () => socket.end(answer(200)));
    });
    const lost = await new Promise((resolve) => {
      const pipeline = createRequestPipeline({ host: "127.0.0.1", port }, 8, {
        onAnswer() {},
        onLost: resolve,
      });
      pipeline.send(Buffer.from("requests"), 3, 0);
    });
    assert.equal(lost, 2);
  });
});

describe("backends", () => {
  test("go on offering when nothing is answered, and give up what is too much", async (t) => {
    const port = await listen(t, (socket) => socket.resume());
    const backends = openBackends({ host: "127.0.0.1", port, ...BENCH_APP }, "room");
    t.after(() => backends.close());
    const { due, givenUp, answers } = await backends.offer(40_000, 0.4);
    assert.equal(answers.size, 0);
    assert.ok(backends.pending <= 6_400, `${backends.pending}`);
    assert.ok(givenUp > 0 && givenUp <= due, `${givenUp} of ${due}`);
  });
});

describe("an overloaded server", () => {
  const step: Step = {
    share: 2,
    offeredPerSecond: 2_000,
    givenUpPerSecond: 0,
    publishedPerSecond: 800,
    refusedPerSecond: 1_200,
    failed: 0,
    p50Ms: 100,
    p99Ms: 400,
    healthMaxMs: 500,
    maxRssMb: 130,
    serverBusy: 1,
    serverWaited: 0,
    loadBusy: 0.4,
  };

  function problems(changes: Partial<Step>, others: Partial<Overload> = {}): string {
    const overload: Overload = {
      maxEventsPerSecond: undefined,
      rising: [{ ...step, ...changes }],
      recoveryS: 0.1,
      falling: [],
      slowConsumers: 10,
      slowConsumersClosed: 10,
      ...others,
    };
    return overloadProblems("here", overload, 1_000).join();
  }

  test("may refuse, and nothing else", () => {
    assert.equal(problems({}), "");
    assert.match(problems({ healthMaxMs: 1_001 }), /^here, at 2: health took 1001 ms$/);
    assert.match(problems({ maxRssMb: 600 }), /600 MB/);
    assert.match(problems({ failed: 1 }), /neither published nor refused/);
    assert.match(problems({ publishedPerSecond: 400 }), /only 400 requests/);
    assert.match(problems({ refusedPerSecond: 0 }), /nothing was refused/);
    assert.match(problems({}, { recoveryS: 6 }), /6 s to recover/);
    assert.match(problems({}, { slowConsumersClosed: 9 }), /9 of 10 slow consumers/);
    assert.match(problems({}, { falling: [{ ...step, healthMaxMs: 2_000 }] }), /2000 ms/);
  });

  test("is not judged in silence where the load or the machine is at fault", () => {
    assert.match(problems({ loadBusy: 0.99 }), /the load was busy itself, 99 %/);
    assert.match(problems({ serverWaited: 0.3 }), /others had the server's core 30 %/);
  });
});
