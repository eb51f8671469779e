import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { StateUnavailableError } from "../../src/channel-state/channel-state.ts";
import { createTestApi } from "./test-api.ts";

const PATH = "/apps/3/webhooks/snapshot";

describe("GET webhooks/snapshot", () => {
  test("gives a partition a page, and with it where the next one is", async () => {
    const { request, snapshots } = createTestApi();
    const presence = new Set(["1", 'b"']);
    snapshots.push(
      {
        revision: "9-0-1000-2",
        channels: new Map([
          ["room", new Set<string>()],
          ["presence-x", presence],
          ["presence-empty", new Set<string>()],
        ]),
        users: new Set(["7"]),
        isLast: false,
      },
      { revision: "9-1-0-0", channels: new Map(), users: new Set(), isLast: true },
    );
    const first = await request({ path: PATH });
    assert.equal(first.status, 200);
    assert.equal(first.route, "/apps/{id}/webhooks/snapshot");
    assert.deepEqual(first.json, {
      partition: 0,
      revision: "9-0-1000-2",
      channels: { room: {}, "presence-x": { users: ["1", 'b"'] }, "presence-empty": { users: [] } },
      users: ["7"],
      next: "1",
    });
    const last = await request({ path: PATH, params: { cursor: "1" } });
    const nothing = { partition: 1, revision: "9-1-0-0", channels: {}, users: [], next: null };
    assert.deepEqual(last.json, nothing);
  });

  test("refuses a cursor that none of its pages has given", async () => {
    const { request } = createTestApi();
    for (const cursor of ["", "x", "-1", "01", "1.5", "1e1", "99", "123456", "0 "]) {
      const { status, error } = await request({ path: PATH, params: { cursor } });
      assert.equal(status, 400, cursor);
      assert.ok(error.startsWith(`"cursor" is ${JSON.stringify(cursor)}, `), error);
    }
  });

  test("says what to do about a partition that has too much", async () => {
    const { request, snapshots } = createTestApi();
    snapshots.push("too many");
    const { status, error } = await request({ path: PATH });
    assert.equal(status, 413);
    assert.match(error, /^Partition 0 has more than 100000 .*filter_by_prefix\.$/);
  });

  test("hands the prefix to the state, and is a 503 while the state is away", async () => {
    const asked: unknown[] = [];
    const { request } = createTestApi(undefined, {
      state: {
        channel: () => ({ subscriptions: 0, users: 0 }),
        channels: () => new Map(),
        users: () => new Map(),
        snapshot(...args) {
          asked.push(args);
          return Promise.reject(new StateUnavailableError("Redis has lost the state."));
        },
      },
    });
    const params = { cursor: "2", filter_by_prefix: "presence-" };
    const { status, headers } = await request({ path: PATH, params });
    assert.equal(status, 503);
    assert.equal(headers?.["Retry-After"], "1");
    assert.deepEqual(asked, [["3", 2, "presence-"]]);
  });

  test("needs a signature and takes only GET and HEAD", async () => {
    const { request } = createTestApi();
    assert.equal((await request({ path: PATH, query: "" })).status, 401);
    assert.equal((await request({ path: PATH, method: "POST", body: "{}" })).status, 405);
  });
});
