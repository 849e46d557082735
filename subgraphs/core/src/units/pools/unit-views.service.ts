/** Reads single units and dead letters, and publishes dead letters again. */
import type { Principal } from '@rhizome/authz';
import { badInput, type InputError, InputErrors } from '@rhizome/errors';
import { decodeCursor, encodeCursor, orderSignature, type PageInfo } from '@rhizome/mongo';
import { resubmitUnit } from '../blocks/block-transitions.js';
import type { BlocksRepository } from '../blocks/blocks.repository.js';
import { unitIdOf, type UnitRef, unitRefOf } from '../blocks/unit-ids.js';
import type { UnitCompletionDocument } from '../blocks/unit-completion.document.js';
import type { UnitPayload } from '../blocks/unit-payload.document.js';
import type { StoredUnit, UnitState } from '../blocks/unit.types.js';
import type { PayloadMemory } from '../work/payload-memory.js';
import type { PoolWorks } from '../work/pool-works.js';
import { manageable, maySeePool, type PoolCode } from './pool-access.js';
import type { PoolDocument } from './pool.document.js';
import type { PoolsRepository } from './pools.repository.js';

/** A unit as it is shown. */
export interface UnitView {
  readonly id: string;
  readonly pool: PoolDocument;
  readonly blockId: string;
  readonly position: number;
  readonly priority: number | null;
  readonly publishedAt: Date;
  readonly unit: StoredUnit;
}

/** A page of units. */
export interface UnitPage {
  readonly nodes: readonly UnitView[];
  readonly edges: readonly { readonly node: UnitView; readonly cursor: string }[];
  readonly pageInfo: PageInfo;
}

/** Dead letters to publish again. */
export interface ResubmitUnits {
  readonly poolId: string;
  /** All dead letters, up to a number, if it is absent. */
  readonly unitIds?: readonly string[] | null | undefined;
}

/** Codes of `resubmitWorkUnits` in addition to INVALID_VALUE. */
export type ResubmitCode = PoolCode | 'UNIT_NOT_FOUND' | 'UNIT_NOT_DEAD';

/** Units that wait again, or the errors of those that do not. */
export interface ResubmitResult {
  readonly unitIds: readonly string[];
  /** True if the pool has more dead letters, for another call. */
  readonly hasMore: boolean;
  readonly userErrors: readonly InputError<ResubmitCode>[];
}

/** A unit to publish again, and its state before; undefined if it does not exist. */
interface Resubmitted {
  readonly id: string;
  readonly state: UnitState | undefined;
}

/** Dependencies of {@link UnitViews}. */
export interface UnitViewsOptions {
  readonly pools: Pick<PoolsRepository, 'find'>;
  readonly blocks: BlocksRepository;
  readonly payloads: PayloadMemory;
  readonly works: PoolWorks;
}

const signature = orderSignature('dead letters');
/** Most units that one call publishes again. */
const maxResubmitted = 1000;
const maxFirst = 100;

/** Reads units. */
export class UnitViews {
  readonly #options: UnitViewsOptions;

  constructor(options: UnitViewsOptions) {
    this.#options = options;
  }

  /** A unit; null if it does not exist, was removed, or the principal may not see it. */
  async find(principal: Principal, id: string): Promise<UnitView | null> {
    const ref = unitRefOf(id);
    const pool = ref && (await this.#options.pools.find(ref.poolId));
    if (!ref || !pool || !maySeePool(principal, pool)) return null;
    const [block] = await this.#options.blocks.find([ref.blockId]);
    const unit = block?.units[ref.position];
    if (!block || !unit) return null;
    const { blockId, position } = ref;
    return { id, pool, blockId, position, priority: block.priority, publishedAt: block.createdAt, unit };
  }

  /** Payload or reference of a unit. */
  async payloadOf(unit: Pick<UnitView, 'blockId' | 'position'>): Promise<UnitPayload> {
    return (await this.#options.payloads.of([unit]))[0] ?? {};
  }

  /** Result of a completed unit; null if it has none, or once its retention is over. */
  async resultOf({ position, unit }: Pick<UnitView, 'position' | 'unit'>): Promise<string | null> {
    if (!unit.end) return null;
    const completion = await this.#options.blocks.completion(unit.end.completionId);
    return completion?.units.find((one) => one.position === position)?.result ?? null;
  }

  /** Completions by id, in the same order; null for those that are no longer kept. */
  async completions(ids: readonly string[]): Promise<readonly (UnitCompletionDocument | null)[]> {
    const found = await this.#options.blocks.completions(ids);
    const byId = new Map(found.map((one) => [one._id, one]));
    return ids.map((id) => byId.get(id) ?? null);
  }

  /** Dead letters of a pool, the oldest publication first. @throws DomainError CURSOR_INVALID */
  async dead(
    pool: PoolDocument,
    { first, after }: { readonly first: number; readonly after?: string | null | undefined },
  ): Promise<UnitPage> {
    if (!Number.isInteger(first) || first < 1 || first > maxFirst)
      throw badInput('first', first, `1 to ${maxFirst}`);
    const start = after == null ? { sequence: 0, position: -1 } : placeIn(after);
    const found = await this.#options.blocks.deadUnits(pool._id, start.sequence, first + 2);
    const edges = found.flatMap(({ _id: blockId, sequence, createdAt: publishedAt, units }) =>
      units
        .filter(({ position }) => sequence > start.sequence || position > start.position)
        .map(({ position, unit }) => {
          const id = unitIdOf(blockId, position);
          const node = { id, pool, blockId, position, priority: null, publishedAt, unit };
          return { node, cursor: encodeCursor(signature, [sequence, position]) };
        }),
    );
    const page = edges.slice(0, first);
    return {
      nodes: page.map(({ node }) => node),
      edges: page,
      pageInfo: {
        hasNextPage: edges.length > page.length,
        hasPreviousPage: after != null,
        startCursor: page.at(0)?.cursor ?? null,
        endCursor: page.at(-1)?.cursor ?? null,
      },
    };
  }

  /** Lets dead letters wait again; their attempts are counted from zero. @throws DomainError FORBIDDEN */
  async resubmit(principal: Principal, { poolId, unitIds }: ResubmitUnits): Promise<ResubmitResult> {
    const errors = new InputErrors<ResubmitCode>();
    const pool = manageable(
      errors,
      principal,
      'pool:publish',
      await this.#options.pools.find(poolId),
      poolId,
    );
    if (unitIds) {
      errors.list(['unitIds'], unitIds, maxResubmitted, 1);
      if (errors.isEmpty) errors.distinct(['unitIds'], unitIds);
    }
    if (!pool || !errors.isEmpty) return refused(errors);
    if (!unitIds) return this.#resubmitAll(pool);
    const refs = unitIds.flatMap((id, at) => {
      const ref = unitRefOf(id);
      if (ref?.poolId === poolId) return [{ ...ref, at }];
      reportUnknown(errors, id, at);
      return [];
    });
    if (!errors.isEmpty) return refused(errors);
    const outcomes = await this.#resubmit(pool, refs);
    for (const [at, { id, state }] of outcomes.entries())
      if (state === undefined) reportUnknown(errors, id, at);
      else if (state !== 'DEAD')
        errors.report('UNIT_NOT_DEAD', ['unitIds', at], `Unit "${id}" is ${state}; must be DEAD.`);
    return { unitIds: changedOf(outcomes), hasMore: false, userErrors: errors.all };
  }

  async #resubmitAll(pool: PoolDocument): Promise<ResubmitResult> {
    const found = await this.#options.blocks.deadUnits(pool._id, 0, maxFirst);
    const refs = found.flatMap(({ _id: blockId, units }) =>
      units.map(({ position }) => ({ poolId: pool._id, blockId, position })),
    );
    const outcomes = await this.#resubmit(pool, refs.slice(0, maxResubmitted));
    const hasMore = refs.length > maxResubmitted || found.length >= maxFirst;
    return { unitIds: changedOf(outcomes), hasMore, userErrors: [] };
  }

  #resubmit(pool: PoolDocument, refs: readonly UnitRef[]): Promise<readonly Resubmitted[]> {
    return this.#options.works.of(pool).run({
      blockIds: [...new Set(refs.map(({ blockId }) => blockId))],
      mustRead: true,
      apply: (draft) =>
        refs.map(({ blockId, position }) => {
          const block = draft.block(blockId);
          const change = block && resubmitUnit(block, position, draft.context.now);
          if (change) draft.change(blockId, [change]);
          return { id: unitIdOf(blockId, position), state: block?.units[position]?.state };
        }),
    });
  }
}

function changedOf(outcomes: readonly Resubmitted[]): readonly string[] {
  return outcomes.filter(({ state }) => state === 'DEAD').map(({ id }) => id);
}

function placeIn(cursor: string): { readonly sequence: number; readonly position: number } {
  const [sequence, position] = decodeCursor(cursor, signature, 2);
  if (typeof sequence === 'number' && typeof position === 'number') return { sequence, position };
  throw badInput('after', cursor, 'a cursor of this list');
}

function reportUnknown(errors: InputErrors<ResubmitCode>, id: string, at: number): void {
  errors.report(
    'UNIT_NOT_FOUND',
    ['unitIds', at],
    `Unit ${JSON.stringify(id.slice(0, 100))} not found in the pool.`,
  );
}

function refused(errors: InputErrors<ResubmitCode>): ResubmitResult {
  return { unitIds: [], hasMore: false, userErrors: errors.all };
}
