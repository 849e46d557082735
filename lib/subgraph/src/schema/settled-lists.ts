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
  return Array.isArray(list) && list.some(isPromise) ? settleItems([...(list as unknown[])], asItIs) : list;
}

function asItIs(item: unknown): unknown {
  return item;
}

/**
 * Replaces the items of a list by what is made of each once it is there; an item that failed is an Error. Answers the list itself: at once
 * where no item is a promise, else when the last one is settled.
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
