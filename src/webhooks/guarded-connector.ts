/**
 * Connects to receivers after a look at the address that is really connected to: the name is resolved here,
 * checked, and the very address that passed is used, so that a name which changes its answer gains nothing.
 */
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { buildConnector } from "undici";
import type { EndpointTls, PemSource } from "../apps/app.ts";
import { type AddressPolicy, TargetRefusedError } from "./address-policy.ts";
import type { Resolve } from "./name-lookups.ts";

/**
 * One refused address among those of a name refuses the name. Throws when a file that `tls` names cannot be
 * read: it is read here, once.
 */
export function createGuardedConnector(
  policy: AddressPolicy,
  resolve: Resolve,
  timeoutMs: number,
  tls: EndpointTls | undefined,
): buildConnector.connector {
  const guardedResolve: Resolve = (hostname, options, done) => {
    resolve(hostname, options, (error, found, family) => {
      // With an error there is nothing else in the call, whatever its type says.
      if (error) return done(error, "");
      const addresses = typeof found === "string" ? [found] : found.map(({ address }) => address);
      const refused = addresses.find((address) => policy.isRefused(address, hostname));
      if (refused === undefined) done(null, found, family);
      else done(new TargetRefusedError(refused), "");
    });
  };
  const connect = buildConnector({
    timeout: timeoutMs,
    keepAlive: true,
    lookup: guardedResolve,
    ...(tls && tlsOptions(tls)),
  });
  return (options, done) => {
    // A literal address is connected to without a look-up.
    const host = options.hostname.replace(/^\[|\]$/g, "");
    if (isIP(host) !== 0 && policy.isRefused(host, host)) done(new TargetRefusedError(host), null);
    else connect(options, done);
  };
}

function tlsOptions({ ca, certificate, key }: EndpointTls) {
  return {
    ...(ca && { ca: pem(ca) }),
    ...(certificate && { cert: pem(certificate) }),
    ...(key && { key: pem(key) }),
  };
}

function pem(source: PemSource): string {
  return "pem" in source ? source.pem : readFileSync(source.file, "utf8");
}
