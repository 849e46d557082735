/** A benchmark and its options. */
import type { Calibration } from './calibration.js';
import type { GridScale } from './grid/scale.js';
import type { Row } from './report.js';

/** Options of a run. */
export interface BenchOptions {
  /** Largest size. */
  readonly full: boolean;
  /** Short run where possible: figures for daily work, not for reports. */
  readonly brief: boolean;
  /** The machine, measured at the start of the same run. */
  readonly machine: Calibration;
  /** Size of the benchmark `grid`. */
  readonly grid: GridScale;
  progress(text: string): void;
}

/** One benchmark. */
export interface Bench {
  readonly name: string;
  readonly about: string;
  run(options: BenchOptions): Promise<readonly Row[]>;
}
