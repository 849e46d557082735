/** Access to the decisions about fleets. */
import { collection, keysetPage, type KeysetPage } from '@rhizome/mongo';
import type { Collection, Db } from 'mongodb';
import { insertAbsent } from '../../shared/duplicate-keys.repository.js';
import {
  decisionPrefixOf,
  type FleetDecisionDocument,
  fleetDecisionsCollection,
} from '../model/decision.document.js';

/** Stored decisions. */
export class DecisionsRepository {
  readonly #decisions: Collection<FleetDecisionDocument>;

  constructor(db: Db) {
    this.#decisions = collection(db, fleetDecisionsCollection);
  }

  findMany(ids: readonly string[]): Promise<readonly FleetDecisionDocument[]> {
    return this.#decisions.find({ _id: { $in: [...ids] } }).toArray();
  }

  /** Inserts a decision, unless it exists. */
  insert(decision: FleetDecisionDocument): Promise<void> {
    return insertAbsent(this.#decisions, [decision]);
  }

  /** A page of the decisions about a fleet, the newest first. @throws DomainError CURSOR_INVALID */
  page(
    fleetId: string,
    page: { readonly first: number; readonly after: string | null | undefined },
  ): Promise<KeysetPage<FleetDecisionDocument>> {
    const prefix = decisionPrefixOf(fleetId);
    return keysetPage({
      collection: this.#decisions,
      filter: { _id: { $gte: prefix, $lt: `${prefix}~` } },
      order: [{ field: '_id', direction: -1 }],
      ...page,
    });
  }
}
