import { type GraphQLOutputType, isListType, isNonNullType } from 'graphql';
import type { AnswerField, AnswerSelection } from './collect.js';
import type { EngineError } from './errors.js';
import { isPlainObject } from './merge.js';
import { type DataObject, type ResponsePath, valueAt } from './path.js';

/**
 * The errors of an answer without those that leave the same null as an earlier one: a null is reported with one error, as
 * the specification has it. The first is kept, so put those first that say more.
 */
export function dedupeNullErrors(
  errors: readonly EngineError[],
  selection: AnswerSelection,
  data: DataObject,
): EngineError[] {
  if (errors.length < 2) return [...errors];
  const told = new Set<string>();
  return errors.filter(({ path }) => {
    if (!path) return true;
    const { path: place, isExact } = nullOf(path, selection, data);
    const key = JSON.stringify(place);
    if (isExact && told.has(key)) return false;
    told.add(key);
    return true;
  });
}

/** The null that an error leaves. */
interface RemainingNull {
  /** The error's own place, or the nearest one above that may be null. */
  readonly path: ResponsePath;
  /** False where the path leads to what was not asked for: there may be other nulls below. */
  readonly isExact: boolean;
}

function nullOf(path: ResponsePath, selection: AnswerSelection, data: DataObject): RemainingNull {
  let length = 0;
  let value: unknown = data;
  let type: GraphQLOutputType | undefined;
  let selections: readonly AnswerSelection[] = [selection];
  for (const [index, step] of path.entries()) {
    if (typeof step === 'number') {
      const list: GraphQLOutputType | undefined = type && withoutNonNull(type);
      type = list && isListType(list) ? list.ofType : undefined;
      value = Array.isArray(value) ? (value as unknown[])[step] : undefined;
    } else {
      const owner: DataObject | undefined = isPlainObject(value) ? value : undefined;
      const fields = fieldsAt(selections, owner, step);
      // Fields of one key agree on what may be null, whatever objects they are of.
      type = fields[0]?.type;
      selections = fields.flatMap((field) => field.selection ?? []);
      value = owner && valueAt(owner, step);
    }
    if (!type) return { path: path.slice(0, length), isExact: false };
    if (!isNonNullType(type)) length = index + 1;
  }
  return { path: path.slice(0, length), isExact: true };
}

/** The fields of a key at an object, or, where a service has nulled it, at all objects that could have been there. */
function fieldsAt(
  selections: readonly AnswerSelection[],
  owner: DataObject | undefined,
  key: string,
): AnswerField[] {
  const typename = owner?.['__typename'];
  return selections.flatMap((selection) => {
    const known = typename === undefined ? undefined : selection.typeOf(typename);
    const types = known ? [known] : selection.possibleTypes();
    return types.flatMap((type) => selection.fieldsOf(type).find((field) => field.key === key) ?? []);
  });
}

function withoutNonNull(type: GraphQLOutputType): GraphQLOutputType {
  return isNonNullType(type) ? type.ofType : type;
}
