/**
 * A client that keeps a node busy, and tells the recorder what must come of it: numbered client events on private
 * channels, and visits, each of one user to a presence channel of its own. No name is used twice, also not after
 * a reconnect, so that what was caused is never ambiguous.
 *
 * From time to time it stops for a moment, until the node has done all that it was told and has Redis's word for
 * it (`pipit_state_backlog_channels` is 0). What was caused until then is decided, and owed.
 */
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { errorsOf, sendSubscribe } from "../support/commands.ts";
import { APP } from "../support/pipit.ts";
import { openRawSocket, type RawSocket } from "../support/raw-socket.ts";
import { until } from "../support/until.ts";
import type { ChaosNode } from "./node.ts";
import type { Expected, Recorder } from "./recorder.ts";

export interface LoadOptions {
  readonly recorder: Recorder;
  /** Begins the names of its channels. */
  readonly name: string;
  /** The node to connect to, now; undefined while there is none. */
  readonly node: () => ChaosNode | undefined;
  /** Client events a second. */
  readonly perSecond: number;
  /** Private channels that they go to. */
  readonly channels?: number;
  readonly hasVisits?: boolean;
}

export interface Load {
  /** Client events so far. */
  readonly sent: number;
  /** Waits until all that was caused is decided; sends nothing meanwhile, and goes on then unless `isLast`. */
  settle(isLast?: boolean): Promise<void>;
  /** Sends nothing more, leaves, and waits until all that was caused is decided. */
  end(): Promise<void>;
}

/** A visit goes on as its events are decided: come, there, going, and then it is over. */
interface Visit {
  readonly channel: string;
  readonly userId: string;
  readonly coming: readonly Expected[];
}

/** One connection, from its start to its end. */
interface Stay {
  readonly node: ChaosNode;
  readonly socket: RawSocket;
  readonly channels: readonly string[];
  readonly occupied: readonly Expected[];
  /** Caused and not yet known to be decided. */
  undecided: Expected[];
  /** Visits whose coming is not decided yet. */
  coming: Visit[];
  /** Visits that go on. */
  there: Visit[];
}

const TICK_MS = 20;
const SETTLE_EVERY_MS = 300;
/** How long it stays silent for the node to catch up; then it goes on and tries later. */
const SETTLE_WITHIN_MS = 400;
const VISITS_AT_ONCE = 3;
/** How long a channel or member that has left is still told to be there. */
const GRACE_MS = 3_000;
/** Of a client event that is not allowed. Source: protocol.md §1.5. */
const REJECTED = 4301;
const DECIDED_WITHIN_MS = 60_000;

export function startLoad(t: TestContext, options: LoadOptions): Load {
  const { recorder, name, perSecond, channels = 10, hasVisits = true } = options;
  let isEnding = false;
  let isHeld = false;
  let stay: Stay | undefined;
  let stays = 0;
  let visits = 0;
  let sent = 0;
  let due = 0;
  let lastTickMs = performance.now();

  async function connect(): Promise<void> {
    const node = options.node();
    if (node === undefined) return;
    const path = `/app/${APP.key}?protocol=7&client=js&version=8.6.0`;
    const socket = await openRawSocket(t, node.port, path);
    if (socket.refused !== undefined) return;
    await socket.socketId();
    const prefix = `private-${name}-${stays++}`;
    const names = Array.from({ length: channels }, (_, n) => `${prefix}-${n}`);
    const occupied = names.map((channel) => recorder.mayCome("channel_occupied", channel));
    const at: Stay = {
      node,
      socket,
      channels: names,
      occupied,
      undecided: [...occupied],
      coming: [],
      there: [],
    };
    try {
      for (const channel of names) await sendSubscribe(socket, channel);
      await until(
        "the private channels are joined",
        () => socket.hasEnded || names.every((channel) => answerTo(socket, channel) === "joined"),
      );
      stay = at;
    } catch {
      socket.destroy(); // Redis is away, say: the next connection tries again
      leave(at);
    }
  }

  /** The connection has ended: whatever it had is left, whoever notices. */
  function leave({ channels: names, occupied, coming, there }: Stay): void {
    for (const [n, channel] of names.entries()) go("channel_vacated", channel, "", occupied[n]);
    for (const visit of [...coming, ...there]) endVisit(visit);
  }

  /** Expects what follows for certain from `cause`. */
  function go(
    type: string,
    channel: string,
    detail: string,
    cause: Expected | undefined,
  ): Expected {
    const event = recorder.mayCome(type, channel, detail, Date.now() + GRACE_MS);
    if (cause?.isOwed) recorder.owe(event);
    else if (cause) recorder.oweAfter(event, cause);
    return event;
  }

  function beginVisit(at: Stay): Promise<void> {
    const userId = `user-${visits}`;
    const channel = `presence-${name}-${visits++}`;
    const coming = [
      recorder.mayCome("channel_occupied", channel),
      recorder.mayCome("member_added", channel, userId),
    ];
    at.coming.push({ channel, userId, coming });
    return sendSubscribe(at.socket, channel, { user_id: userId });
  }

  function endVisit({ channel, userId, coming: [occupied, added] }: Visit): void {
    go("member_removed", channel, userId, added);
    go("channel_vacated", channel, "", occupied);
  }

  function tick(at: Stay): void {
    const nowMs = performance.now();
    // A tick that comes late is made up for, but not by a flood.
    due += (Math.min(nowMs - lastTickMs, 10 * TICK_MS) * perSecond) / 1_000;
    lastTickMs = nowMs;
    for (; due >= 1; due--) {
      const channel = at.channels[sent % channels] ?? "";
      at.undecided.push(recorder.mayCome("client_event", channel, `${sent}`));
      at.socket.send({ event: "client-tick", channel, data: sent });
      sent += 1;
    }
  }

  /** Resolves with false when the node has not done it all in time; nothing is known then. */
  async function decide(at: Stay): Promise<boolean> {
    const deadlineMs = performance.now() + SETTLE_WITHIN_MS;
    const { undecided } = at;
    const isAnswered = await Promise.race([
      at.socket
        .settled()
        .then(() => true)
        .catch(() => false),
      delay(SETTLE_WITHIN_MS, false),
    ]);
    if (!isAnswered) return false;
    while ((await at.node.backlog()) !== 0) {
      if (performance.now() > deadlineMs || at.socket.hasEnded) return false;
      await delay(TICK_MS);
    }
    at.undecided = at.undecided.slice(undecided.length);
    for (const event of undecided) recorder.owe(event);
    for (const visit of at.there.splice(0)) {
      endVisit(visit);
      at.socket.send({ event: "pusher:unsubscribe", data: { channel: visit.channel } });
    }
    for (const visit of at.coming.splice(0)) {
      const answer = answerTo(at.socket, visit.channel);
      if (answer === undefined) at.coming.push(visit);
      // What a refused visit had caused by then, if anything, is undone.
      else if (answer === "refused") endVisit(visit);
      else {
        for (const event of visit.coming) recorder.owe(event);
        at.there.push(visit);
      }
    }
    return true;
  }

  async function round(): Promise<void> {
    if (stay === undefined) {
      lastTickMs = performance.now();
      await connect().catch(() => {}); // the node is about to come, or to go
      return;
    }
    const at = stay;
    if (at.socket.hasEnded) {
      leave(at);
      stay = undefined;
      return;
    }
    // A visit may be refused while Redis is away; a client event that is refused would look as if it were lost.
    const refusal = errorsOf(at.socket).find(
      ({ code, message }) =>
        code === REJECTED || (code === null && !message.includes("its cluster")),
    );
    if (refusal) throw new Error(`${name} was told: ${refusal.message}`);
    const untilMs = performance.now() + SETTLE_EVERY_MS;
    if (!isHeld) {
      while (hasVisits && at.coming.length < VISITS_AT_ONCE) await beginVisit(at);
      while (performance.now() < untilMs && !at.socket.hasEnded && !isEnding) {
        tick(at);
        await delay(TICK_MS);
      }
    }
    await decide(at);
    lastTickMs = performance.now();
  }

  async function run(): Promise<void> {
    while (!isEnding) {
      await round();
      await delay(TICK_MS);
    }
  }

  t.after(() => {
    isEnding = true;
  });
  const running = run();
  // A failure is told by whoever waits for the end; a test that fails first does not.
  running.catch(() => {});

  return {
    get sent() {
      return sent;
    },
    async settle(isLast = false) {
      isHeld = true;
      await until(
        `all that ${name} has caused is decided`,
        () => stay !== undefined && !stay.socket.hasEnded && isDecided(stay),
        DECIDED_WITHIN_MS,
      );
      isHeld = isLast;
    },
    async end() {
      isEnding = true;
      await running;
      if (stay === undefined) return;
      const at = stay;
      await until(
        `the last that ${name} has caused is decided`,
        () => at.socket.hasEnded || decide(at),
        DECIDED_WITHIN_MS,
      );
      leave(at);
      at.socket.destroy();
      stay = undefined;
    },
  };
}

function isDecided({ undecided, coming }: Stay): boolean {
  return undecided.length === 0 && coming.length === 0;
}

/** How the server has answered the subscription, if it has. */
function answerTo({ frames }: RawSocket, name: string): "joined" | "refused" | undefined {
  for (const { event, channel } of frames) {
    if (channel !== name) continue;
    if (event === "pusher_internal:subscription_succeeded") return "joined";
    if (event === "pusher:subscription_error") return "refused";
  }
  return undefined;
}
