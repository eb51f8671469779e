/** How a webhook endpoint is called when its configuration does not say. Source: architecture.md §5. */
import { createHash } from "node:crypto";

/**
 * The id of each webhook of one app, in their order: as configured, else a hash of the url, with an ordinal
 * where several have that url. Those with an id are counted too, so that giving one of them an id (even the
 * one that it had) renames no other.
 */
export function webhookIds(
  webhooks: readonly { readonly url: string; readonly id?: string | undefined }[],
): readonly string[] {
  const seen = new Map<string, number>();
  return webhooks.map(({ id, url }) => {
    const ordinal = (seen.get(url) ?? 0) + 1;
    seen.set(url, ordinal);
    if (id !== undefined) return id;
    const hash = createHash("sha256").update(url).digest("hex").slice(0, 16);
    return ordinal === 1 ? hash : `${hash}-${ordinal}`;
  });
}
