/** Layout of a production task over the jobs of one core task. Pure functions. */
import type { ProductionTaskDocument, Step } from './production-task.document.js';

/** Parameters of the layout. */
export type ChainShape = Pick<ProductionTaskDocument, 'totalEvents' | 'eventsPerJob'> & {
  readonly transforms: readonly { readonly step: Step }[];
};

/** One job: its step, and the events it works on. */
export interface ChainJob {
  /** Position in the transforms. */
  readonly transform: number;
  readonly step: Step;
  /** The first event, from 0. */
  readonly firstEvent: number;
  readonly events: number;
  /** Positions of the jobs that it waits for. */
  readonly parents: readonly number[];
}

/** Jobs of each step before the merge. */
export function jobsPerStep({
  totalEvents,
  eventsPerJob,
}: Pick<ChainShape, 'totalEvents' | 'eventsPerJob'>): number {
  return Math.ceil(totalEvents / eventsPerJob);
}

/** Steps before the merge, each of which is split by events. */
function splitSteps({ transforms }: Pick<ChainShape, 'transforms'>): number {
  return transforms.filter(({ step }) => step !== 'MERGE').length;
}

/** Jobs in all. */
export function jobCount(shape: ChainShape): number {
  const merges = shape.transforms.length - splitSteps(shape);
  return splitSteps(shape) * jobsPerStep(shape) + merges;
}

/**
 * The job at a position: all jobs of the first step, then all of the second, each waiting for the one with
 * the same events of the step before, and at the end the merge, which waits for all of the last step.
 */
export function jobAt(shape: ChainShape, index: number): ChainJob {
  const width = jobsPerStep(shape);
  const rows = splitSteps(shape);
  const { totalEvents, eventsPerJob, transforms } = shape;
  const transform = Math.min(Math.floor(index / width), rows);
  const step = transforms[transform]?.step;
  if (index < 0 || index >= jobCount(shape) || step === undefined)
    throw new RangeError(`position ${index} is not in 0 to ${jobCount(shape) - 1}`);
  if (transform === rows) {
    const parents = Array.from({ length: width }, (_, column) => (rows - 1) * width + column);
    return { transform, step, firstEvent: 0, events: totalEvents, parents };
  }
  const firstEvent = (index % width) * eventsPerJob;
  const events = Math.min(eventsPerJob, totalEvents - firstEvent);
  return { transform, step, firstEvent, events, parents: transform === 0 ? [] : [index - width] };
}

/** Returns true for jobs of the last step before the merge: their events have passed the whole chain. */
export function isLastSplit(shape: ChainShape, { transform }: ChainJob): boolean {
  return transform === splitSteps(shape) - 1;
}
