/** Values behind the types of the SDL. */
import type { DocumentChange, JobPosition, JobRepresentation } from '@rhizome/experiment';
import type { KeysetPage, PositionsPage } from '@rhizome/mongo';
import type { Quantum, WorkflowDocument } from './workflow.document.js';

export type JobMapper = JobRepresentation;
export type RubinJobMapper = JobPosition<WorkflowDocument>;
export type RubinQuantumMapper = Quantum;
export type RubinWorkflowMapper = WorkflowDocument;
export type RubinQuantumConnectionMapper = PositionsPage<Quantum>;
export type RubinWorkflowConnectionMapper = KeysetPage<WorkflowDocument>;
export type RubinWorkflowChangedMapper = DocumentChange;
export type RubinWorkflowEventMapper = { readonly id: string };
/** Empty: its fields are resolved one by one. */
export type RubinQueryMapper = Record<string, never>;
