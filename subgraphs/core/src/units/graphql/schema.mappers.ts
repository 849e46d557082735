/** Parent types of the resolvers of work units. */
import type { KeysetPage } from '@rhizome/mongo';
import type { UnitEnd, UnitError, UnitLease } from '../blocks/unit.types.js';
import type { PoolDocument, PoolSettings } from '../pools/pool.document.js';
import type { PoolTotals } from '../pools/pools.service.js';
import type { HourRow } from '../pools/unit-totals.repository.js';
import type { UnitPage, UnitView } from '../pools/unit-views.service.js';
import type { UnitAssignment } from '../reports/unit-reports.service.js';

export type WorkPoolMapper = PoolDocument;
export type WorkPoolConnectionMapper = KeysetPage<PoolDocument>;
export type WorkPoolSettingsMapper = PoolSettings;
export type WorkUnitCountsMapper = PoolTotals;
export type WorkUnitMapper = UnitView;
export type WorkUnitLeaseMapper = UnitLease;
export type WorkUnitTotalMapper = HourRow;
export type WorkUnitErrorMapper = UnitError;
export type WorkUnitAssignmentMapper = UnitAssignment;

/** A page of units with its pool, which counts them. */
export interface WorkUnitConnectionMapper extends UnitPage {
  readonly pool: PoolDocument;
}

/** Completion of a unit; the result is read if it is selected. */
export interface WorkUnitCompletionMapper extends UnitEnd {
  readonly of: UnitView;
}
