import type { EngineError, FailedFetch } from './errors.js';
import { clientPath } from './response-key.js';

/**
 * Merges the errors of each fetch that failed as a whole into one: at the first path that it left without a
 * value, with all paths in `extensions.paths` and their number in `extensions.count`. Errors that a subgraph
 * reports at its own paths are unchanged.
 */
export function dedupeFetchErrors(errors: readonly EngineError[]): EngineError[] {
  const places = new Map<FailedFetch, NonNullable<EngineError['path']>[]>();
  for (const { fetch, path } of errors) {
    if (!fetch || !path) continue;
    const known = places.get(fetch);
    if (known) known.push(path);
    else places.set(fetch, [path]);
  }
  if (places.size === 0) return [...errors];
  return errors.flatMap((error) => {
    const paths = error.fetch && places.get(error.fetch);
    if (!error.fetch || !paths) return [error];
    if (paths[0] !== error.path) return [];
    const count = Math.max(error.fetch.paths, paths.length);
    return [
      count === 1 ? error : { ...error, facts: { ...error.facts, count, paths: paths.map(clientPath) } },
    ];
  });
}
