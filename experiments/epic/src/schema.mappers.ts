/** What stands behind the types of the SDL. */
import type { DocumentChange, JobPlace, JobRepresentation } from '@rhizome/experiment';
import type { KeysetPage, PositionsPage } from '@rhizome/mongo';
import type { RunDocument } from './run.document.js';

export type JobMapper = JobRepresentation;
export type EpicJobMapper = JobPlace<RunDocument>;
export type EpicRunMapper = RunDocument;
export type EpicRunConnectionMapper = KeysetPage<RunDocument>;
export type EpicRunChangedMapper = DocumentChange;
export type EpicRunEventMapper = { readonly id: string };
/** A group is a position of its run's task. */
export type EpicTimeFrameGroupMapper = JobPlace<RunDocument>;
export type EpicTimeFrameGroupConnectionMapper = PositionsPage<JobPlace<RunDocument>>;
/** Its fields are asked for one by one. */
export type EpicQueryMapper = Record<string, never>;
