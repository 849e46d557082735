/** Checks changes of tasks as callers give them. */
import type { CoreAction } from '@rhizome/authz';
import type { JobInputErrors } from '../../jobs/submit/job-input-error.types.js';
import { mostDiskMiB, mostMemoryMiB } from '../../jobs/submit/job-input.js';
import { maxAttempts as mostAttempts } from '../../jobs/transitions/attempt-updates.js';
import type { QueueBounds } from '../../jobs/ports.js';
import { longestWalltimeSeconds } from '../../queues/walltime.js';
import type { ShapeClass } from '../scouts/scouts.repository.js';
import type { StoredTaskValues, TaskValueName } from './task-change.types.js';

/** Values as a caller gives them; those that are left out stay as they are. */
export type TaskValues = { readonly [K in TaskValueName]?: StoredTaskValues[K] | null };

/** Largest limit on running jobs of a task. */
export const mostRunningJobs = 1_000_000;

const path = ['changes'];

/** Smallest and largest value. */
const ranges = {
  priority: [-1000, 1000],
  memoryMiB: [1, mostMemoryMiB],
  diskMiB: [0, mostDiskMiB],
  walltimeSeconds: [1, longestWalltimeSeconds],
  maxAttempts: [1, mostAttempts],
  maxRunningJobs: [1, mostRunningJobs],
} as const satisfies Partial<Record<TaskValueName, readonly [number, number]>>;

/** Permission that each value needs: that of the same change of jobs, or of their submit. */
const permissions: Readonly<Record<TaskValueName, CoreAction>> = {
  priority: 'job:setPriority',
  memoryMiB: 'job:retry',
  diskMiB: 'job:retry',
  walltimeSeconds: 'job:retry',
  queue: 'job:retry',
  maxAttempts: 'job:retry',
  share: 'job:submit',
  maxRunningJobs: 'job:hold',
};

/** Permissions that a change needs. */
export function permissionsOf(values: StoredTaskValues): readonly CoreAction[] {
  return [...new Set((Object.keys(values) as TaskValueName[]).map((name) => permissions[name]))];
}

/** The given values, in their stored form. Null means any queue, no limit, and no change of other values. */
export function givenValues({ queue, maxRunningJobs, ...values }: TaskValues): StoredTaskValues {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== null);
  return {
    ...(Object.fromEntries(given) as StoredTaskValues),
    ...(queue === undefined ? {} : { queue }),
    ...(maxRunningJobs === undefined ? {} : { maxRunningJobs }),
  };
}

/** Checks the form of the values. */
export function checkValues(values: StoredTaskValues, errors: JobInputErrors): void {
  if (Object.keys(values).length === 0) errors.add(path, {}, 'at least one value to change');
  for (const [name, [least, most]] of Object.entries(ranges)) {
    const value = values[name as keyof typeof ranges];
    if (value != null) errors.int([...path, name], value, least, most);
  }
  if (values.queue != null) errors.line([...path, 'queue'], values.queue, 1, 63);
  if (values.share !== undefined) errors.line([...path, 'share'], values.share, 1, 255);
}

/** Checks that a queue can run the jobs: those that never fit would wait without end. */
export function checkBounds(
  shapes: readonly ShapeClass[],
  { maxCores, maxMemoryMiB, maxWalltimeSeconds }: QueueBounds,
  values: StoredTaskValues,
  errors: JobInputErrors,
): void {
  const most = (of: (shape: ShapeClass) => number): number => Math.max(...shapes.map(of));
  const amounts = [
    ['cores', most(({ requirements }) => requirements.cores), maxCores],
    ['memoryMiB', most(({ requirements }) => requirements.memoryMiB), maxMemoryMiB],
    ['walltimeSeconds', most(({ requirements }) => requirements.walltimeSeconds), maxWalltimeSeconds],
  ] as const;
  for (const [name, needed, limit] of amounts) {
    if (limit === undefined || needed <= limit) continue;
    if (name !== 'cores' && values[name] !== undefined)
      errors.add([...path, name], values[name], `at most ${limit}, which the queue of the jobs allows`);
    else if (values.queue != null)
      errors.add(
        [...path, 'queue'],
        values.queue,
        `a queue that allows ${name} ${needed}; this one allows ${limit}`,
      );
  }
}
