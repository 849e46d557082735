import type { DomainError } from './domain-error.js';

/** Says what an error of a library means to a caller; undefined for any other error. */
export type ErrorTranslator = (error: unknown) => DomainError | undefined;

// One list a process, also when two copies of this package are loaded.
const listKey = Symbol.for('rhizome.errors.translators');
const holder = globalThis as { [listKey]?: Set<ErrorTranslator> };
const translators: Set<ErrorTranslator> = (holder[listKey] ??= new Set<ErrorTranslator>());

/**
 * Has `toGraphQLError` ask a translator about errors that would be masked otherwise. Registering it again is
 * harmless.
 */
export function registerErrorTranslator(translator: ErrorTranslator): void {
  translators.add(translator);
}

/** Result of the first registered translator that knows the error. */
export function translateError(error: unknown): DomainError | undefined {
  for (const translator of translators) {
    const translated = translator(error);
    if (translated) return translated;
  }
  return undefined;
}
