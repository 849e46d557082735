/** Pure rules for what a principal may do with a dataset. */
import { assertCan, can, owns, type Principal } from '@rhizome/authz';
import type { InputErrors } from '@rhizome/errors';
import type { DatasetDocument } from './dataset.document.js';

/** Code of an unknown dataset. */
export type DatasetCode = 'DATASET_NOT_FOUND';

/** True if the principal may see the dataset. Payloads, which act by the token of an attempt, see none. */
export function maySeeDataset(
  principal: Principal,
  { experiment }: Pick<DatasetDocument, 'experiment'>,
): boolean {
  return principal.attempt === undefined && can(principal, 'dataset:read', experiment);
}

/**
 * Returns the dataset if the principal may change it: its owner, and those who manage the jobs of others.
 * Adds an error if the principal does not see it.
 * @throws DomainError FORBIDDEN
 */
export function manageable(
  errors: Pick<InputErrors<DatasetCode>, 'report'>,
  principal: Principal,
  dataset: DatasetDocument | null,
  id: string,
): DatasetDocument | undefined {
  if (!dataset || !maySeeDataset(principal, dataset)) {
    errors.report(
      'DATASET_NOT_FOUND',
      ['datasetId'],
      `Dataset ${JSON.stringify(id.slice(0, 100))} not found, or you may not see it.`,
    );
    return undefined;
  }
  assertCan(principal, 'dataset:write', dataset.experiment);
  if (!owns(principal, dataset.owner)) assertCan(principal, 'job:manageAny', dataset.experiment);
  return dataset;
}
