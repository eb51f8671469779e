/**
 * For `node --import`, behind tsx: modules of src/ are taken from dist/, compiled as they are published. What tsx
 * makes of them names each closure anew whenever it is made, which costs a third of the time.
 */
import { register } from "node:module";

register(new URL("built-modules-hooks.mjs", import.meta.url));
