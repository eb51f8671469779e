/** IPv4 addresses inside of IPv6 ones: what such an address leads to once a translator or a tunnel has taken it. */
import { isIP } from "node:net";

/** The IPv4 address that `::ffff:a.b.c.d`, in whatever notation, only writes otherwise. */
export function mappedIpv4(address: string): string | undefined {
  const [a, b, c, d, e, f, high = 0, low = 0] = groupsOf(address);
  const isMapped = [a, b, c, d, e].every((group) => group === 0) && f === 0xffff;
  return isMapped ? dotted(high >> 8, high, low >> 8, low) : undefined;
}

/**
 * Where an IPv6 address may lead by NAT64 (RFC 6052; 64:ff9b:1::/48 of RFC 8215 with prefixes of any length), by
 * 6to4, and as an IPv4-translated or IPv4-compatible one. Of text that is no IPv6 address: nowhere.
 */
export function embeddedIpv4(address: string): readonly string[] {
  const groups = groupsOf(address);
  const [a = -1, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = groups;
  const last = dotted(g >> 8, g, h >> 8, h);
  if (a === 0x2002) return [dotted(b >> 8, b, c >> 8, c)];
  if (a === 0x64 && b === 0xff9b && c === 1) {
    return [
      dotted(d >> 8, d, e, f >> 8),
      dotted(d, e, f >> 8, f),
      dotted(e, f >> 8, f, g >> 8),
      last,
    ];
  }
  const prefix = groups.slice(0, 6).map((group) => group.toString(16));
  return PREFIXES_OF_96.has(prefix.join(":")) ? [last] : [];
}

const PREFIXES_OF_96: ReadonlySet<string> = new Set([
  "64:ff9b:0:0:0:0",
  "0:0:0:0:ffff:0",
  "0:0:0:0:0:0",
]);

/** Of each the lowest eight bits. */
function dotted(...bytes: readonly number[]): string {
  return bytes.map((byte) => byte & 0xff).join(".");
}

/** The eight groups, without the zone; none of text that is no IPv6 address. */
function groupsOf(address: string): readonly number[] {
  if (isIP(address) !== 6) return [];
  const plain = address.replace(/%.*$/, "").replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, hexGroups);
  const [left = "", right] = plain.split("::");
  const head = split(left);
  const tail = split(right ?? "");
  const zeros = new Array<string>(8 - head.length - tail.length).fill("0");
  return [...head, ...zeros, ...tail].map((group) => Number.parseInt(group, 16));
}

function hexGroups(_: string, ...bytes: readonly string[]): string {
  const [a = 0, b = 0, c = 0, d = 0] = bytes.slice(0, 4).map(Number);
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}

function split(groups: string): string[] {
  return groups === "" ? [] : groups.split(":");
}
