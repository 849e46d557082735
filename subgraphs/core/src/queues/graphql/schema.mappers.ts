/** Parent types of the resolvers of this folder's SDL. */
import type { KeysetPage, PositionsPage } from '@rhizome/mongo';
import type { ExperimentLimits, QueueDocument } from '../queue.document.js';

export type QueueMapper = QueueDocument;
export type QueueExperimentLimitsMapper = ExperimentLimits;
export type QueueConnectionMapper = KeysetPage<QueueDocument> | PositionsPage<QueueDocument>;
export interface SiteMapper {
  readonly name: string;
}
