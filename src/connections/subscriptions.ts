/** The subscriptions of a connection by channel name, in little space: most connections are in one channel. */
import type { Subscription } from "./subscription.ts";

/**
 * A first subscription is kept in a field, since a Map takes 180 bytes whatever is in it (npm run bench:heap); the
 * second one makes the Map. A class, since there is one per connection.
 */
export class Subscriptions {
  /** The only one, while there is no Map. */
  #only: Subscription | undefined;
  #map: Map<string, Subscription> | undefined;

  get size(): number {
    return this.#map?.size ?? (this.#only === undefined ? 0 : 1);
  }

  get(name: string): Subscription | undefined {
    if (this.#map !== undefined) return this.#map.get(name);
    return name === this.#only?.channel.name ? this.#only : undefined;
  }

  /** Takes the place of the one that there is in the same channel. */
  add(subscription: Subscription): void {
    const { name } = subscription.channel;
    if (this.#map !== undefined) this.#map.set(name, subscription);
    else if (this.#only === undefined || this.#only.channel.name === name) {
      this.#only = subscription;
    } else {
      this.#map = new Map([
        [this.#only.channel.name, this.#only],
        [name, subscription],
      ]);
      this.#only = undefined;
    }
  }

  delete(name: string): void {
    if (this.#map !== undefined) this.#map.delete(name);
    else if (name === this.#only?.channel.name) this.#only = undefined;
  }

  /** Those that there are now, in order: they may be deleted meanwhile. */
  all(): readonly Subscription[] {
    if (this.#map !== undefined) return [...this.#map.values()];
    return this.#only === undefined ? [] : [this.#only];
  }
}
