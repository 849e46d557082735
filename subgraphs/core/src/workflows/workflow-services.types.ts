/** Services of workflows for resolvers. Types only. */
import type { WorkflowClones } from './clone/workflow-clone.service.js';
import type { WorkflowCommands } from './control/workflow-commands.service.js';
import type { WorkflowRetries } from './control/workflow-retries.service.js';
import type { NodeAdditions } from './grow/node-additions.service.js';
import type { WorkflowParts } from './parts/workflow-parts.service.js';
import type { WorkflowSeals } from './parts/workflow-seal.service.js';
import type { WorkflowSubmits } from './submit/workflow-submit.service.js';
import type { LabelLayers } from './views/label-layers.js';
import type { NodeFiles } from './views/node-files.js';
import type { Workflows } from './views/workflows.service.js';

/** Services of workflows. */
export interface WorkflowServices {
  readonly submits: WorkflowSubmits;
  readonly parts: WorkflowParts;
  readonly seals: WorkflowSeals;
  readonly commands: WorkflowCommands;
  readonly retries: WorkflowRetries;
  readonly additions: NodeAdditions;
  readonly clones: WorkflowClones;
  readonly views: Workflows;
  readonly labelLayers: LabelLayers;
  readonly files: NodeFiles;
}
