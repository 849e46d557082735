import { catalogue, type CatalogueEntry, type ErrorCode } from './catalogue.js';

declare const definedCode: unique symbol;

/** A code that an experiment registered with `defineErrors`. */
export type DefinedCode<C extends string = string> = C & { readonly [definedCode]: true };

/** Every code that a DomainError may carry. */
export type AnyErrorCode = ErrorCode | DefinedCode;

// One registry a process, also when two copies of this package are loaded.
const registryKey = Symbol.for('rhizome.errors.registry');
const holder = globalThis as { [registryKey]?: Map<string, CatalogueEntry> };
const registry: Map<string, CatalogueEntry> = (holder[registryKey] ??= new Map<string, CatalogueEntry>());

type Defined<P extends string, E extends Record<string, CatalogueEntry>> = {
  readonly [K in keyof E & string as `${P}_${K}`]: DefinedCode<`${P}_${K}`>;
};

const wellFormed = /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/;

function register(code: string, entry: CatalogueEntry): void {
  if (!wellFormed.test(code)) throw new TypeError(`error code ${code} is not SCREAMING_SNAKE_CASE`);
  if (Object.hasOwn(catalogue, code)) throw new TypeError(`error code ${code} is in the catalogue already`);
  const earlier = registry.get(code);
  if (earlier && JSON.stringify(earlier) !== JSON.stringify(entry)) {
    throw new TypeError(`error code ${code} was defined before with another meaning`);
  }
  registry.set(code, Object.freeze({ ...entry }));
}

/**
 * Registers an experiment's own codes under its prefix: `defineErrors('DELTA', { RUN_UNKNOWN: … })` gives
 * `{ DELTA_RUN_UNKNOWN }`, whose values `new DomainError(…)` takes. Defining the same again is harmless.
 * @throws TypeError when a code is not SCREAMING_SNAKE_CASE, is in the catalogue, or has another meaning
 *   already.
 */
export function defineErrors<const P extends string, const E extends Record<string, CatalogueEntry>>(
  prefix: P,
  entries: E,
): Defined<P, E> {
  const codes: Record<string, string> = {};
  for (const [name, entry] of Object.entries(entries)) {
    const code = `${prefix}_${name}`;
    register(code, entry);
    codes[code] = code;
  }
  return Object.freeze(codes) as Defined<P, E>;
}

/** Properties of a code of the catalogue or of an experiment; undefined for any other text. */
export function lookUp(code: string): CatalogueEntry | undefined {
  if (Object.hasOwn(catalogue, code)) return catalogue[code as ErrorCode];
  return registry.get(code);
}
