/**
 * Lists whose items are promises, made safe for compiled operations: the compiler puts the null of an item that fails behind what is there
 * already instead of in its own place, so that a list with failed items came out too long, too short, or in another order. Where all items
 * are settled before the list is handed out, every null has its place.
 */
import { type GraphQLField, isListType, isNonNullType } from 'graphql';

type Resolve = NonNullable<GraphQLField<unknown, unknown>['resolve']>;

/** Makes a field of a list hand out settled items; an item that failed is an Error. Other fields are left as they are. */
export function settleLists(field: GraphQLField<unknown, unknown>): void {
  const type = isNonNullType(field.type) ? field.type.ofType : field.type;
  const { resolve } = field;
  if (!isListType(type) || !resolve) return;
  const settled: Resolve = (...call) => {
    const result: unknown = resolve(...call);
    return isPromise(result) ? result.then(settle) : settle(result);
  };
  field.resolve = settled;
}

function settle(list: unknown): unknown {
  if (!Array.isArray(list) || !list.some(isPromise)) return list;
  return Promise.all(
    list.map((item: unknown) => (isPromise(item) ? item.then((value) => value, asError) : item)),
  );
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}
