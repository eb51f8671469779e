/** A first-in-first-out queue of events that knows its size in bytes. An id is in it once. Taking from the head costs no copying. */
import type { OutboxEvent } from "./outbox.ts";

export interface Fifo {
  /** Events in it. */
  readonly length: number;
  /** Bytes of their JSON. */
  readonly bytes: number;
  readonly first: OutboxEvent | undefined;
  has(id: string): boolean;
  push(event: OutboxEvent): void;
  shift(): OutboxEvent | undefined;
  /** The event with `before` older ones in front of it. */
  at(before: number): OutboxEvent | undefined;
  /** Takes it out. Costs as much as there are in front of it. */
  takeAt(before: number): OutboxEvent | undefined;
  /** The oldest `count` events, which stay in. */
  peek(count: number): OutboxEvent[];
  /**
   * Takes out the events with these ids; ids that are not in it are passed over. Answers what went out, in order. Costs
   * nothing besides when they are the first ones, in order.
   */
  remove(ids: readonly string[]): OutboxEvent[];
}

/** Consumed slots at the front are given back once there are this many and they are half of all. */
const COMPACT_FROM = 1_024;

export function createFifo(): Fifo {
  let slots: (OutboxEvent | undefined)[] = [];
  // So that ids which are gone already cost no search through a long queue. Made when first asked for: what leaves by the
  // head, as nearly all does, needs no entry.
  let present: Set<string> | undefined;
  let start = 0;
  let bytes = 0;

  function takeAt(before: number): OutboxEvent | undefined {
    const event = slots[start + before];
    if (!event) return undefined;
    // Those in front close up.
    if (before > 0) slots.copyWithin(start + 1, start, start + before);
    slots[start] = undefined;
    start += 1;
    bytes -= event.bytes;
    present?.delete(event.id);
    if (start === slots.length) {
      slots = [];
      start = 0;
      present = undefined;
    } else if (start >= COMPACT_FROM && start * 2 >= slots.length) {
      slots = slots.slice(start);
      start = 0;
    }
    return event;
  }

  function peek(count: number): OutboxEvent[] {
    const events: OutboxEvent[] = [];
    for (let i = start; i < slots.length && events.length < count; i++) {
      const event = slots[i];
      if (event) events.push(event);
    }
    return events;
  }

  const shift = () => takeAt(0);

  function has(id: string): boolean {
    present ??= new Set(peek(Number.POSITIVE_INFINITY).map((event) => event.id));
    return present.has(id);
  }

  /** Takes the others out of the middle. */
  function removeSought(sought: Set<string>, removed: OutboxEvent[]): void {
    for (let head = slots[start]; head && sought.delete(head.id); head = slots[start]) {
      shift();
      removed.push(head);
    }
    if (![...sought].some(has)) return;
    const kept: OutboxEvent[] = [];
    for (const event of peek(Number.POSITIVE_INFINITY)) {
      if (sought.has(event.id)) {
        removed.push(event);
        present?.delete(event.id);
        bytes -= event.bytes;
      } else {
        kept.push(event);
      }
    }
    slots = kept;
    start = 0;
  }

  return {
    get length() {
      return slots.length - start;
    },
    get bytes() {
      return bytes;
    },
    get first() {
      return slots[start];
    },
    has,
    push(event) {
      slots.push(event);
      present?.add(event.id);
      bytes += event.bytes;
    },
    shift,
    at: (before) => slots[start + before],
    takeAt,
    peek,
    remove(ids) {
      const removed: OutboxEvent[] = [];
      for (const id of ids) {
        const head = slots[start];
        if (head?.id !== id) break;
        shift();
        removed.push(head);
      }
      if (removed.length < ids.length) removeSought(new Set(ids.slice(removed.length)), removed);
      return removed;
    },
  };
}
