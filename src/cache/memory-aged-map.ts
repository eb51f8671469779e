/**
 * A map that knows its least recently touched entry, so that a bound can push that one out. A linked list
 * rather than the order of a `Map`: there, each look for the first entry steps over all that were deleted.
 */

interface Node<T> {
  readonly key: string;
  value: T;
  older: Node<T> | undefined;
  newer: Node<T> | undefined;
}

export interface AgedMap<T> {
  get(key: string): T | undefined;
  /** Adds or replaces; the entry is the newest then. */
  set(key: string, value: T): void;
  /** Makes the entry the newest. */
  touch(key: string): void;
  /** What was deleted, or undefined. */
  delete(key: string): T | undefined;
  /** Key and value of the entry that was not touched for the longest time. */
  oldest(): { readonly key: string; readonly value: T } | undefined;
  readonly size: number;
}

export function createAgedMap<T>(): AgedMap<T> {
  const nodes = new Map<string, Node<T>>();
  let oldest: Node<T> | undefined;
  let newest: Node<T> | undefined;

  function unlink(node: Node<T>): void {
    if (node.older) node.older.newer = node.newer;
    else oldest = node.newer;
    if (node.newer) node.newer.older = node.older;
    else newest = node.older;
  }

  function linkAsNewest(node: Node<T>): void {
    node.older = newest;
    node.newer = undefined;
    if (newest) newest.newer = node;
    else oldest = node;
    newest = node;
  }

  function touch(key: string): void {
    const node = nodes.get(key);
    if (!node || node === newest) return;
    unlink(node);
    linkAsNewest(node);
  }

  return {
    get: (key) => nodes.get(key)?.value,
    set(key, value) {
      const found = nodes.get(key);
      if (found) {
        found.value = value;
        touch(key);
        return;
      }
      const node = { key, value, older: undefined, newer: undefined };
      nodes.set(key, node);
      linkAsNewest(node);
    },
    touch,
    delete(key) {
      const node = nodes.get(key);
      if (!node) return undefined;
      nodes.delete(key);
      unlink(node);
      return node.value;
    },
    oldest: () => oldest,
    get size() {
      return nodes.size;
    },
  };
}
