/** Blocks of units that are published together. Pure. */
import { headerOf } from '../blocks/block-header.js';
import { type BlockDocument, maxBytesOfBlock, maxUnitsOfBlock } from '../blocks/block.document.js';
import { blockIdOf, unitIdOf } from '../blocks/unit-ids.js';
import { unitBytes, type UnitPayload, type UnitPayloadsDocument } from '../blocks/unit-payload.document.js';
import type { StoredUnit } from '../blocks/unit.types.js';
import type { PoolDocument } from '../pools/pool.document.js';
import type { PublishedUnit } from './publish-input.js';

/** Priority of units without one. */
const usualPriority = 4;

/** Units of one block, in the order of the publication. */
export interface UnitGroup {
  readonly priority: number;
  readonly units: readonly PublishedUnit[];
}

/** New documents of a publication. */
export interface NewBlocks {
  readonly blocks: readonly BlockDocument[];
  readonly payloads: readonly UnitPayloadsDocument[];
  /** Ids of the units by their keys. */
  readonly unitIds: ReadonlyMap<string, string>;
}

/**
 * Groups units by priority, the highest first, then by number and bytes. The order of equal priority is kept.
 * Units with the same ordering key are leased in the order of their blocks, thus by priority.
 */
export function groupsOf(units: readonly PublishedUnit[]): readonly UnitGroup[] {
  const byPriority = new Map<number, PublishedUnit[]>();
  for (const unit of units) {
    const priority = unit.priority ?? usualPriority;
    const group = byPriority.get(priority);
    if (group) group.push(unit);
    else byPriority.set(priority, [unit]);
  }
  return [...byPriority]
    .sort(([one], [other]) => other - one)
    .flatMap(([priority, all]) => cut(all).map((part) => ({ priority, units: part })));
}

function cut(units: readonly PublishedUnit[]): readonly (readonly PublishedUnit[])[] {
  const parts: PublishedUnit[][] = [];
  let part: PublishedUnit[] = [];
  let bytes = 0;
  for (const unit of units) {
    const size = unitBytes(unit);
    if (part.length >= maxUnitsOfBlock || (part.length > 0 && bytes + size > maxBytesOfBlock)) {
      parts.push(part);
      part = [];
      bytes = 0;
    }
    part.push(unit);
    bytes += size;
  }
  return part.length > 0 ? [...parts, part] : parts;
}

/** @param first number of the first block */
export function newBlocks(
  { _id: poolId, settings }: Pick<PoolDocument, '_id' | 'settings'>,
  groups: readonly UnitGroup[],
  first: number,
  now: Date,
): NewBlocks {
  const unitIds = new Map<string, string>();
  const blocks: BlockDocument[] = [];
  const payloads: UnitPayloadsDocument[] = [];
  for (const [at, { priority, units: published }] of groups.entries()) {
    const sequence = first + at;
    const _id = blockIdOf(poolId, sequence);
    const units = published.map(storedUnit);
    const times = { createdAt: now, updatedAt: now };
    const header = headerOf({ units, createdAt: now }, settings, now);
    const base = { _id, schemaVersion: 1, revision: 1, isCounted: true as const, ...times };
    blocks.push({ ...base, poolId, sequence, priority, units, ...header });
    payloads.push({ _id, schemaVersion: 1, payloads: published.map(payloadOf) });
    for (const [position, { key }] of published.entries()) unitIds.set(key, unitIdOf(_id, position));
  }
  return { blocks, payloads, unitIds };
}

function storedUnit(unit: PublishedUnit): StoredUnit {
  const { key, orderingKey, size, deadline } = unit;
  return {
    key,
    ...(orderingKey == null ? {} : { orderingKey }),
    ...(size == null ? {} : { size }),
    bytes: unitBytes(unit),
    ...(deadline == null ? {} : { deadline }),
    state: 'WAITING',
    attempts: 0,
    fence: 0,
  };
}

function payloadOf({ payload, reference }: PublishedUnit): UnitPayload {
  return {
    ...(payload == null ? {} : { payload }),
    ...(reference == null ? {} : { reference }),
  };
}
