import { type GraphQLOutputType, isListType, isNonNullType } from 'graphql';
import type { AnswerField, AnswerSelection } from './collect.js';
import type { EngineError } from './errors.js';
import { isPlainObject } from './merge.js';
import { type DataObject, type ResponsePath, valueAt } from './path.js';

/**
 * Removes errors that cause the same null as an earlier one: a null is reported with one error, as
 * the specification requires. The first error is kept, so put the more specific ones first.
 */
export function dedupeNullErrors(
  errors: readonly EngineError[],
  selection: AnswerSelection,
  data: DataObject,
): EngineError[] {
  if (errors.length < 2) return [...errors];
  const reported = new Set<string>();
  return errors.filter(({ path }) => {
    if (!path) return true;
    const { path: place, isExact } = nullOf(path, selection, data);
    const key = JSON.stringify(place);
    if (isExact && reported.has(key)) return false;
    reported.add(key);
    return true;
  });
}

/** The null that an error causes. */
interface RemainingNull {
  /** Path of the error, or the nearest nullable one above it. */
  readonly path: ResponsePath;
  /** False if the path leads to a field that was not selected: there may be other nulls below. */
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
      // Fields of one key agree on nullability, whatever objects they belong to.
      type = fields[0]?.type;
      selections = fields.flatMap((field) => field.selection ?? []);
      value = owner && valueAt(owner, step);
    }
    if (!type) return { path: path.slice(0, length), isExact: false };
    if (!isNonNullType(type)) length = index + 1;
  }
  return { path: path.slice(0, length), isExact: true };
}

/** Fields of a key at an object, or, if a subgraph has nulled it, at all objects that are possible there. */
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
