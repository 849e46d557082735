/** Parent types of the streams of work units. */
import type { CompletedUnit, UnitCompletionDocument } from '../../units/blocks/unit-completion.document.js';
import type { DocumentChange } from '../hub/document-changes.js';
import type { WorkPoolChange } from '../progress/pool-stream.js';

export type WorkPoolChangedMapper = WorkPoolChange;
export type WorkUnitCompletedMapper = DocumentChange<UnitCompletionDocument>;
export type WorkUnitCompletedEventMapper = UnitCompletionDocument;

/** A completed unit with its block. */
export interface CompletedWorkUnitMapper extends CompletedUnit {
  readonly blockId: string;
}
