/** Who may connect. Source: protocol.md §1.1, §1.5, §1.6. */
import type { App } from "../apps/app.ts";
import { isOriginAllowed } from "../apps/origin.ts";
import { CLOSE_CODES, type CloseCode, type ClosingRefusal } from "../protocol/close-code.ts";
import type { Handshake } from "./channels.ts";

/** How full the node and the app are, and how full they may be; `Infinity` is no limit. */
export interface Capacity {
  readonly nodeConnections: number;
  readonly maxNodeConnections: number;
  readonly addressConnections: number;
  readonly maxAddressConnections: number;
  /** Of this node. */
  readonly appConnections: number;
  /** Of the other nodes, as they have told; 0 on a node that is alone. */
  readonly appConnectionsElsewhere: number;
  /** Each of them has just told it. Else one of them may be gone, and its clients are those who come. */
  readonly isElsewhereSure: boolean;
}

/** Which capacity was used up, where that was the reason. */
export type CapacityLimit = "node_connections" | "connections_per_address" | "app_connections";

export interface HandshakeRefusal extends ClosingRefusal {
  readonly limit?: CapacityLimit;
  /** It follows from what other nodes have told, which is not sure: {@link Capacity.isElsewhereSure}. */
  readonly isUnsure?: boolean;
}

const OLDEST_PROTOCOL = 4;
const NEWEST_PROTOCOL = 7;
/** Libraries send things like `8.4.0`, `7.0.6-beta`, `0.6.0`. */
const VERSION = /^[\w.+-]{1,64}$/;

/** The first reason, in the order of §1.6, why the client must go, or undefined when it may stay. */
export function handshakeRefusal(
  handshake: Handshake,
  app: App | undefined,
  capacity: Capacity,
): HandshakeRefusal | undefined {
  if (app === undefined) {
    const key = JSON.stringify(handshake.appKey.slice(0, 64));
    return refusal(CLOSE_CODES.unknownApp, `No app here has the key ${key}.`);
  }
  const { settings } = app;
  if (!settings.enabled) return refusal(CLOSE_CODES.appDisabled, "This app is disabled.");
  if (settings.tlsOnly && !handshake.isTls) {
    return refusal(CLOSE_CODES.tlsOnly, "This app takes TLS connections only: connect with wss.");
  }
  const clientProblem = protocolRefusal(handshake);
  if (clientProblem !== undefined) return clientProblem;
  if (!isOriginAllowed(settings.allowedOrigins, handshake.origin)) {
    const message = `The origin ${JSON.stringify(handshake.origin?.slice(0, 64) ?? "(none)")} is not allowed.`;
    return refusal(CLOSE_CODES.unauthorized, message);
  }
  if (capacity.nodeConnections >= capacity.maxNodeConnections) {
    const message = "This node is full: try again in a few seconds.";
    return { code: CLOSE_CODES.overCapacity, message, limit: "node_connections" };
  }
  if (capacity.addressConnections >= capacity.maxAddressConnections) {
    const message = "Too many connections from this address.";
    return { code: CLOSE_CODES.overCapacity, message, limit: "connections_per_address" };
  }
  return quotaRefusal(settings.limits.maxConnections, capacity);
}

function quotaRefusal(
  maxConnections: number,
  { appConnections: here, appConnectionsElsewhere: elsewhere, isElsewhereSure }: Capacity,
): HandshakeRefusal | undefined {
  if (here + elsewhere < maxConnections) return undefined;
  const limit = "app_connections";
  if (here < maxConnections && !isElsewhereSure) {
    // Clients stay away after 4004: those of a node that is gone would be lost, who only have to come again.
    const message = "The app seems to have all its connections: try again in a few seconds.";
    return { code: CLOSE_CODES.overCapacity, message, limit, isUnsure: true };
  }
  const message = "The app has as many connections as it is allowed.";
  return { code: CLOSE_CODES.overQuota, message, limit };
}

function protocolRefusal({ protocol, version }: Handshake): ClosingRefusal | undefined {
  if (protocol === undefined || protocol === "") {
    const message = "The protocol query parameter is missing: use protocol=7.";
    return refusal(CLOSE_CODES.noProtocol, message);
  }
  const number = /^\d{1,3}$/.test(protocol) ? Number(protocol) : Number.NaN;
  if (!(number >= OLDEST_PROTOCOL && number <= NEWEST_PROTOCOL)) {
    const found = JSON.stringify(protocol.slice(0, 16));
    const message = `Protocol ${found} is not supported: use ${OLDEST_PROTOCOL} to ${NEWEST_PROTOCOL}.`;
    return refusal(CLOSE_CODES.unsupportedProtocol, message);
  }
  if (version !== undefined && version !== "" && !VERSION.test(version)) {
    const message = `The version ${JSON.stringify(version.slice(0, 32))} is malformed.`;
    return refusal(CLOSE_CODES.badVersion, message);
  }
  return undefined;
}

function refusal(code: CloseCode, message: string): ClosingRefusal {
  return { code, message };
}
