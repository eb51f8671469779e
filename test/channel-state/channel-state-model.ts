/**
 * A naive model of channels, members and users as connections make them, and of what webhooks should believe.
 * It keeps every connection by itself and counts afresh each time it is asked: slow, and easy to believe.
 */
import { LEAVE_GRACE_MS } from "../../src/channel-state/channel-state.ts";

/** `present`: in truth. `believed`: what webhooks (or watchers) should have been told. */
interface Presence {
  present: boolean;
  believed: boolean;
  goneSinceMs: number;
}

interface ModelConnection {
  readonly userId: string;
  readonly channels: Set<string>;
  isSignedIn: boolean;
}

export class ChannelStateModel {
  readonly #connections = new Map<number, ModelConnection>();
  readonly #presences = new Map<string, Presence>();

  connection(id: number, userId: string): ModelConnection {
    const found = this.#connections.get(id) ?? { userId, channels: new Set(), isSignedIn: false };
    this.#connections.set(id, found);
    return found;
  }

  disconnect(id: number): void {
    this.#connections.delete(id);
  }

  openIds(): readonly number[] {
    return [...this.#connections.keys()];
  }

  subscriptions(channel: string): number {
    return this.#count((connection) => connection.channels.has(channel));
  }

  connectionsInChannel(channel: string, userId: string): number {
    return this.#count((each) => each.channels.has(channel) && each.userId === userId);
  }

  signedIn(userId: string): number {
    return this.#count((each) => each.isSignedIn && each.userId === userId);
  }

  users(channel: string): ReadonlySet<string> {
    const found = new Set<string>();
    for (const { channels, userId } of this.#connections.values()) {
      if (channels.has(channel)) found.add(userId);
    }
    return found;
  }

  /**
   * What should be believed of `subject` at `nowMs`, given whether it is there in truth. Ask for every subject
   * after every step, also after the steps of time: the model remembers when it first saw it gone.
   */
  believe(subject: string, isPresent: boolean, nowMs: number): boolean {
    const known = this.#presences.get(subject) ?? {
      present: false,
      believed: false,
      goneSinceMs: -Infinity,
    };
    this.#presences.set(subject, known);
    if (known.present && !isPresent) known.goneSinceMs = nowMs;
    known.present = isPresent;
    if (isPresent) known.believed = true;
    else if (nowMs - known.goneSinceMs >= LEAVE_GRACE_MS) known.believed = false;
    return known.believed;
  }

  #count(matches: (connection: ModelConnection) => boolean): number {
    let count = 0;
    for (const connection of this.#connections.values()) if (matches(connection)) count += 1;
    return count;
  }
}
