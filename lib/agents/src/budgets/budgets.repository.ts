/** Access to budgets, to the amounts used, and to stops. */
import { collection, isDuplicateKey, type KeysetPage, keysetPage } from '@rhizome/mongo';
import type { Collection, Db, Filter } from 'mongodb';
import {
  type AgentScope,
  type BudgetDocument,
  budgetsCollection,
  type BudgetUnit,
  type StopDocument,
  stopsCollection,
  type UsageDocument,
  usageCollection,
} from './budget.document.js';
import type { Concerned, VisibleScopes } from './scope.js';

const majority = { writeConcern: { w: 'majority' } } as const;
/** Longest time of a search, in milliseconds. */
const searchMs = 5_000;
/** Largest number of stops in a list for people. What enforces limits reads all that concern a caller. */
const mostListed = 200;

/** Collections `agentBudgets`, `agentUsage` and `agentStops`. */
export class BudgetsRepository {
  readonly #budgets: Collection<BudgetDocument>;
  readonly #usage: Collection<UsageDocument>;
  readonly #stops: Collection<StopDocument>;

  constructor(db: Db) {
    this.#budgets = collection(db, budgetsCollection);
    this.#usage = collection(db, usageCollection);
    this.#stops = collection(db, stopsCollection);
  }

  /** Sets a budget; a new one begins without a revision before it. */
  async set({ _id, createdAt, revision: _from, ...set }: BudgetDocument): Promise<BudgetDocument | null> {
    return this.#budgets.findOneAndUpdate(
      { _id },
      { $set: set, $setOnInsert: { createdAt }, $inc: { revision: 1 } },
      { ...majority, upsert: true, returnDocument: 'after' },
    );
  }

  /** Removes a budget; returns it, or null if there was none. */
  remove(id: string): Promise<BudgetDocument | null> {
    return this.#budgets.findOneAndDelete({ _id: id }, majority);
  }

  /** The budgets of a caller, of one unit or of all, in a fixed order. */
  budgetsOf(concerned: Concerned, unit?: BudgetUnit): Promise<BudgetDocument[]> {
    const filter = { ...concerns(concerned), ...(unit && { unit }) } as Filter<BudgetDocument>;
    return this.#budgets
      .find(filter, { sort: { _id: 1 } })
      .maxTimeMS(searchMs)
      .toArray();
  }

  /** @throws DomainError CURSOR_INVALID, BAD_USER_INPUT */
  page(
    visible: VisibleScopes,
    conditions: Partial<AgentScope>,
    { first, after }: { readonly first: number; readonly after?: string | null | undefined },
  ): Promise<KeysetPage<BudgetDocument>> {
    return keysetPage({
      collection: this.#budgets,
      filter: { $and: [seen(visible), conditions] } as Filter<BudgetDocument>,
      order: [{ field: 'createdAt', direction: -1 }],
      first,
      after,
      maxTimeMs: searchMs,
    });
  }

  /**
   * Adds to an amount unless it would exceed the limit, by one conditional update. Calls at the same time
   * never exceed it together.
   * @returns false if the limit does not allow it
   */
  async spend(id: string, amount: number, limit: number, removeAt: Date): Promise<boolean> {
    if (amount > limit) return false;
    for (;;) {
      try {
        await this.#usage.updateOne(
          { _id: id, spent: { $lte: limit - amount } },
          { $inc: { spent: amount }, $setOnInsert: { schemaVersion: 1, removeAt } },
          { ...majority, upsert: true },
        );
        return true;
      } catch (error) {
        if (!isDuplicateKey(error)) throw error;
        // The amount exists: it is too large, or another call has made it just now.
        const found = await this.#usage.findOne({ _id: id });
        if (found && found.spent + amount > limit) return false;
      }
    }
  }

  /** Gives back an amount whose call did not take place. */
  async giveBack(id: string, amount: number): Promise<void> {
    await this.#usage.updateOne({ _id: id }, { $inc: { spent: -amount } }, majority);
  }

  /** Amounts by their identifiers; those that are missing are 0. */
  async spent(ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
    if (ids.length === 0) return new Map();
    const found = await this.#usage.find({ _id: { $in: [...ids] } }).toArray();
    return new Map(found.map(({ _id, spent }) => [_id, spent]));
  }

  /** Stops agents. A repeated stop keeps its time and takes the new reason. */
  stop({ _id, createdAt, ...set }: StopDocument): Promise<StopDocument | null> {
    return this.#stops.findOneAndUpdate(
      { _id },
      { $set: set, $setOnInsert: { createdAt } },
      { ...majority, upsert: true, returnDocument: 'after' },
    );
  }

  /** Ends a stop; returns it, or null if there was none. */
  resume(id: string): Promise<StopDocument | null> {
    return this.#stops.findOneAndDelete({ _id: id }, majority);
  }

  /** The stops of a caller, the newest first, at most 200. */
  stopsOf(concerned: Concerned): Promise<StopDocument[]> {
    return this.#findStops(concerns(concerned) as Filter<StopDocument>, mostListed);
  }

  /** All stops. */
  allStops(): Promise<StopDocument[]> {
    return this.#findStops({});
  }

  /** Number of budgets that a person has set for its own agents, apart from one of them. */
  ownBudgets(person: string, except: string): Promise<number> {
    const filter = { person, authority: 'PERSON' as const, _id: { $ne: except } };
    return this.#budgets.countDocuments(filter, { maxTimeMS: searchMs });
  }

  /** Number of stops that a person has set for its own agents, apart from one of them. */
  ownStops(person: string, except: string): Promise<number> {
    const filter = { person, authority: 'PERSON' as const, _id: { $ne: except } };
    return this.#stops.countDocuments(filter, { maxTimeMS: searchMs });
  }

  /** The stops that a caller may list, the newest first, at most 200. */
  visibleStops(visible: VisibleScopes): Promise<StopDocument[]> {
    return this.#findStops(seen(visible) as Filter<StopDocument>, mostListed);
  }

  #findStops(filter: Filter<StopDocument>, limit = 0): Promise<StopDocument[]> {
    return this.#stops
      .find(filter, { sort: { createdAt: -1, _id: 1 }, limit, readConcern: 'majority' })
      .maxTimeMS(searchMs)
      .toArray();
  }
}

function concerns({ agent, people, experiments }: Concerned): Filter<AgentScope> {
  return {
    person: { $in: [null, ...people] },
    // A person sees the limits of its own agents only, not those of others in the same experiment.
    ...(agent === undefined
      ? { $or: [{ agent: null }, { person: { $ne: null } }] }
      : { agent: { $in: [null, agent] } }),
    ...(experiments !== '*' && { experiment: { $in: [null, ...experiments] } }),
  };
}

function seen({ people, experiments }: VisibleScopes): Filter<AgentScope> {
  if (experiments === '*') return {};
  return { $or: [{ person: { $in: [...people] } }, { experiment: { $in: [...experiments] } }] };
}
