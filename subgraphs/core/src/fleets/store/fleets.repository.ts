/** Access to the collection of fleets. */
import { collection, keysetPage, type KeysetPage } from '@rhizome/mongo';
import type { Collection, Db, Filter, UpdateFilter } from 'mongodb';
import { insertUnlessTaken } from '../../shared/duplicate-keys.repository.js';
import { type Visibility, visibleIn } from '../../shared/visibility.js';
import { type FleetDocument, jobFleetsCollection } from '../model/fleet.document.js';
import { type FleetState, type OpenDecision, openFleetStates } from '../model/fleet.types.js';

/** Filter of fleets; absent fields do not filter. */
export interface FleetFilter {
  readonly experiments?: readonly string[] | null | undefined;
  readonly states?: readonly FleetState[] | null | undefined;
  readonly poolIds?: readonly string[] | null | undefined;
  readonly names?: readonly string[] | null | undefined;
}

/** Fields that a change sets; null removes one. */
export type FleetPatch = {
  readonly [
    K in
      | 'state'
      | 'endedAt'
      | 'settings'
      | 'template'
      | 'prewarm'
      | 'target'
      | 'targetAt'
      | 'members'
      | 'runningBefore'
      | 'failures'
      | 'latest'
  ]?: FleetDocument[K] | null;
};

/** Fields of a fleet by which it is known whether it has changed. */
export type FleetHead = Pick<FleetDocument, '_id' | 'step'>;

/** Fields by which a job of a fleet is given units or not. */
export type FleetGateFacts = Pick<FleetDocument, '_id' | 'state' | 'members'>;

const majority = { writeConcern: { w: 'majority' } } as const;
const open = { state: { $in: [...openFleetStates] } } satisfies Filter<FleetDocument>;

/** Stored fleets. */
export class FleetsRepository {
  readonly #fleets: Collection<FleetDocument>;

  constructor(db: Db) {
    this.#fleets = collection(db, jobFleetsCollection);
  }

  find(id: string): Promise<FleetDocument | null> {
    return this.#fleets.findOne({ _id: id }, { readConcern: 'majority' });
  }

  findMany(ids: readonly string[]): Promise<readonly FleetDocument[]> {
    return this.#fleets.find({ _id: { $in: [...ids] } }).toArray();
  }

  /** The fleet of an experiment with this name, or null. */
  named(experiment: string, name: string): Promise<FleetDocument | null> {
    return this.#fleets.findOne({ experiment, name });
  }

  /** Inserts a fleet. @returns false if the experiment has one with this name */
  insert(fleet: FleetDocument): Promise<boolean> {
    return insertUnlessTaken(this.#fleets, fleet);
  }

  /**
   * Records the next change, with the decision that it is part of. The decision before must be carried out.
   * @returns the fleet after it; null if another change was recorded since it was read
   */
  record(
    { _id, step }: FleetHead,
    decision: OpenDecision | undefined,
    patch: FleetPatch,
    now: Date,
  ): Promise<FleetDocument | null> {
    const entries = Object.entries(patch);
    const set = Object.fromEntries(entries.filter(([, value]) => value !== null));
    const unset = Object.fromEntries(
      entries.flatMap(([field, value]) => (value === null ? [[field, '']] : [])),
    );
    const removed = { ...unset, ...(decision ? {} : { open: '' }) };
    return this.#fleets.findOneAndUpdate(
      { _id, step },
      {
        $set: { ...set, ...(decision ? { open: decision } : {}), updatedAt: now },
        ...(Object.keys(removed).length > 0 ? { $unset: removed } : {}),
        $inc: { step: 1, revision: 1 },
      } as UpdateFilter<FleetDocument>,
      { returnDocument: 'after', ...majority },
    );
  }

  /** Removes the decision of the fleet, which is carried out. @param released jobs that it releases, too */
  async applied({ _id, step }: FleetHead, released: readonly string[], now: Date): Promise<void> {
    const isReleased = { 'job.id': { $in: [...released] }, 'job.releasedAt': { $exists: false } };
    const release = released.length > 0 ? { 'members.$[job].releasedAt': now } : {};
    await this.#fleets.updateOne(
      { _id, step, open: { $exists: true } },
      {
        $unset: { open: '' },
        $set: { ...release, updatedAt: now },
        $inc: { revision: 1 },
      } as UpdateFilter<FleetDocument>,
      { ...majority, ...(released.length > 0 ? { arrayFilters: [isReleased] } : {}) },
    );
  }

  /** A page of fleets, the newest first. @throws DomainError CURSOR_INVALID */
  page(
    wanted: FleetFilter,
    visibility: Visibility,
    page: { readonly first: number; readonly after: string | null | undefined },
  ): Promise<KeysetPage<FleetDocument>> {
    const order = [{ field: '_id', direction: -1 }] as const;
    return keysetPage({ collection: this.#fleets, filter: conditionOf(wanted, visibility), order, ...page });
  }

  /** Fleets that have not ended, at most `most`, and ended ones whose last decision is not carried out. */
  async heads(most: number): Promise<FleetHead[]> {
    const projection = { step: 1 };
    const [running, unapplied] = await Promise.all([
      this.#fleets.find(open, { projection, limit: most, hint: 'state_idx' }).toArray(),
      this.#fleets.find({ open: { $exists: true } }, { projection, limit: most, hint: 'open_idx' }).toArray(),
    ]);
    return [...new Map([...running, ...unapplied].map((head) => [head._id, head])).values()];
  }

  /** Fleets that have not ended, or those among these. */
  gates(ids?: readonly string[]): Promise<FleetGateFacts[]> {
    const filter = ids ? { _id: { $in: [...ids] }, ...open } : open;
    const projection = { state: 1, 'members.id': 1, 'members.releasedAt': 1 } as const;
    return this.#fleets.find(filter).project<FleetGateFacts>(projection).toArray();
  }

  /** True if a fleet that has not ended submits jobs to the share. */
  async usesShare(experiment: string, share: string): Promise<boolean> {
    const filter = { ...open, experiment, share };
    return (await this.#fleets.findOne(filter, { projection: { _id: 1 } })) !== null;
  }

  /** Payloads of fleets of experiments that have not ended. */
  async openPayloads(
    experiments: readonly string[],
  ): Promise<readonly { readonly _id: string; readonly payload: FleetDocument['template']['payload'] }[]> {
    const projection = { 'template.payload.inputs': 1, 'template.payload.uploadId': 1 } as const;
    const filter = { ...open, experiment: { $in: [...experiments] } } as Filter<FleetDocument>;
    const found = await this.#fleets.find(filter, { projection, hint: 'state_idx' }).toArray();
    return found.map(({ _id, template: { payload } }) => ({ _id, payload }));
  }

  /** Id of a fleet that has not ended and whose jobs add outputs to a dataset; undefined if there is none. */
  async addingTo(datasetId: string): Promise<string | undefined> {
    const filter = { ...open, 'template.payload.outputDatasets.datasetId': datasetId };
    const options = { projection: { _id: 1 }, hint: 'state_idx' } as const;
    return (await this.#fleets.findOne(filter as Filter<FleetDocument>, options))?._id;
  }
}

function conditionOf(
  { experiments, states, poolIds, names }: FleetFilter,
  visibility: Visibility,
): Filter<FleetDocument> {
  return {
    $and: [
      visibleIn(visibility),
      ...(experiments ? [{ experiment: { $in: [...experiments] } }] : []),
      ...(states ? [{ state: { $in: [...states] } }] : []),
      ...(poolIds ? [{ poolId: { $in: [...poolIds] } }] : []),
      ...(names ? [{ name: { $in: [...names] } }] : []),
    ],
  } as Filter<FleetDocument>;
}
