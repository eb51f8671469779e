/** Who a client is when proxies stand between. Only proxies that are trusted by configuration are believed. */
import { BlockList, isIPv6 } from "node:net";

export interface TrustedProxies {
  readonly isEmpty: boolean;
  has(address: string): boolean;
}

/** `cidrs` as in `trusted_proxies`: `10.0.0.0/8`, `::1/128` or a bare address; checked by the config schema. */
export function createTrustedProxies(cidrs: readonly string[]): TrustedProxies {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address = "", bits] = cidr.split("/");
    const family = isIPv6(address) ? "ipv6" : "ipv4";
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return {
    isEmpty: cidrs.length === 0,
    has: (address) => list.check(address, isIPv6(address) ? "ipv6" : "ipv4"),
  };
}

export interface Client {
  readonly address: string;
  /** The last trusted proxy says that the client came over TLS. */
  readonly isForwardedTls: boolean;
}

/**
 * The client behind `peer`. `X-Forwarded-For` is read from its end: the first address that no trusted proxy
 * has is the client's, since whatever stands before it may be invented.
 */
export function clientOf(
  peer: string,
  forwardedFor: string,
  forwardedProto: string,
  proxies: TrustedProxies,
): Client {
  if (proxies.isEmpty || !proxies.has(peer)) return { address: peer, isForwardedTls: false };
  const chain = forwardedFor
    .split(",")
    .map((part) => withoutPort(part.trim()))
    .filter((part) => part !== "");
  let address = peer;
  for (const hop of chain.reverse()) {
    address = hop;
    if (!proxies.has(hop)) break;
  }
  const proto = forwardedProto.split(",").at(-1)?.trim().toLowerCase();
  return { address, isForwardedTls: proto === "https" || proto === "wss" };
}

/** Some proxies add the port, which is new with each connection: `1.2.3.4:567`, `[2001:db8::1]:567`. */
function withoutPort(hop: string): string {
  if (hop.startsWith("[")) return hop.slice(1, hop.indexOf("]"));
  const [address = "", port, ...more] = hop.split(":");
  return port !== undefined && more.length === 0 ? address : hop;
}

/** A peer's address as text, from its 4 or 16 bytes; IPv4 in IPv6 reads as IPv4. */
export function addressText(bytes: ArrayBuffer): string {
  const octets = new Uint8Array(bytes);
  if (octets.length === 4) return octets.join(".");
  const isMapped =
    octets.subarray(0, 10).every((b) => b === 0) && octets[10] === 255 && octets[11] === 255;
  if (isMapped) return octets.subarray(12).join(".");
  const groups: string[] = [];
  for (let i = 0; i < octets.length; i += 2) {
    groups.push((((octets[i] ?? 0) << 8) | (octets[i + 1] ?? 0)).toString(16));
  }
  return groups.join(":");
}
