/** Stores of fleets on one database. */
import type { Db } from 'mongodb';
import { DecisionsRepository } from '../../fleets/store/decisions.repository.js';
import { FleetsRepository } from '../../fleets/store/fleets.repository.js';

/** Repositories of fleets. */
export interface JobFleetStores {
  readonly fleets: FleetsRepository;
  readonly decisions: DecisionsRepository;
}

/** Creates the repositories. */
export function jobFleetStores(db: Db): JobFleetStores {
  return { fleets: new FleetsRepository(db), decisions: new DecisionsRepository(db) };
}
