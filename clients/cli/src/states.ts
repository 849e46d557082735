/** Values that flags accept; the compiler checks them against the operations of the command line. */
import * as values from '@rhizome/client/states';
import type {
  AuditEntryKind,
  AuditResult,
  DowntimeState,
  ErrorGrouping,
  GrantableRole,
  HostState,
  JobErrorFamily,
  JobState,
  NoticeSignal,
  OnDisconnect,
  ProposalStatus,
  QueueExecutor,
  QueueIsolation,
  QueueState,
  TaskState,
  WorkerEnrolmentState,
  WorkerState,
} from './operations.generated.js';

/** States of jobs. */
export const jobStates: readonly JobState[] = values.jobStates;
/** Families of errors. */
export const jobErrorFamilies: readonly JobErrorFamily[] = values.jobErrorFamilies;
/** States of tasks. */
export const taskStates: readonly TaskState[] = values.taskStates;
/** States of queues. */
export const queueStates: readonly QueueState[] = values.queueStates;
/** States of downtimes. */
export const downtimeStates: readonly DowntimeState[] = values.downtimeStates;
/** States of hosts. */
export const hostStates: readonly HostState[] = values.hostStates;
/** Executors of queues. */
export const queueExecutors: readonly QueueExecutor[] = values.queueExecutors;
/** Isolation of the payloads of queues. */
export const queueIsolations: readonly QueueIsolation[] = values.queueIsolations;
/** Handling of payloads whose worker has no contact. */
export const onDisconnects: readonly OnDisconnect[] = values.onDisconnects;
/** Signals by which payloads receive notice of their end. */
export const noticeSignals: readonly NoticeSignal[] = values.noticeSignals;
/** States of workers. */
export const workerStates: readonly WorkerState[] = values.workerStates;
/** States of the enrolments of workers. */
export const enrolmentStates: readonly WorkerEnrolmentState[] = values.workerEnrolmentStates;
/** Roles that people and groups get. */
export const grantableRoles: readonly GrantableRole[] = values.grantableRoles;
/** Statuses of proposals. */
export const proposalStatuses: readonly ProposalStatus[] = values.proposalStatuses;
/** Kinds of entries of the audit log. */
export const auditKinds: readonly AuditEntryKind[] = values.auditKinds;
/** Results of calls in the audit log. */
export const auditResults: readonly AuditResult[] = values.auditResults;
/** Fields by which failures are grouped. */
export const errorGroupings: readonly ErrorGrouping[] = values.errorGroupings;
