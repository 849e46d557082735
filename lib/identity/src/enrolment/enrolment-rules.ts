/** Rules that invitations, requests and decisions share. */
import type { InputErrors } from '@rhizome/errors';
import { checkExperiment } from '../experiment-name.js';

/** Time after which an enrolment ends that was not renewed. */
export const enrolledForMs = 30 * 86_400_000;
/** Time for a decision about a request. */
export const pendingForMs = 3_600_000;
/** Form of the name of a queue. */
export const queueName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** Collects the errors of the experiments whose jobs workers run. */
export function checkExperiments(
  experiments: readonly string[],
  errors: Pick<InputErrors, 'form' | 'list'>,
): void {
  errors.list(['experiments'], experiments, 200, 1);
  experiments.forEach((name, at) => checkExperiment(['experiments', at], name, errors));
}
