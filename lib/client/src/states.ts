/** Values of the API that clients show and accept, and the phases of a job. Imports no other module. */
import { jobStates } from './enums.generated.js';

export {
  auditKinds,
  auditResults,
  downtimeStates,
  errorGroupings,
  gpuVendors,
  grantableRoles,
  hostStates,
  jobErrorFamilies,
  jobStates,
  noticeSignals,
  onDisconnects,
  proposalStatuses,
  queueExecutors,
  queueIsolations,
  queueStates,
  taskStates,
  workerEnrolmentStates,
  workerStates,
  workflowStates,
} from './enums.generated.js';

type JobState = (typeof jobStates)[number];

/** Phase of a job in each state. The compiler requires an entry for each state. */
const endings: Readonly<Record<JobState, 'live' | 'succeeded' | 'failed'>> = {
  PENDING: 'live',
  ACTIVATED: 'live',
  THROTTLED: 'live',
  SENT: 'live',
  STARTING: 'live',
  RUNNING: 'live',
  HOLDING: 'live',
  TRANSFERRING: 'live',
  FINISHED: 'succeeded',
  FAILED: 'failed',
  CANCELLED: 'failed',
  CLOSED: 'failed',
};

/** States of a job that has not ended, in the order of its life cycle. */
export const liveJobStates: readonly JobState[] = jobStates.filter((state) => endings[state] === 'live');

/** States of a job that ended without success. */
export const failedJobStates: readonly JobState[] = jobStates.filter((state) => endings[state] === 'failed');
