import type { EngineError, FailedFetch } from './errors.js';
import { clientPath } from './response-key.js';

/**
 * The errors of an answer with one for each fetch that failed as a whole: at the first place that it left without a
 * value, with all of them in `extensions.paths` and their number in `extensions.count`. Errors that a service reports
 * for places of its own stay as they are.
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
