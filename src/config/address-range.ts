/** Ranges of IP addresses as they are configured: `10.0.0.0/8`, `fd00::/8`, or one address. */
import { isIP } from "node:net";

export function isCidr(range: string): boolean {
  const [address = "", bits, ...rest] = range.split("/");
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return (
    bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
  );
}

/** One address is the range of itself. */
export function tidyCidr(range: string): string {
  if (range.includes("/")) return range;
  return `${range}/${isIP(range) === 6 ? 128 : 32}`;
}
