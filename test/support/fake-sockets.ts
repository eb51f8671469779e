/** Sockets and topics without a network: what a client would have received, and what it hears. */
import type { Socket } from "../../src/connections/connection.ts";

export interface ReceivedFrame {
  readonly event: string;
  readonly channel?: string;
  readonly data?: unknown;
  readonly user_id?: string;
}

/** The client's end of a connection. Closing it by either side calls `onClose` once, at once. */
export interface FakeSocket extends Socket {
  /** Every frame so far, as text. */
  readonly texts: readonly string[];
  /** The same, parsed. */
  readonly frames: readonly ReceivedFrame[];
  readonly topics: ReadonlySet<string>;
  /** How the server closed it; code 1000 when the client did, undefined while it is open. */
  readonly closed: { readonly code: number; readonly message: string } | undefined;
  onClose: (() => void) | undefined;
  /** The client goes away. */
  leave(): void;
  /** The frames since the last call. */
  take(): readonly ReceivedFrame[];
}

export interface FakeSockets {
  open(): FakeSocket;
  publishToTopic(topic: string, frame: string): void;
}

/** All sockets of one node. */
export function createFakeSockets(): FakeSockets {
  const sockets = new Set<{ topics: ReadonlySet<string>; receive(frame: string): void }>();

  function publish(topic: string, frame: string, except?: object): void {
    for (const socket of sockets) {
      if (socket !== except && socket.topics.has(topic)) socket.receive(frame);
    }
  }

  function open(): FakeSocket {
    const texts: string[] = [];
    const frames: ReceivedFrame[] = [];
    const topics = new Set<string>();
    let closed: FakeSocket["closed"];
    let taken = 0;
    const end = {
      topics,
      receive(frame: string) {
        texts.push(frame);
        frames.push(JSON.parse(frame) as ReceivedFrame);
      },
    };
    sockets.add(end);

    function close(code: number, message: string): void {
      if (closed !== undefined) return;
      closed = { code, message };
      sockets.delete(end);
      topics.clear();
      socket.onClose?.();
    }

    const socket: FakeSocket = {
      texts,
      frames,
      topics,
      get closed() {
        return closed;
      },
      onClose: undefined,
      send(frame) {
        if (closed === undefined) end.receive(frame);
      },
      subscribe(topic) {
        if (closed === undefined) topics.add(topic);
      },
      unsubscribe(topic) {
        topics.delete(topic);
      },
      publish(topic, frame) {
        if (closed !== undefined) return;
        // The real one drops what a socket publishes without being subscribed itself.
        if (!topics.has(topic)) throw new Error(`Published to ${topic} without being subscribed.`);
        publish(topic, frame, end);
      },
      close,
      leave: () => close(1000, ""),
      take() {
        const fresh = frames.slice(taken);
        taken = frames.length;
        return fresh;
      },
    };
    return socket;
  }

  return { open, publishToTopic: (topic, frame) => publish(topic, frame) };
}
