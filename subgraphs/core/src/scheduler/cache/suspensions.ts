/** Keeps the windows on ready jobs free of the jobs of suspended tasks. */
import type { SuspensionChange } from '../../tasks/control/suspended-task.types.js';
import type { RequirementClasses } from '../requirements/requirement-classes.js';
import type { ReadyWindows } from './ready-windows.js';
import type { Refills } from './refills.js';
import type { ReadyKind, SchedulerJobsRepository } from './scheduler-jobs.repository.js';

/** Windows of a term, and what reads them. */
export interface SuspendedWindows {
  readonly windows: ReadyWindows;
  readonly refills: Refills;
  readonly jobs: Pick<SchedulerJobsRepository, 'readyKinds'>;
  readonly classes: RequirementClasses;
  readonly signal: AbortSignal;
}

/** Takes the jobs of suspended tasks out of the windows, and reads those of resumed tasks. */
export async function applySuspensions(
  parts: SuspendedWindows,
  { suspended, resumed }: SuspensionChange,
): Promise<void> {
  const taken = new Set(suspended.map(({ id }) => id));
  if (taken.size > 0) for (const window of parts.windows.all()) window.removeTasks((id) => taken.has(id));
  if (resumed.length > 0) await readSharesAgain(parts, new Set(resumed.map(({ share }) => share)));
}

/** Windows were read without the jobs of resumed tasks, which may come before jobs in them. */
async function readSharesAgain(
  { windows, refills, jobs, classes, signal }: SuspendedWindows,
  shares: ReadonlySet<string>,
): Promise<void> {
  const kinds: ReadyKind[] = [];
  for await (const kind of jobs.readyKinds(signal)) if (shares.has(kind.share)) kinds.push(kind);
  for (const share of shares) for (const classId of windows.drop(share)) windows.open(share, classId);
  const opened = kinds.map(({ share, classId }) => windows.open(share, classId));
  await classes.load(opened.map(({ classId }) => classId));
  await refills.run(opened);
}
