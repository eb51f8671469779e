/** A snapshot of a heap as V8 writes it, summed up by kind of object. */

export interface KindOfObject {
  /** `Connection`, `string`, `array (Map)`: the constructor's name, or the type where there is none. */
  readonly kind: string;
  readonly count: number;
  /** Of the objects themselves, not of what they refer to. */
  readonly bytes: number;
}

interface SnapshotText {
  readonly snapshot: {
    readonly meta: {
      readonly node_fields: readonly string[];
      readonly node_types: readonly (readonly string[] | string)[];
    };
  };
  readonly nodes: readonly number[];
  readonly strings: readonly string[];
}

/** Types whose names are contents, not kinds. */
const NAMELESS = new Set(["string", "concatenated string", "sliced string", "number", "code"]);

export function readSnapshot(text: string): ReadonlyMap<string, KindOfObject> {
  const { snapshot, nodes, strings } = JSON.parse(text) as SnapshotText;
  const { node_fields: fields, node_types: types } = snapshot.meta;
  const [type, name, size] = ["type", "name", "self_size"].map((field) => fields.indexOf(field));
  const typeNames = types[type ?? 0];
  const kinds = new Map<string, KindOfObject>();
  for (let at = 0; at < nodes.length; at += fields.length) {
    const typeName = String(typeNames?.[nodes[at + (type ?? 0)] ?? 0]);
    const ownName = strings[nodes[at + (name ?? 0)] ?? 0] ?? "";
    const kind = NAMELESS.has(typeName) ? typeName : `${ownName || typeName}`;
    const known = kinds.get(kind);
    const bytes = (known?.bytes ?? 0) + (nodes[at + (size ?? 0)] ?? 0);
    kinds.set(kind, { kind, count: (known?.count ?? 0) + 1, bytes });
  }
  return kinds;
}

/** What `after` has more than `before`, most bytes first. */
export function growthByKind(
  before: ReadonlyMap<string, KindOfObject>,
  after: ReadonlyMap<string, KindOfObject>,
): readonly KindOfObject[] {
  return [...after.values()]
    .map(({ kind, count, bytes }) => ({
      kind,
      count: count - (before.get(kind)?.count ?? 0),
      bytes: bytes - (before.get(kind)?.bytes ?? 0),
    }))
    .filter(({ bytes }) => bytes !== 0)
    .toSorted((a, b) => b.bytes - a.bytes);
}
