/** Parent types of the resolvers of this folder's SDL. */
import type { PositionsPage } from '@rhizome/mongo';
import type { ExperimentDocument } from '../experiment.document.js';

export type ExperimentMapper = ExperimentDocument;
export type ExperimentConnectionMapper = PositionsPage<ExperimentDocument>;
