/** Fewer pilots after failures. Pure. */
import type { LoopMemory, PilotEnd } from './loop.types.js';

/** Level from which single pilots are tried, with pauses. */
export const probeLevel = 6;
const highestLevel = 10;
/** Cycles between two single pilots. */
const probeCycles = 10;

/** Outcomes of one cycle. */
export interface Outcomes {
  readonly ends: readonly PilotEnd[];
  /** Pilots whose workers have registered in this cycle. */
  readonly arrived: number;
  /** Submissions that the batch system refused. */
  readonly refusedSubmits: number;
}

/**
 * Halves the pilots of a cycle after refusals, and where more pilots ended without a job than with one.
 * Doubles them again when pilots arrive.
 */
export function learn(memory: LoopMemory, { ends, arrived, refusedSubmits }: Outcomes): LoopMemory {
  const worked = ends.filter((end) => end === 'WORKED').length;
  const inVain = ends.length - worked;
  const isBad = refusedSubmits > 0 || inVain > worked;
  const isGood = !isBad && (arrived > 0 || worked > 0);
  const level = Math.max(0, Math.min(highestLevel, memory.level + Number(isBad) - Number(isGood)));
  const skip = isBad && level >= probeLevel ? probeCycles : Math.max(0, memory.skip - 1);
  return { ...memory, level, skip };
}

/** Most pilots of a cycle at a level. */
export function perCycleAt(perCycle: number, level: number): number {
  return level >= probeLevel ? 1 : Math.max(1, Math.floor(perCycle / 2 ** level));
}
