/** Dry runs: why a job with given requirements would wait, without submitting it. */
import { InputErrors } from '@rhizome/errors';
import { assertCan, type Principal } from '@rhizome/authz';
import type { RequestedRequirements } from './job-explainer.js';
import type { ExplanationCaller } from './explanations.js';
import type { PendingFacts } from './pending.types.js';
import type { ExperimentFacts, QueueDirectory } from '../../jobs/ports.js';
import { checkRequirements } from '../../jobs/submit/job-input.js';
import { normaliseRequirements } from '../../jobs/submit/normalise.js';
import { type CheckSelector, requirementChecks } from '../../jobs/submit/requirement-checks.js';
import { shareOf } from '../../jobs/submit/submit.service.js';
import type { RequirementsSpec } from '../../jobs/submit/submit.types.js';
import type {
  JobInputErrors,
  JobInputError,
  JobInputErrorCode,
} from '../../jobs/submit/job-input-error.types.js';

/** Input of a dry run. */
export interface ExplainInput {
  readonly experiment: string;
  readonly share?: string | null | undefined;
  readonly priority?: number | null | undefined;
  readonly requirements?: RequirementsSpec | null | undefined;
}

/** The explanation, or the errors for which a submit would reject the requirements. */
export interface Explained {
  readonly pending: PendingFacts | null;
  readonly userErrors: readonly JobInputError[];
}

/**
 * @throws DomainError FORBIDDEN if the caller may not read shares of the experiment, because the answer shows
 * their usage
 */
export type Explain = (
  principal: Principal,
  input: ExplainInput,
  caller: ExplanationCaller,
) => Promise<Explained>;

export interface ExplainOptions {
  readonly experiment: (name: string) => Promise<ExperimentFacts | null>;
  readonly queues: QueueDirectory;
  readonly checkSelector: CheckSelector;
  readonly explain: (
    requested: RequestedRequirements,
    input: ExplainInput,
    caller: ExplanationCaller,
  ) => Promise<PendingFacts>;
}

/** Creates {@link Explain}. Input is checked by the rules of submit. */
export function explainer({ experiment: find, queues, checkSelector, explain }: ExplainOptions): Explain {
  return async (principal, input, caller) => {
    assertCan(principal, 'share:read', input.experiment);
    const errors = new InputErrors<JobInputErrorCode>();
    const experiment = await find(input.experiment);
    if (!experiment)
      errors.add(['experiment'], input.experiment, 'a registered experiment', 'EXPERIMENT_NOT_FOUND');
    const requirements = input.requirements ?? {};
    const checks = await requirementChecks({ queues, checkSelector }, experiment, [requirements]);
    checkRequirements(requirements, ['requirements'], errors, checks);
    errors.int(['priority'], input.priority ?? 0, -1000, 1000);
    const share = experiment && shareFor(experiment, input.share, errors);
    if (!share || !errors.isEmpty) return { pending: null, userErrors: errors.all };
    const requested = {
      requirements: normaliseRequirements(requirements),
      share,
      priority: input.priority ?? 0,
    };
    return { pending: await explain(requested, input, caller), userErrors: [] };
  };
}

function shareFor(
  experiment: ExperimentFacts,
  given: string | null | undefined,
  errors: JobInputErrors,
): string | undefined {
  if (given == null) return experiment.shares[0];
  const path = shareOf(given, experiment);
  if (experiment.shares.includes(path)) return path;
  errors.add(
    ['share'],
    given,
    `a share of ${experiment.name}: ${experiment.shares.join(', ')}`,
    'SHARE_NOT_FOUND',
  );
  return undefined;
}
