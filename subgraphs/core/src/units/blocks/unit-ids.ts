/** Ids of blocks and units. They contain the pool, so that a unit is found without a look-up. */

/** A unit by its block and its position in it. */
export interface UnitRef {
  readonly poolId: string;
  readonly blockId: string;
  readonly position: number;
}

const unitForm = /^unit_([0-9A-Z]{26})\.(\d{1,15})\.(\d{1,3})$/;

/** Id of the block with this number in its pool. */
export function blockIdOf(poolId: string, sequence: number): string {
  return `block_${ulidOf(poolId)}.${sequence}`;
}

/** Id of a unit. */
export function unitIdOf(blockId: string, position: number): string {
  return `unit_${ulidOf(blockId)}.${position}`;
}

/** Id of a completion. @param ulid makes it unique */
export function completionIdOf(poolId: string, ulid: string): string {
  return `completion_${ulidOf(poolId)}.${ulidOf(ulid)}`;
}

/** True for the id of a completion of units of the pool. */
export function isCompletionOf(poolId: string, id: string): boolean {
  return id.startsWith(`completion_${ulidOf(poolId)}.`);
}

/** The parts of a unit's id; undefined for a text that is none. */
export function unitRefOf(id: string): UnitRef | undefined {
  const [, ulid, sequence, position] = unitForm.exec(id) ?? [];
  if (ulid === undefined) return undefined;
  const poolId = `pool_${ulid}`;
  return { poolId, blockId: blockIdOf(poolId, Number(sequence)), position: Number(position) };
}

function ulidOf(id: string): string {
  return id.slice(id.indexOf('_') + 1);
}
