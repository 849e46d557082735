import type { SupergraphModel } from './graph.js';

/**
 * By interface, the object types that implement it. Computed once per supergraph: operations need it at every
 * fragment.
 */
const implementers = new WeakMap<SupergraphModel, ReadonlyMap<string, readonly string[]>>();

/** Object types that may appear where this type is declared. */
export function objectTypesOf(model: SupergraphModel, typeName: string): readonly string[] {
  const type = model.types.get(typeName);
  if (!type || type.kind === 'object') return [typeName];
  if (type.kind === 'union') return [...new Set([...type.members.values()].flat())];
  return implementersIn(model).get(typeName) ?? [];
}

function implementersIn(model: SupergraphModel): ReadonlyMap<string, readonly string[]> {
  const known = implementers.get(model);
  if (known) return known;
  const found = new Map<string, string[]>();
  for (const { name, kind, interfaces } of model.types.values()) {
    if (kind !== 'object') continue;
    for (const one of interfaces) {
      const those = found.get(one);
      if (those) those.push(name);
      else found.set(one, [name]);
    }
  }
  implementers.set(model, found);
  return found;
}
