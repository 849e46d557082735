/** Services of work units for resolvers. Types only. */
import type { PoolsService } from './pools/pools.service.js';
import type { UnitViews } from './pools/unit-views.service.js';
import type { PublishService } from './publish/publish.service.js';
import type { UnitReports } from './reports/unit-reports.service.js';

/** Services of work units. */
export interface UnitServices {
  readonly pools: PoolsService;
  readonly publish: PublishService;
  /** Leases of units, and reports about them. */
  readonly reports: UnitReports;
  /** Single units and dead letters. */
  readonly views: UnitViews;
}
