/** What stands behind the types of the SDL. */
import type { DocumentChange, JobPlace, JobRepresentation } from '@rhizome/experiment';
import type { KeysetPage, PositionsPage } from '@rhizome/mongo';
import type { Quantum, WorkflowDocument } from './workflow.document.js';

export type JobMapper = JobRepresentation;
export type RubinJobMapper = JobPlace<WorkflowDocument>;
export type RubinQuantumMapper = Quantum;
export type RubinWorkflowMapper = WorkflowDocument;
export type RubinQuantumConnectionMapper = PositionsPage<Quantum>;
export type RubinWorkflowConnectionMapper = KeysetPage<WorkflowDocument>;
export type RubinWorkflowChangedMapper = DocumentChange;
export type RubinWorkflowEventMapper = { readonly id: string };
/** Its fields are asked for one by one. */
export type RubinQueryMapper = Record<string, never>;
