/** Values behind the types of the SDL. */
import type { DocumentChange, JobPosition, JobRepresentation, NodeRun } from '@rhizome/experiment';
import type { KeysetPage, PositionsPage } from '@rhizome/mongo';
import type { FailureGroup, SiteEnds } from './campaign/answers.js';
import type { Campaign } from './campaign/campaign.js';
import type { LabelProgress, ReportRow } from './campaign/progress.js';
import type { QuantumDocument, WorkflowDocument } from './workflow.document.js';

export type JobMapper = JobRepresentation;
export type RubinJobMapper = JobPosition<WorkflowDocument>;
export type RubinQuantumMapper = QuantumDocument;
export type RubinQuantumRunMapper = NodeRun;
export type RubinWorkflowMapper = WorkflowDocument;
export type RubinLabelProgressMapper = LabelProgress;
/** With the campaign, to find its samples. */
export type RubinFailureMapper = FailureGroup & { readonly campaign: Campaign };
/** By position. */
export type RubinBlockerMapper = {
  readonly campaign: Campaign;
  readonly index: number;
  readonly blockedQuanta: number;
};
export type RubinSiteMapper = SiteEnds;
export type RubinReportMapper = { readonly rows: readonly ReportRow[] };
export type RubinQuantumConnectionMapper = PositionsPage<QuantumDocument>;
export type RubinWorkflowConnectionMapper = KeysetPage<WorkflowDocument>;
export type RubinWorkflowChangedMapper = DocumentChange;
export type RubinWorkflowEventMapper = { readonly id: string };
/** Empty: its fields are resolved one by one. */
export type RubinQueryMapper = Record<string, never>;
