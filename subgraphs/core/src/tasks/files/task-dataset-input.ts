/** Checks the form of a division of a dataset. */
import type { JobInputErrors } from '../../jobs/submit/job-input-error.types.js';
import type { TaskDatasetSpec } from './task-dataset.types.js';
import { mostInputs, mostJobs } from './task-files.js';

const path = ['jobs', 'dataset'] as const;
const mostEvents = 1_000_000_000_000;
/** 1 PiB. */
const mostBytes = 1_125_899_906_842_624;

/** @param ownInputs number of inputs of the template */
export function checkTaskDataset(
  { by, perJob, maxJobs, localityWeight }: TaskDatasetSpec,
  ownInputs: number,
  errors: JobInputErrors,
): void {
  const most = { FILES: mostInputs - ownInputs, EVENTS: mostEvents, BYTES: mostBytes };
  if (ownInputs >= mostInputs)
    errors.add(
      ['template', 'payload', 'inputs'],
      `${ownInputs} entries`,
      `at most ${mostInputs - 1} entries`,
    );
  if (maxJobs != null) errors.int([...path, 'maxJobs'], maxJobs, 1, mostJobs);
  errors.int([...path, 'localityWeight'], localityWeight, 0, 100);
  if (by === 'KEY') {
    if (perJob != null) errors.add([...path, 'perJob'], perJob, 'absent with KEY');
    return;
  }
  const kind = by ?? 'FILES';
  if (perJob == null && kind !== 'FILES') errors.add([...path, 'perJob'], null, `a number with ${kind}`);
  else errors.int([...path, 'perJob'], perJob ?? 1, 1, most[kind]);
}
