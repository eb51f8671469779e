/** A Map by name that weighs little while it has a single entry, as most connections are in one channel. */

/**
 * A first entry is kept in two fields, since a Map takes 180 bytes whatever is in it (npm run bench:heap); the second
 * one makes the Map. A class, since there is one per connection.
 */
export class SmallMap<Value> implements Iterable<readonly [string, Value]> {
  /** The only entry, while there is no Map. */
  #name: string | undefined;
  #value: Value | undefined;
  #map: Map<string, Value> | undefined;

  get size(): number {
    return this.#map?.size ?? (this.#name === undefined ? 0 : 1);
  }

  get(name: string): Value | undefined {
    if (this.#map !== undefined) return this.#map.get(name);
    return name === this.#name ? this.#value : undefined;
  }

  has(name: string): boolean {
    return this.#map?.has(name) ?? name === this.#name;
  }

  set(name: string, value: Value): void {
    if (this.#map !== undefined) this.#map.set(name, value);
    else if (this.#name === undefined || this.#name === name) {
      this.#name = name;
      this.#value = value;
    } else {
      this.#map = new Map([
        [this.#name, this.#value as Value],
        [name, value],
      ]);
      this.#name = undefined;
      this.#value = undefined;
    }
  }

  delete(name: string): void {
    if (this.#map !== undefined) this.#map.delete(name);
    else if (name === this.#name) {
      this.#name = undefined;
      this.#value = undefined;
    }
  }

  /** Of those that there are now. */
  values(): readonly Value[] {
    return Array.from(this, ([, value]) => value);
  }

  /** Over those that there are now, in order: they may be deleted meanwhile. */
  [Symbol.iterator](): Iterator<readonly [string, Value]> {
    if (this.#map !== undefined) return [...this.#map][Symbol.iterator]();
    const entries: (readonly [string, Value])[] =
      this.#name === undefined ? [] : [[this.#name, this.#value as Value]];
    return entries[Symbol.iterator]();
  }
}
