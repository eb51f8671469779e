/**
 * One wheel for the heartbeats of all sockets. Source: protocol.md §1.4, architecture.md §3.
 *
 * A socket that has said nothing for the activity timeout gets a WebSocket PING; one that then says nothing
 * for the pong wait is closed with 4201. Any inbound frame or PONG counts as life. What a message costs is
 * one assignment: the wheel looks only when a socket's slot comes round.
 */

const PINGED = -1;

/** What the wheel keeps on each socket. */
export interface Beating {
  /** The tick in which the socket last said something; {@link PINGED} while a PING is out and nothing has come. */
  heardAtTick: number;
  /** Its neighbours in its slot, a ring; both undefined when it is in none. A Set took 30 bytes more for each. */
  before: Beating | undefined;
  after: Beating | undefined;
  ping(): void;
  /** Called once, when the pong did not come. */
  onSilent(): void;
}

export interface Heartbeat {
  /** The current tick, to be written to `heardAtTick`. */
  readonly tick: number;
  add(socket: Beating): void;
  remove(socket: Beating): void;
  start(): void;
  /** Moves one tick on: once per second after `start`. */
  advance(): void;
  close(): void;
}

/** Times in seconds, 1 or more. */
export function createHeartbeat(activityTimeoutS: number, pongTimeoutS: number): Heartbeat {
  const slots = Array.from(
    { length: Math.max(activityTimeoutS, pongTimeoutS) + 1 },
    createEmptyRing,
  );
  let timer: NodeJS.Timeout | undefined;

  function place(socket: Beating, afterTicks: number): void {
    const ring = slots[(heartbeat.tick + afterTicks) % slots.length];
    if (ring !== undefined) append(ring, socket);
  }

  function look(socket: Beating): void {
    if (socket.heardAtTick === PINGED) {
      socket.onSilent();
      return;
    }
    const silentTicks = heartbeat.tick - socket.heardAtTick;
    if (silentTicks < activityTimeoutS) {
      place(socket, activityTimeoutS - silentTicks);
      return;
    }
    socket.heardAtTick = PINGED;
    // Placed first: a write can close the socket, which takes it out again.
    place(socket, pongTimeoutS);
    socket.ping();
  }

  function advance(): void {
    heartbeat.tick += 1;
    const due = slots[heartbeat.tick % slots.length];
    // Each goes into another slot or none, and may close others, which takes them out.
    for (let socket = due?.after; socket !== undefined && socket !== due; socket = due?.after) {
      takeOut(socket);
      look(socket);
    }
  }

  // No getter, as in connections/registry.ts: each message asks for the tick.
  const heartbeat: Heartbeat & { tick: number } = {
    tick: 0,
    add(socket) {
      socket.heardAtTick = heartbeat.tick;
      place(socket, activityTimeoutS);
    },
    remove: takeOut,
    start() {
      timer ??= setInterval(advance, 1_000);
      timer.unref();
    },
    advance,
    close() {
      clearInterval(timer);
      timer = undefined;
    },
  };
  return heartbeat;
}

/** A ring begins and ends with itself: a place without a socket. */
function createEmptyRing(): Beating {
  const ring: Beating = {
    heardAtTick: 0,
    before: undefined,
    after: undefined,
    ping() {},
    onSilent() {},
  };
  ring.before = ring;
  ring.after = ring;
  return ring;
}

function append(ring: Beating, socket: Beating): void {
  const last = ring.before ?? ring;
  socket.before = last;
  socket.after = ring;
  last.after = socket;
  ring.before = socket;
}

function takeOut(socket: Beating): void {
  const { before, after } = socket;
  if (before === undefined || after === undefined) return;
  before.after = after;
  after.before = before;
  socket.before = undefined;
  socket.after = undefined;
}

/** Longest idle timeout that uWebSockets.js takes, in seconds. */
const MAX_BACKSTOP_S = 960;

/**
 * The idle timeout of uWebSockets.js, which drops a connection without a close frame: later than the wheel's
 * own close, or 0 (none) where it would have to be earlier.
 */
export function backstopTimeoutS(activityTimeoutS: number, pongTimeoutS: number): number {
  const seconds = activityTimeoutS + pongTimeoutS + 30;
  return seconds > MAX_BACKSTOP_S ? 0 : seconds;
}
