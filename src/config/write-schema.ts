/** `npm run schema`: writes `config.schema.json` and the tables of `docs/configuration.md`. */
import { readFileSync, writeFileSync } from "node:fs";
import { configJsonSchema } from "./json-schema.ts";
import { withReference } from "./reference.ts";

const root = new URL("../../", import.meta.url);
const page = new URL("docs/configuration.md", root);

writeFileSync(
  new URL("config.schema.json", root),
  `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`,
);
writeFileSync(page, withReference(readFileSync(page, "utf8")));
