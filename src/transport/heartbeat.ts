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
  /** The slot that the socket is in, −1 when it is in none. */
  slot: number;
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
  const slots: Set<Beating>[] = Array.from(
    { length: Math.max(activityTimeoutS, pongTimeoutS) + 1 },
    () => new Set(),
  );
  let tick = 0;
  let timer: NodeJS.Timeout | undefined;

  function place(socket: Beating, afterTicks: number): void {
    socket.slot = (tick + afterTicks) % slots.length;
    slots[socket.slot]?.add(socket);
  }

  function look(socket: Beating): void {
    if (socket.heardAtTick === PINGED) {
      socket.slot = -1;
      socket.onSilent();
      return;
    }
    const silentTicks = tick - socket.heardAtTick;
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
    tick += 1;
    const due = slots[tick % slots.length];
    if (due === undefined || due.size === 0) return;
    slots[tick % slots.length] = new Set();
    for (const socket of due) {
      // Closed by what one before it did.
      if (socket.slot === -1) continue;
      look(socket);
    }
  }

  return {
    get tick() {
      return tick;
    },
    add(socket) {
      socket.heardAtTick = tick;
      place(socket, activityTimeoutS);
    },
    remove(socket) {
      if (socket.slot !== -1) slots[socket.slot]?.delete(socket);
      socket.slot = -1;
    },
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
