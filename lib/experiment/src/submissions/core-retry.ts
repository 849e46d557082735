/** Runs nodes of the workflow of a submission again. */
import type { ApiClient } from '@rhizome/client';
import type { InputFault } from '../input/experiment-input-errors.js';
import { ExperimentRetryWorkflowDocument, type RetryRequirementsInput } from '../operations.generated.js';
import { asked, attemptOptions, inOwnTerms, type PathRule } from './core-task.js';
import type { SubmissionErrorCode } from './error-codes.js';
import type { SubmissionDocument } from './submission.document.js';

/** A retry. */
export interface RetryRequest {
  /** The same key with the same content changes nothing. */
  readonly idempotencyKey: string;
  /** Names of ended nodes, with which everything runs again that depends on them. */
  readonly nodes?: readonly string[] | undefined;
  readonly requirements?: RetryRequirementsInput | undefined;
}

/**
 * Retries in core. @returns the errors because of which core refused it
 * @throws DomainError SERVICE_UNAVAILABLE, FORBIDDEN
 */
export async function retryInCore(
  { core, pathRules }: { readonly core: ApiClient; readonly pathRules: readonly PathRule[] },
  { workflowId }: Pick<SubmissionDocument, 'workflowId'>,
  { idempotencyKey, nodes, requirements }: RetryRequest,
): Promise<readonly InputFault<SubmissionErrorCode>[]> {
  if (workflowId === undefined) throw new Error('a retry of a submission that core does not have');
  const input = {
    ...{ workflowId, idempotencyKey },
    ...(nodes ? { nodes: [...nodes] } : {}),
    ...(requirements ? { requirements } : {}),
  };
  const { retryWorkflow } = await asked(() =>
    core.mutate(ExperimentRetryWorkflowDocument, { input }, { idempotent: true, ...attemptOptions }),
  );
  return retryWorkflow.userErrors.map((error) => inOwnTerms(error, pathRules));
}
