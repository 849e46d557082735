/** Runs nodes of the workflow of a submission again. */
import type { ApiClient } from '@rhizome/client';
import { digestOf } from '@rhizome/digest';
import type { InputFault } from '../input/experiment-input-errors.js';
import { ExperimentRetryWorkflowDocument, type RetryRequirementsInput } from '../operations.generated.js';
import { asked, attemptOptions, inOwnTerms, type PathRule } from './core-task.js';
import type { SubmissionErrorCode } from './error-codes.js';
import type { SubmissionDocument } from './submission.document.js';

/** A retry. */
export interface RetryRequest {
  /** Subject of the caller, to which keys belong. */
  readonly subject: string;
  /** The same key with the same content changes nothing. */
  readonly idempotencyKey: string;
  /** Names of ended nodes, with which everything runs again that depends on them. */
  readonly nodes?: readonly string[] | undefined;
  readonly requirements?: RetryRequirementsInput | undefined;
}

const notRepeated = 'The retry may not have begun, and is not repeated; call again with the same key.';

/**
 * Retries in core. @returns the errors because of which core refused it
 * @throws DomainError SERVICE_UNAVAILABLE, FORBIDDEN
 */
export async function retryInCore(
  { core, pathRules }: { readonly core: ApiClient; readonly pathRules: readonly PathRule[] },
  { workflowId }: Pick<SubmissionDocument, 'workflowId'>,
  { subject, idempotencyKey, nodes, requirements }: RetryRequest,
): Promise<readonly InputFault<SubmissionErrorCode>[]> {
  if (workflowId === undefined) throw new Error('a retry of a submission that core does not have');
  const key = digestOf({ subject, idempotencyKey });
  const input = {
    // To core, all callers are the experiment.
    ...{ workflowId, idempotencyKey: key },
    ...(nodes ? { nodes: [...nodes] } : {}),
    ...(requirements ? { requirements } : {}),
  };
  const { retryWorkflow } = await asked(
    () => core.mutate(ExperimentRetryWorkflowDocument, { input }, { idempotent: true, ...attemptOptions }),
    notRepeated,
  );
  return retryWorkflow.userErrors.map(({ message, ...error }) =>
    inOwnTerms({ ...error, message: message.replace(key, idempotencyKey) }, pathRules),
  );
}
