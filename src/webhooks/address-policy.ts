/**
 * Addresses that no webhook may go to. Always: link-local ones and the metadata services of clouds, which hand
 * out credentials to whoever asks from inside. On request: all that the internet does not route, since whoever
 * may set a webhook's url could else reach what stands beside the server.
 */
import { BlockList, isIP } from "node:net";
import { embeddedIpv4, mappedIpv4 } from "./embedded-ipv4.ts";

/** A url or an address that policy refuses; nothing was sent. */
export class TargetRefusedError extends Error {
  override readonly name = "TargetRefusedError";
  readonly code = "PIPIT_TARGET_REFUSED";
  /** `what`: an address, or a scheme. */
  constructor(what: string) {
    super(`Webhooks to ${what} are refused: see webhooks.private_targets and webhooks.https_only.`);
  }
}

export interface TargetRules {
  readonly isHttpsOnly: boolean;
  /** Refuse addresses that the internet does not route, but for the allowed. */
  readonly refusesPrivate: boolean;
  /** Ranges of addresses, and names of hosts in lower case. Nothing of them opens what is always refused. */
  readonly allowed: readonly string[];
}

export const LENIENT_RULES: TargetRules = {
  isHttpsOnly: false,
  refusesPrivate: false,
  allowed: [],
};

export interface AddressPolicy {
  /**
   * Whether `address`, an IP address without brackets to which `host` of the url has led, may not be connected
   * to. Text that is no address: false.
   */
  isRefused(address: string, host: string): boolean;
}

type Subnet = readonly [network: string, prefix: number];

const ALWAYS_REFUSED: readonly Subnet[] = [
  ["169.254.0.0", 16],
  ["fe80::", 10],
  // Metadata services outside link-local: Alibaba, Oracle, Azure, all that AWS has over IPv6, and Google.
  ["100.100.100.200", 32],
  ["192.0.0.192", 32],
  ["168.63.129.16", 32],
  ["fd00:ec2::", 32],
  ["fd20:ce::254", 128],
];

/** Of IPv4, what is not globally reachable by IANA's registry, and multicast. */
const PRIVATE: readonly Subnet[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
];

/** Of IPv6, what is global: all else is private. */
const GLOBAL_IPV6: readonly Subnet[] = [
  ["2000::", 3],
  ["64:ff9b::", 96],
];

/** Inside that, what is not, or is the way to an IPv4 address that is reached by a tunnel: Teredo, 6to4. */
const PRIVATE_IPV6: readonly Subnet[] = [
  ["2001::", 32],
  ["2001:10::", 28],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
];

export function createAddressPolicy(rules: TargetRules = LENIENT_RULES): AddressPolicy {
  const refused = blockList(ALWAYS_REFUSED);
  const priv = blockList([...PRIVATE, ...PRIVATE_IPV6]);
  const globalIpv6 = blockList(GLOBAL_IPV6);
  const isRange = (allowed: string) => isIP(allowed.replace(/\/.*/, "")) !== 0;
  const allowedRanges = blockList(rules.allowed.filter(isRange).map(subnet));
  const allowedHosts = new Set(rules.allowed.filter((allowed) => !isRange(allowed)));

  /** Of an address, and those it leads to. */
  function isPrivate(ways: readonly string[], address: string): boolean {
    if (ways.some((way) => contains(priv, way))) return true;
    return isIP(address) === 6 && !contains(globalIpv6, address);
  }

  return {
    isRefused(address, host) {
      if (isIP(address) === 0) return false;
      const plain = mappedIpv4(address) ?? address;
      const ways = [plain, ...embeddedIpv4(plain)];
      if (ways.some((way) => contains(refused, way))) return true;
      if (!rules.refusesPrivate || !isPrivate(ways, plain)) return false;
      const name = host.toLowerCase().replace(/\.$/, "");
      return !allowedHosts.has(name) && !contains(allowedRanges, address);
    },
  };
}

function subnet(range: string): Subnet {
  const [network = "", prefix] = range.split("/");
  return [network, prefix === undefined ? (isIP(network) === 4 ? 32 : 128) : Number(prefix)];
}

function blockList(subnets: readonly Subnet[]): BlockList {
  const list = new BlockList();
  for (const [network, prefix] of subnets) {
    list.addSubnet(network, prefix, isIP(network) === 4 ? "ipv4" : "ipv6");
  }
  return list;
}

/** `BlockList` reads IPv4-mapped IPv6 addresses as the IPv4 ones that they are. */
function contains(list: BlockList, address: string): boolean {
  return list.check(address, isIP(address) === 4 ? "ipv4" : "ipv6");
}
