/** Resolvers of changes of tasks: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import type { Resolvers, TaskValue } from '../../types.generated.js';
import type { TaskValueName } from '../changes/task-change.types.js';

/** Names of values in the schema. */
const valueNames: Readonly<Record<TaskValueName, TaskValue>> = {
  priority: 'PRIORITY',
  memoryMiB: 'MEMORY_MIB',
  diskMiB: 'DISK_MIB',
  walltimeSeconds: 'WALLTIME_SECONDS',
  queue: 'QUEUE',
  maxAttempts: 'MAX_ATTEMPTS',
  share: 'SHARE',
  maxRunningJobs: 'MAX_RUNNING_JOBS',
};

/** Resolvers of this folder's SDL of changes. */
export const taskChangeResolvers: Pick<Resolvers, 'Mutation' | 'Task' | 'TaskChange' | 'TaskValueChange'> = {
  Mutation: {
    changeTask: (_parent, { input }, { core, principal }) => core.taskChanges.change(principal, input),
  },
  Task: {
    changes: ({ changes = [], openChange }) =>
      changes.map((change) => ({ ...change, open: change.id === openChange?.id ? openChange : undefined })),
  },
  TaskChange: {
    by: ({ by: subject }) => ({ subject }),
    changedJobCount: ({ changedJobs, open }) => changedJobs ?? open?.changedJobs ?? 0,
    keptJobCount: ({ keptJobs, open }) => keptJobs ?? open?.keptJobs ?? 0,
  },
  TaskValueChange: { field: ({ field }) => valueNames[field] },
};

/** Access policies of the root fields of changes. The service checks the permission of each value. */
export const taskChangePolicies: Policies = {
  'Mutation.changeTask': { action: 'job:hold' },
};
