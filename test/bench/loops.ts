/**
 * Goals of times as multiples of the fixed loop of the calibration, which takes 100 ms on the machine for
 * which the goals were set: a slower machine has more time, and is offered less load.
 */
import type { Calibration } from './calibration.js';
import type { Row } from './report.js';

/** Time of the loop on the machine for which the goals were set, in milliseconds. */
const referenceLoopMs = 100;

/** A time as a multiple of the loop, with its goal. */
export interface LoopFigure {
  readonly name: string;
  /** Time in milliseconds. */
  readonly ms: number;
  /** Largest multiple of the loop that is good. */
  readonly most: number;
  /** Operations that the time is given for; 1 unless given. */
  readonly operations?: number;
}

/** The row of a time in multiples of the loop. */
export function inLoops({ name, ms, most, operations = 1 }: LoopFigure, { loopMs }: Calibration): Row {
  return {
    name: `${name}, in fixed loops`,
    value: ms / loopMs,
    unit: operations === 1 ? '×' : `× for ${operations.toLocaleString('en')}`,
    goal: { value: most, better: 'lower' },
  };
}

/** A rate that loads this machine as much as `perSecond` loads the one for which the goals were set. */
export function scaledRate(perSecond: number, { loopMs }: Calibration): number {
  return Math.max(1, Math.round((perSecond * referenceLoopMs) / loopMs));
}
