/** What must be known of selectors and queues to check requirements; asked for once for all jobs of a call. */
import type { QueueDirectory } from '../ports.js';
import type { RequirementsSpec } from './submit.types.js';

/** Answers whether a selector can be used, and if not, why. */
export type CheckSelector = (
  text: string,
) => { readonly ok: true } | { readonly ok?: false; readonly message: string };

/** The rules that need more than the words of a requirement. */
export interface RequirementChecks {
  readonly selector: CheckSelector;
  /** What would be right in the place of a queue's name; undefined where the queue can be used. */
  readonly queue: (name: string) => string | undefined;
}

/**
 * The checks for jobs of an experiment.
 * @param experiment null where there is none of the name: then its queues are not asked for
 */
export async function requirementChecks(
  { queues, checkSelector }: { readonly queues: QueueDirectory; readonly checkSelector: CheckSelector },
  experiment: string | null,
  specs: Iterable<RequirementsSpec | null | undefined>,
): Promise<RequirementChecks> {
  const names = new Set<string>();
  for (const spec of specs) if (spec?.queue != null) names.add(spec.queue);
  if (experiment === null || names.size === 0) return { selector: checkSelector, queue: () => undefined };
  const admitted = await queues.admitted([...names], experiment);
  const wanted = (): string => {
    const some = queues.admitting(experiment);
    const listed = some.slice(0, 10).join(', ') + (some.length > 10 ? ', …' : '');
    return `an existing queue that admits ${experiment}: ${listed === '' ? 'there is none yet' : listed}`;
  };
  return { selector: checkSelector, queue: (name) => (admitted.has(name) ? undefined : wanted()) };
}
