import { type DataObject, type ResponsePath } from '../result/path.js';
import { isPlainObject } from '../result/merge.js';
import type { Rewrite, RewriteSegment } from '../planning/plan-format.js';
import type { TypeRelations } from '../supergraph/type-relations.js';

/** A change along a path of keys and type conditions, in one form for all forms that the planner uses. */
export interface NormalRewrite {
  readonly path: readonly RewriteSegment[];
  /** `set`: the last key gets this value; `rename`: the last key gets this name. */
  readonly change: { readonly kind: 'set' | 'rename'; readonly to: string };
}

/** Reads a rewrite of the plan. Throws on a kind that the executor does not know. */
export function readRewrite(rewrite: Rewrite): NormalRewrite {
  if ('ValueSetter' in rewrite) {
    return { path: rewrite.ValueSetter.path, change: { kind: 'set', to: rewrite.ValueSetter.setValueTo } };
  }
  if ('KeyRenamer' in rewrite) {
    return { path: rewrite.KeyRenamer.path, change: { kind: 'rename', to: rewrite.KeyRenamer.renameKeyTo } };
  }
  if (rewrite.kind === 'ValueSetter')
    return { path: rewrite.path, change: { kind: 'set', to: rewrite.setValueTo } };
  throw new Error(`The plan has a rewrite of unknown kind: ${JSON.stringify(rewrite)}`);
}

/** Keys of a rewrite's path, without type conditions. */
export function keysOf(rewrite: NormalRewrite): string[] {
  return rewrite.path.flatMap((segment) => ('Key' in segment ? [segment.Key] : []));
}

/** Applies a rewrite to a value and to all items of lists along its path, in place. */
export function applyRewrite(value: unknown, rewrite: NormalRewrite, relations: TypeRelations): void {
  apply(value, rewrite, 0, relations);
}

function apply(value: unknown, rewrite: NormalRewrite, at: number, relations: TypeRelations): void {
  if (Array.isArray(value)) {
    for (const item of value) apply(item, rewrite, at, relations);
    return;
  }
  if (!isPlainObject(value)) return;
  const segment = rewrite.path[at];
  if (!segment) return;
  if ('TypenameEquals' in segment) {
    const typename = value['__typename'];
    // Without a `__typename` the subgraph was asked for one type only.
    const met =
      typeof typename !== 'string' ||
      segment.TypenameEquals.some((condition) => relations.matches(typename, condition));
    if (met) apply(value, rewrite, at + 1, relations);
  } else if (at < rewrite.path.length - 1) {
    apply(value[segment.Key], rewrite, at + 1, relations);
  } else {
    change(value, segment.Key, rewrite);
  }
}

function change(value: DataObject, key: string, rewrite: NormalRewrite): void {
  if (!(key in value)) return;
  if (rewrite.change.kind === 'set') {
    value[key] = rewrite.change.to;
  } else {
    value[rewrite.change.to] = value[key];
    delete value[key];
  }
}

/** Path of a subgraph's error after the renames of an answer. */
export function renamePath(path: ResponsePath, renames: ReadonlyMap<string, string>): ResponsePath {
  if (renames.size === 0) return path;
  return path.map((step) => (typeof step === 'string' ? (renames.get(step) ?? step) : step));
}
