import { type GraphQLNamedType, type GraphQLOutputType, isListType, isNonNullType } from 'graphql';
import type { AnswerField, AnswerSelection } from './collect.js';
import type { EngineError } from './errors.js';
import { isPlainObject } from './merge.js';
import type { DataObject, ResponsePath } from './path.js';

/**
 * The errors of an answer without those that leave the same null as one before them: a null is told with one error, as
 * the specification has it. The first is kept, so put those first that say more.
 */
export function onePerNull(
  errors: readonly EngineError[],
  selection: AnswerSelection,
  data: DataObject,
): EngineError[] {
  if (errors.length < 2) return [...errors];
  const told = new Set<string>();
  return errors.filter(({ path }) => {
    if (!path) return true;
    const { place, isExact } = nullOf(path, selection, data);
    const key = JSON.stringify(place);
    if (isExact && told.has(key)) return false;
    told.add(key);
    return true;
  });
}

/** The null that an error leaves. */
interface LeftNull {
  /** The error's own place, or the nearest one above that may be null. */
  readonly place: ResponsePath;
  /** False where the path leads into what a service has nulled and its types are not known: there may be others below. */
  readonly isExact: boolean;
}

function nullOf(path: ResponsePath, selection: AnswerSelection, data: DataObject): LeftNull {
  let length = 0;
  let value: unknown = data;
  let type: GraphQLOutputType | undefined;
  let current: AnswerSelection | undefined = selection;
  for (const [index, step] of path.entries()) {
    if (typeof step === 'number') {
      const list: GraphQLOutputType | undefined = type && withoutNonNull(type);
      type = list && isListType(list) ? list.ofType : undefined;
      value = Array.isArray(value) ? (value as unknown[])[step] : undefined;
    } else {
      const owner: DataObject | undefined = isPlainObject(value) ? value : undefined;
      const field: AnswerField | undefined = fieldAt(current, owner, step);
      type = field?.type;
      value = owner?.[step];
      current = field?.selection;
    }
    if (!type) return { place: path.slice(0, length), isExact: false };
    if (!isNonNullType(type)) length = index + 1;
  }
  return { place: path.slice(0, length), isExact: true };
}

function fieldAt(
  selection: AnswerSelection | undefined,
  owner: DataObject | undefined,
  key: string,
): AnswerField | undefined {
  const type: GraphQLNamedType | undefined = selection?.typeOf(owner?.['__typename']);
  return type && selection?.fieldsOf(type).find((field) => field.key === key);
}

function withoutNonNull(type: GraphQLOutputType): GraphQLOutputType {
  return isNonNullType(type) ? type.ofType : type;
}
