/** Access to proposals. Each change of a status is one update that names the status before. */
import { collection, isDuplicateKey, type KeysetPage, keysetPage } from '@rhizome/mongo';
import type { Collection, Db, Filter, UpdateFilter } from 'mongodb';
import {
  type ListedProposal,
  type ProposalDocument,
  type ProposalStatus,
  proposalsCollection,
  type StoredDecision,
  type StoredExecution,
  type StoredOutcome,
} from './proposal.document.js';

/** Proposals that a caller may see: its own, those of an agent, or those of experiments. */
export interface VisibleProposals {
  /** Subjects of the person; undefined for a caller that is none. */
  readonly people?: readonly string[] | undefined;
  /** Subject of the agent, which sees its own proposals only. */
  readonly agent?: string | undefined;
  readonly experiments: '*' | readonly string[];
}

/** Conditions on proposals. */
export interface ProposalConditions {
  readonly statuses?: readonly ProposalStatus[] | null | undefined;
  readonly person?: string | null | undefined;
  readonly agent?: string | null | undefined;
  readonly experiment?: string | null | undefined;
  readonly mutation?: string | null | undefined;
}

const majority = { writeConcern: { w: 'majority' } } as const;
const after = { ...majority, returnDocument: 'after' } as const;
/** Longest time of a search, in milliseconds. */
const searchMs = 5_000;

/** Collection `proposals`. */
export class ProposalsRepository {
  readonly #proposals: Collection<ProposalDocument>;

  constructor(db: Db) {
    this.#proposals = collection(db, proposalsCollection);
  }

  /** Inserts a proposal. False if the same change is proposed already, or if the short name is taken. */
  async insert(proposal: ProposalDocument): Promise<boolean> {
    try {
      await this.#proposals.insertOne(proposal, majority);
      return true;
    } catch (error) {
      if (isDuplicateKey(error)) return false;
      throw error;
    }
  }

  /** A proposal by its identifier or its short name. */
  proposal(id: string): Promise<ProposalDocument | null> {
    return this.#proposals.findOne(id.startsWith('pr-') ? { ref: id } : { _id: id }, {
      readConcern: 'majority',
    });
  }

  /** The open proposal of a change. */
  open(openKey: string): Promise<ProposalDocument | null> {
    return this.#proposals.findOne({ openKey }, { readConcern: 'majority' });
  }

  /** The latest denial of a change since a time. */
  denial(requestHash: string, since: Date): Promise<ProposalDocument | null> {
    return this.#proposals.findOne(
      { requestHash, status: 'DENIED', 'decision.at': { $gt: since } },
      { sort: { 'decision.at': -1 } },
    );
  }

  /** Number of proposals of a person that wait for a decision, at most `limit`. */
  openOf(person: string, now: Date, limit: number): Promise<number> {
    const filter = { person, status: 'PROPOSED', expiresAt: { $gt: now } } as const;
    return this.#proposals.countDocuments(filter, { limit });
  }

  /** @throws DomainError CURSOR_INVALID, BAD_USER_INPUT */
  page(
    visible: VisibleProposals,
    conditions: ProposalConditions,
    now: Date,
    { first, after: cursor }: { readonly first: number; readonly after?: string | null | undefined },
  ): Promise<KeysetPage<ListedProposal>> {
    const filter = { $and: [seen(visible), met(conditions, now)] } as Filter<ListedProposal>;
    const order = [{ field: 'createdAt', direction: -1 }] as const;
    return keysetPage({
      collection: this.#proposals as unknown as Collection<ListedProposal>,
      filter,
      order,
      first,
      after: cursor,
      // Up to a megabyte each; read again where a client selects it.
      exclude: ['execution.caller', 'variables', 'targets', 'preview.dryRun'],
      maxTimeMs: searchMs,
    });
  }

  /** Approves a proposal that waits, and gives the lease of its execution. Null if it does not wait. */
  approve(
    id: string,
    decision: StoredDecision,
    execution: StoredExecution,
  ): Promise<ProposalDocument | null> {
    const filter = { _id: id, status: 'PROPOSED', expiresAt: { $gt: decision.at } } as const;
    return this.#change(filter, { status: 'EXECUTING', decision, execution }, decision.at);
  }

  /** Ends a proposal that waits. Null if it does not wait. */
  end(
    id: string,
    status: 'DENIED' | 'WITHDRAWN' | 'STALE',
    now: Date,
    decision: StoredDecision | null = null,
  ): Promise<ProposalDocument | null> {
    const filter = { _id: id, status: 'PROPOSED', expiresAt: { $gt: now } } as const;
    return this.#change(filter, { status, decision }, now, true);
  }

  /** Ends a proposal that nobody decided in time. */
  async expire(now: Date): Promise<number> {
    const { modifiedCount } = await this.#proposals.updateMany(
      { status: 'PROPOSED', expiresAt: { $lte: now } },
      { $set: { status: 'EXPIRED', updatedAt: now }, $unset: { openKey: '' }, $inc: { revision: 1 } },
      majority,
    );
    return modifiedCount;
  }

  /** Extends the lease of a run. False if another run has taken the proposal over, or if it has ended. */
  async renew(id: string, run: string, leaseUntil: Date): Promise<boolean> {
    const { matchedCount } = await this.#proposals.updateOne(
      { _id: id, status: 'EXECUTING', 'execution.run': run },
      { $set: { 'execution.leaseUntil': leaseUntil } },
      majority,
    );
    return matchedCount > 0;
  }

  /** Notes that a run sends its mutation now, and extends its lease. False as for {@link renew}. */
  async send(id: string, run: string, sentAt: Date, leaseUntil: Date): Promise<boolean> {
    const { matchedCount } = await this.#proposals.updateOne(
      { _id: id, status: 'EXECUTING', 'execution.run': run, 'execution.leaseUntil': { $gt: sentAt } },
      { $set: { 'execution.sentAt': sentAt, 'execution.leaseUntil': leaseUntil } },
      majority,
    );
    return matchedCount > 0;
  }

  /** Takes over a proposal whose run has lost its lease. Null if there is none. */
  takeOver(run: string, now: Date, leaseUntil: Date): Promise<ProposalDocument | null> {
    return this.#proposals.findOneAndUpdate(
      { status: 'EXECUTING', 'execution.leaseUntil': { $lte: now } },
      {
        $set: { 'execution.run': run, 'execution.leaseUntil': leaseUntil, updatedAt: now },
        $inc: { revision: 1, 'execution.tries': 1 },
      },
      after,
    );
  }

  /** Stores the outcome of a run. Null if another run has taken the proposal over, or has ended it. */
  finish(
    id: string,
    run: string,
    status: 'DONE' | 'FAILED',
    outcome: StoredOutcome,
  ): Promise<ProposalDocument | null> {
    const filter = { _id: id, status: 'EXECUTING', 'execution.run': run } as const;
    return this.#change(filter, { status, outcome }, outcome.at, true);
  }

  #change(
    filter: Filter<ProposalDocument>,
    set: Partial<ProposalDocument>,
    now: Date,
    isEnd = false,
  ): Promise<ProposalDocument | null> {
    const update: UpdateFilter<ProposalDocument> = {
      $set: { ...set, updatedAt: now },
      $inc: { revision: 1 },
      ...(isEnd && { $unset: { openKey: '' } }),
    };
    return this.#proposals.findOneAndUpdate(filter, update, after);
  }
}

function seen({ people, agent, experiments }: VisibleProposals): Filter<ProposalDocument> {
  if (agent !== undefined) return { agent };
  if (experiments === '*') return {};
  return { $or: [{ person: { $in: [...(people ?? [])] } }, { experiment: { $in: [...experiments] } }] };
}

/** An expired proposal keeps its stored status until a gateway changes it. */
function met({ statuses, ...equal }: ProposalConditions, now: Date): Filter<ProposalDocument> {
  const given = Object.entries(equal).filter(([, value]) => value != null);
  const conditions: Filter<ProposalDocument>[] = given.map(([field, value]) => ({ [field]: value }));
  if (statuses != null) conditions.push({ $or: statuses.map((status) => withStatus(status, now)) });
  return conditions.length === 0 ? {} : { $and: conditions };
}

function withStatus(status: ProposalStatus, now: Date): Filter<ProposalDocument> {
  if (status === 'PROPOSED') return { status, expiresAt: { $gt: now } };
  if (status !== 'EXPIRED') return { status };
  return { $or: [{ status }, { status: 'PROPOSED', expiresAt: { $lte: now } }] };
}
