/** Parent types of the resolvers of the SDL of scouts. */
import type { EndScoutingResult } from '../scouts/scouting-commands.service.js';
import type {
  StoredScoutAmount,
  StoredScoutResult,
  StoredScoutShape,
  StoredUse,
} from '../scouts/scouts.types.js';
import type { TaskFacts } from '../task.document.js';

/** The task that has the scouts. */
export type TaskScoutsMapper = TaskFacts;
export type ScoutResultMapper = StoredScoutResult;
export type ScoutedShapeMapper = StoredScoutShape;
export type ScoutedAmountMapper = StoredScoutAmount;
export type ScoutUseMapper = StoredUse;
export type EndScoutingPayloadMapper = EndScoutingResult;
