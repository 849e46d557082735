/** Access to the collection of audit entries. */
import {
  collection,
  ensureCollections,
  type KeysetPage,
  keysetPage,
  recordDeclarations,
} from '@rhizome/mongo';
import type { Logger } from '@rhizome/log';
import type { Collection, Db, Filter } from 'mongodb';
import type { AuditKind, AuditOutcome, AuditResult } from '../chain/entry.js';
import type { ChainTip } from '../heads/head.js';
import { auditEntriesCollection, type AuditEntryDocument } from './audit-entry.document.js';

/** An outcome of a stored entry. */
export interface OutcomeWrite {
  readonly id: string;
  readonly outcome: AuditOutcome;
}

/** Links that are stored together: the outcomes come first in the chain, then the entries. */
export interface AuditBatch {
  readonly outcomes: readonly OutcomeWrite[];
  readonly entries: readonly AuditEntryDocument[];
}

/** Conditions of a search; all must hold. */
export interface AuditSearch {
  readonly kind?: AuditKind | null | undefined;
  readonly action?: string | null | undefined;
  /** Subject of the principal. */
  readonly subject?: string | null | undefined;
  /** The human behind the principal. */
  readonly human?: string | null | undefined;
  readonly experiment?: string | null | undefined;
  /** An identifier in the arguments. */
  readonly target?: string | null | undefined;
  readonly requestId?: string | null | undefined;
  readonly address?: string | null | undefined;
  readonly chain?: string | null | undefined;
  /** `UNKNOWN` for entries without an outcome. */
  readonly result?: AuditResult | 'UNKNOWN' | null | undefined;
  readonly since?: Date | null | undefined;
  readonly until?: Date | null | undefined;
}

/** Entries that a reader may see: all, or those of some experiments. */
export type AuditScope = '*' | readonly string[];

/** The collection of audit entries. */
export class AuditRepository {
  readonly #db: Db;
  readonly #entries: Collection<AuditEntryDocument>;

  constructor(db: Db) {
    this.#db = db;
    this.#entries = collection(db, auditEntriesCollection);
  }

  /** Creates the collection and its indexes. */
  async ensure(log: Logger): Promise<void> {
    await ensureCollections(this.#db, [auditEntriesCollection], { log });
    await recordDeclarations(this.#db, [auditEntriesCollection]);
  }

  /**
   * Stores a batch; resolves when a majority has it. What is stored after a failure is a prefix of the batch
   * in the order of the chain.
   * @param isRepeated true if an earlier attempt may have stored a part
   */
  async store({ outcomes, entries }: AuditBatch, isRepeated: boolean): Promise<void> {
    if (outcomes.length > 0) {
      // The majority of the entries, which follow in the log of the store, covers the outcomes as well.
      const writeConcern = { w: entries.length > 0 ? 1 : ('majority' as const) };
      const updates = outcomes.map(({ id, outcome }) => ({
        updateOne: { filter: { _id: id, outcome: null }, update: { $set: { outcome } } },
      }));
      await this.#entries.bulkWrite(updates, { ordered: true, writeConcern });
    }
    if (entries.length === 0) return;
    if (!isRepeated) {
      await this.#entries.insertMany([...entries], { ordered: true });
      return;
    }
    const inserts = entries.map(({ _id, ...rest }) => ({
      updateOne: { filter: { _id }, update: { $setOnInsert: rest }, upsert: true },
    }));
    await this.#entries.bulkWrite(inserts, { ordered: true });
  }

  entry(id: string, scope: AuditScope): Promise<AuditEntryDocument | null> {
    return this.#entries.findOne({ _id: id, ...within(scope) });
  }

  /** A page of entries, the newest first. @throws DomainError CURSOR_INVALID, BAD_USER_INPUT */
  page(
    search: AuditSearch,
    scope: AuditScope,
    { first, after }: { readonly first: number; readonly after: string | null | undefined },
  ): Promise<KeysetPage<AuditEntryDocument>> {
    return keysetPage({
      collection: this.#entries,
      filter: { $and: [filterOf(search), within(scope)] },
      order: [{ field: '_id', direction: -1 }],
      first,
      after,
      maxFirst: 1_000,
    });
  }

  /** The newest entry of each chain. */
  async tips(): Promise<readonly ChainTip[]> {
    const found = await this.#entries
      .aggregate<{ _id: string; link: { sequence: number; hash: string } }>([
        { $sort: { chain: 1, 'link.sequence': -1 } },
        { $group: { _id: '$chain', link: { $first: '$link' } } },
        { $sort: { _id: 1 } },
      ])
      .toArray();
    return found.map(({ _id, link: { sequence, hash } }) => ({ chain: _id, sequence, hash }));
  }

  /** For each chain, the last link of the beginning that is older than `before`. */
  async prefixes(before: Date): Promise<readonly ChainTip[]> {
    const found: ChainTip[] = [];
    for (const { chain } of await this.tips()) {
      const kept = await this.#entries.findOne(
        { chain, at: { $gte: before } },
        { sort: { 'link.sequence': 1 } },
      );
      const below = kept?.link.sequence ?? Number.MAX_SAFE_INTEGER;
      const tip = await this.#lastLink(chain, below);
      if (tip) found.push(tip);
    }
    return found;
  }

  /** Removes the entries whose links all lie in the prefix. @returns their number */
  async removePrefix({ chain, sequence }: ChainTip): Promise<number> {
    const { deletedCount } = await this.#entries.deleteMany({
      chain,
      'link.sequence': { $lte: sequence },
      $or: [{ 'outcome.link': null }, { 'outcome.link.sequence': { $lte: sequence } }],
    });
    return deletedCount;
  }

  async #lastLink(chain: string, below: number): Promise<ChainTip | undefined> {
    const [entry, ended] = await Promise.all([
      this.#entries.findOne({ chain, 'link.sequence': { $lt: below } }, { sort: { 'link.sequence': -1 } }),
      this.#entries.findOne(
        { chain, 'outcome.link.sequence': { $lt: below } },
        { sort: { 'outcome.link.sequence': -1 } },
      ),
    ]);
    if (!entry) return undefined;
    const outcome = ended?.outcome?.link;
    const { sequence, hash } = outcome && outcome.sequence > entry.link.sequence ? outcome : entry.link;
    return { chain, sequence, hash };
  }
}

function within(scope: AuditScope): Filter<AuditEntryDocument> {
  return scope === '*' ? {} : { experiment: { $in: [...scope] } };
}

function filterOf(search: AuditSearch): Filter<AuditEntryDocument> {
  const { since, until, result } = search;
  const equal: Readonly<Record<string, unknown>> = {
    kind: search.kind,
    action: search.action,
    'actor.subject': search.subject,
    'actor.human': search.human,
    experiment: search.experiment,
    'targets.ids': search.target,
    requestId: search.requestId,
    'client.address': search.address,
    chain: search.chain,
    'outcome.result': result === 'UNKNOWN' ? undefined : result,
  };
  const given = Object.entries(equal).filter(([, value]) => value !== undefined && value !== null);
  const at = { ...(since && { $gte: since }), ...(until && { $lt: until }) };
  return {
    ...Object.fromEntries(given),
    ...(result === 'UNKNOWN' && { outcome: null }),
    ...(Object.keys(at).length > 0 && { at }),
  } as Filter<AuditEntryDocument>;
}
