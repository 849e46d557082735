import { DomainError } from '@rhizome/errors';
import type { Context } from '../../context.js';
import type { ExperimentDocument } from '../../experiments/experiment.document.js';
import { experimentEntity } from '../../experiments/graphql/resolvers.js';

/** Experiment of an entity that always has one. @throws DomainError EXPERIMENT_NOT_FOUND */
export async function experimentNamed(name: string, { loaders }: Context): Promise<ExperimentDocument> {
  const found = await loaders.load(experimentEntity.loader, name);
  if (found) return found;
  throw new DomainError('EXPERIMENT_NOT_FOUND', `Experiment "${name}" not found.`, {
    value: name,
  });
}
