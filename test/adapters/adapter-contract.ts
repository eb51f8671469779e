/** What every driver of Adapter promises. Each driver's own test file runs this and adds what is its own. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Adapter, DeliverLocally, MessageKind } from "../../src/adapters/adapter.ts";
import { until } from "../support/until.ts";

interface Message {
  readonly kind: MessageKind;
  readonly topic: string;
  readonly frame: string;
  readonly except: string | undefined;
}

/** A node: an adapter, and what it has delivered here, in order. */
interface Node {
  readonly adapter: Adapter;
  readonly delivered: readonly Message[];
}

/**
 * `openNodes` makes one adapter for each function, all of one deployment. A driver of a node that is alone
 * is given one function only: say so with `nodes`.
 */
export function adapterContract(
  driver: string,
  nodes: number,
  openNodes: (
    deliver: readonly DeliverLocally[],
  ) => readonly Adapter[] | Promise<readonly Adapter[]>,
): void {
  const rule = (sentence: string, run: (sender: Node, all: readonly Node[]) => Promise<void>) =>
    test(sentence, async (t) => {
      const delivered: Message[][] = Array.from({ length: nodes }, () => []);
      const adapters = await openNodes(
        delivered.map(
          (messages): DeliverLocally =>
            (kind, topic, frame, except) => {
              messages.push({ kind, topic, frame, except });
            },
        ),
      );
      t.after(() => Promise.all(adapters.map((adapter) => adapter.close())));
      const all = adapters.map((adapter, n) => ({ adapter, delivered: delivered[n] ?? [] }));
      const [sender] = all;
      assert.ok(sender);
      await run(sender, all);
    });

  describe(`${driver} adapter`, () => {
    rule(
      "an event reaches every node that hears its topic, once, with its frame and its exception",
      async (sender, all) => {
        for (const { adapter } of all) await adapter.subscribe("1:a");
        const frame = '{"event":"e","channel":"a","data":"€ \\u0000 😀"}';
        await sender.adapter.publish("event", "1:a", frame, "1.2");
        await sender.adapter.publish("event", "1:a", "end");
        const expected = [message("1:a", frame, "1.2"), message("1:a", "end")];
        for (const node of all) assert.deepEqual(await deliveredUntil(node, "end"), expected);
      },
    );

    rule("terminate travels as its own kind, with an empty frame", async (sender, all) => {
      for (const { adapter } of all) await adapter.subscribe("1:#server-to-user-u1");
      await sender.adapter.publish("terminate", "1:#server-to-user-u1", "");
      await sender.adapter.publish("event", "1:#server-to-user-u1", "end");
      for (const node of all) {
        const [first] = await deliveredUntil(node, "end");
        assert.deepEqual(first, { ...message("1:#server-to-user-u1", ""), kind: "terminate" });
      }
    });

    rule("messages of one sender on one topic arrive in order", async (sender, all) => {
      for (const { adapter } of all) await adapter.subscribe("1:a");
      const frames = Array.from({ length: 100 }, (_, n) => `${n}`);
      await Promise.all(frames.map((frame) => sender.adapter.publish("event", "1:a", frame)));
      for (const node of all) {
        const arrived = await deliveredUntil(node, "99");
        assert.deepEqual(
          arrived.map(({ frame }) => frame),
          frames,
        );
      }
    });

    rule(
      "nothing published after subscribe has answered is missed, repeated or not",
      async (sender, all) => {
        for (const { adapter } of all) {
          await adapter.subscribe("1:a");
          await adapter.subscribe("1:a");
        }
        await sender.adapter.publish("event", "1:a", "end");
        for (const node of all) {
          assert.deepEqual(await deliveredUntil(node, "end"), [message("1:a", "end")]);
        }
      },
    );

    rule("a topic left and heard again at once is heard", async (sender, all) => {
      for (const { adapter } of all) {
        await adapter.subscribe("1:a");
        adapter.unsubscribe("1:a");
        adapter.unsubscribe("1:never-heard");
        await adapter.subscribe("1:a");
      }
      await sender.adapter.publish("event", "1:a", "end");
      for (const node of all) {
        assert.deepEqual(await deliveredUntil(node, "end"), [message("1:a", "end")]);
      }
    });
  });
}

/** Everything that the node delivered up to the frame `last`. */
async function deliveredUntil(node: Node, last: string): Promise<readonly Message[]> {
  return until(
    `the frame ${last} is delivered`,
    () => node.delivered.some(({ frame }) => frame === last) && [...node.delivered],
  );
}

function message(topic: string, frame: string, except?: string): Message {
  return { kind: "event", topic, frame, except };
}
