/** Context of Rubin's resolvers. */
import type { Submissions } from '@rhizome/experiment';
import type { SubgraphContext } from '@rhizome/subgraph';
import type { Campaigns } from './campaign/campaigns.js';
import type { QuantaRepository } from './quanta.repository.js';
import type { WorkflowContent } from './workflow.js';
import type { WorkflowDocument } from './workflow.document.js';

/** The context of one operation, or of one event of a stream. */
export interface Context extends SubgraphContext {
  readonly workflows: Submissions<WorkflowDocument, WorkflowContent>;
  readonly quanta: QuantaRepository;
  readonly campaigns: Campaigns;
}
