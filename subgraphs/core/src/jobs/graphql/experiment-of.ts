import { DomainError } from '@rhizome/errors';
import type { Context } from '../../context.js';
import type { ExperimentDocument } from '../../experiments/experiment.document.js';
import { experimentEntity } from '../../experiments/graphql/resolvers.js';

/** The experiment of something that cannot be without one. @throws DomainError EXPERIMENT_NOT_FOUND */
export async function experimentNamed(name: string, { loaders }: Context): Promise<ExperimentDocument> {
  const found = await loaders.load(experimentEntity.loader, name);
  if (found) return found;
  throw new DomainError('EXPERIMENT_NOT_FOUND', `experiment ${name} is not registered any more`, {
    value: name,
  });
}
