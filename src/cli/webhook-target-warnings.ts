/** What `pipit check` says of webhook urls with an address in them that webhooks may not go to. */
import { isIP } from "node:net";
import type { Config } from "../config/config.ts";
import { webhookSettings } from "../server-settings.ts";
import { createAddressPolicy, LENIENT_RULES } from "../webhooks/address-policy.ts";

/** One line each. A name is not looked up: what it leads to is decided whenever it is connected to. */
export function webhookTargetWarnings(config: Config): readonly string[] {
  const lenient = createAddressPolicy(LENIENT_RULES);
  const policy = createAddressPolicy(webhookSettings(config).targets);
  return config.app_manager.apps.flatMap(({ webhooks }, app) =>
    webhooks.flatMap(({ url }, at) => {
      const address = literalAddress(url);
      if (address === undefined || !policy.isRefused(address, address)) return [];
      const path = `app_manager.apps[${app}].webhooks[${at}].url`;
      const why = lenient.isRefused(address, address)
        ? "is link-local or a cloud's metadata service, where no webhook goes. Correct it"
        : 'is private, and webhooks.private_targets is "refuse". Correct it, or add it to webhooks.allowed_targets';
      return [`${path}: ${address} ${why}: nothing is delivered there.`];
    }),
  );
}

/** In the notation of URLs, which is the one that is connected to: `127.1` is 127.0.0.1. */
function literalAddress(url: string): string | undefined {
  const host = URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, "") : "";
  return isIP(host) === 0 ? undefined : host;
}
