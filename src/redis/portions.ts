/** Puts topics together that one command may name. */
import type { Link } from "./subscribers.ts";

/** Beyond that a command is hardly cheaper per topic, and holds others up for longer. */
const MOST_TOPICS_AT_ONCE = 128;

export interface Portions<T> {
  add(thing: T, link: Link, group: number): void;
  /** Sends those that are not full. */
  end(): void;
}

/** Collects what goes together, and sends it in commands of {@link MOST_TOPICS_AT_ONCE}. */
export function createPortions<T>(send: (portion: readonly T[], link: Link) => void): Portions<T> {
  const open = new Map<Link, Map<number, T[]>>();
  return {
    add(thing, link, group) {
      const groups = open.get(link) ?? new Map<number, T[]>();
      if (groups.size === 0) open.set(link, groups);
      const portion = groups.get(group) ?? [];
      portion.push(thing);
      if (portion.length < MOST_TOPICS_AT_ONCE) {
        groups.set(group, portion);
        return;
      }
      groups.set(group, []);
      send(portion, link);
    },
    end() {
      for (const [link, groups] of open) {
        for (const portion of groups.values()) if (portion.length > 0) send(portion, link);
      }
    },
  };
}
