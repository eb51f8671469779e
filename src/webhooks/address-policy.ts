/**
 * Addresses that no webhook may go to: link-local ones and the metadata services of clouds, which hand out
 * credentials to whoever asks from inside. Loopback and private ranges are allowed: receivers live there.
 */
import { BlockList, isIP } from "node:net";

/** An address that policy refuses; nothing was sent. */
export class TargetRefusedError extends Error {
  override readonly name = "TargetRefusedError";
  readonly code = "PIPIT_TARGET_REFUSED";
  constructor(address: string) {
    super(
      `Webhooks to ${address} are refused: it is a link-local address or a cloud's metadata service.`,
    );
  }
}

export interface AddressPolicy {
  /** Whether `address`, an IP address without brackets, may not be connected to. Other text: false. */
  isRefused(address: string): boolean;
}

const REFUSED_SUBNETS = [
  // The last one is how NAT64 writes the first.
  ["169.254.0.0", 16, "ipv4"],
  ["fe80::", 10, "ipv6"],
  ["64:ff9b::a9fe:0", 112, "ipv6"],
] as const;

/** Metadata services outside link-local: Alibaba, Oracle, Azure, AWS and Google over IPv6. */
const REFUSED_ADDRESSES = [
  ["100.100.100.200", "ipv4"],
  ["192.0.0.192", "ipv4"],
  ["168.63.129.16", "ipv4"],
  ["fd00:ec2::254", "ipv6"],
  ["fd20:ce::254", "ipv6"],
] as const;

/** `BlockList` reads IPv4-mapped IPv6 addresses as the IPv4 ones that they are. */
export function createAddressPolicy(): AddressPolicy {
  const refused = new BlockList();
  for (const [network, prefix, family] of REFUSED_SUBNETS) {
    refused.addSubnet(network, prefix, family);
  }
  for (const [address, family] of REFUSED_ADDRESSES) refused.addAddress(address, family);
  return {
    isRefused(address) {
      const family = isIP(address);
      return family !== 0 && refused.check(address, family === 4 ? "ipv4" : "ipv6");
    },
  };
}
