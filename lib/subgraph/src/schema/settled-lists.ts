/**
 * Settles the items of lists for compiled operations: the compiler appends the null of a rejected item to the
 * items that are available already instead of writing it at its index, so that a list with failed items is
 * too long, too short, or in another order. If all items are settled before the list is returned, every null
 * is at its index.
 */
import { type GraphQLField, isListType, isNonNullType } from 'graphql';

type Resolve = NonNullable<GraphQLField<unknown, unknown>['resolve']>;

/** Makes a list field return settled items; a failed item is an Error. Other fields are unchanged. */
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
  return Array.isArray(list) && list.some(isPromise) ? settleItems([...(list as unknown[])], asItIs) : list;
}

function asItIs(item: unknown): unknown {
  return item;
}

/**
 * Replaces the items of a list by the result of a function once they are available; a failed item is an
 * Error. Returns the list itself: synchronously if no item is a promise, else when the last one is settled.
 */
export function settleItems(
  list: unknown[],
  make: (item: unknown, index: number) => unknown,
): unknown[] | Promise<unknown[]> {
  let waiting = 1;
  let done: ((list: unknown[]) => void) | undefined;
  const landed = (): void => {
    waiting -= 1;
    if (waiting === 0) done?.(list);
  };
  const take = (item: unknown, index: number): void => {
    try {
      list[index] = make(item, index);
    } catch (error) {
      list[index] = asError(error);
    }
  };
  for (let index = 0; index < list.length; index++) {
    const item = list[index];
    if (!isPromise(item)) {
      take(item, index);
      continue;
    }
    waiting += 1;
    item.then(
      (value) => {
        take(value, index);
        landed();
      },
      (reason: unknown) => {
        list[index] = asError(reason);
        landed();
      },
    );
  }
  if (waiting === 1) return list;
  return new Promise((resolve) => {
    done = resolve;
    landed();
  });
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}
