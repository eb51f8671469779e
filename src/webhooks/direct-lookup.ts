/**
 * Asks the hosts file and the DNS servers without the system's resolver, and so without its threads. It knows
 * neither search domains nor other sources of names: only good for a name that would else get no answer in time.
 */
import { type LookupAddress, promises } from "node:dns";
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";

/** The name's addresses, or none. Never rejects. */
export type LookUpDirectly = (hostname: string) => Promise<readonly LookupAddress[]>;

const HOSTS_FILE =
  process.platform === "win32" ? "C:\\Windows\\System32\\drivers\\etc\\hosts" : "/etc/hosts";

const TIMEOUT_MS = 1_000;
const TRIES = 2;

/** The servers and the file are read anew each time. */
export async function lookUpDirectly(
  hostname: string,
  hostsFile: string = HOSTS_FILE,
): Promise<readonly LookupAddress[]> {
  const listed = listedAddresses(await readFile(hostsFile, "utf8").catch(() => ""), hostname);
  // Without a dot it is no name of the DNS, but one to be completed with a search domain.
  if (listed.length > 0 || !hostname.includes(".")) return listed;
  const resolver = new promises.Resolver({ timeout: TIMEOUT_MS, tries: TRIES });
  const found = await Promise.allSettled([
    resolver.resolve4(hostname),
    resolver.resolve6(hostname),
  ]);
  return found.flatMap((each) => (each.status === "fulfilled" ? each.value.map(addressOf) : []));
}

/** What a hosts file says of a name. */
export function listedAddresses(hostsFile: string, hostname: string): readonly LookupAddress[] {
  const wanted = hostname.toLowerCase();
  return hostsFile
    .split("\n")
    .map((line) => line.replace(/#.*/, "").trim().toLowerCase().split(/\s+/))
    .filter(([address = "", ...names]) => isIP(address) !== 0 && names.includes(wanted))
    .map(([address = ""]) => addressOf(address));
}

function addressOf(address: string): LookupAddress {
  return { address, family: isIP(address) };
}
