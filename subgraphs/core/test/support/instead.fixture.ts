/** For tests: objects of which some methods are replaced. */

/** Wraps an object and replaces some of its methods; private fields stay those of the object. */
export function instead<T extends object>(target: T, changed: Partial<T>): T {
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(target)) as (keyof T & string)[];
  const methods = names.filter((name) => name !== 'constructor' && typeof target[name] === 'function');
  const bound = methods.map(
    (name) => [name, (target[name] as (...all: unknown[]) => unknown).bind(target)] as const,
  );
  return Object.assign(Object.create(target) as T, Object.fromEntries(bound), changed);
}
