/** Resolvers of scouts: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import type { Resolvers } from '../../types.generated.js';
import { scoutSummary } from '../scouts/scout-summary.js';
import type { StoredScouts } from '../scouts/scouts.types.js';
import { scoutedAmounts } from '../scouts/scout-input.js';
import type { TaskFacts } from '../task.document.js';
import { progressLoader } from './task-loader.js';

/** Resolvers of this folder's SDL of scouts. */
export const scoutResolvers: Pick<
  Resolvers,
  'Mutation' | 'Task' | 'TaskScouts' | 'ScoutResult' | 'ScoutedShape' | 'ScoutedAmount' | 'ScoutUse'
> = {
  Mutation: {
    endScouting: (_parent, { input }, { core, principal }) => core.scoutingCommands.end(principal, input),
  },
  Task: { scouts: (task) => (task.scouts ? task : null) },
  TaskScouts: {
    count: (task) => scoutsOf(task).count,
    maxFailedFraction: (task) => scoutsOf(task).maxFailedFraction,
    rules: (task) => {
      const { rules } = scoutsOf(task);
      return scoutedAmounts.flatMap(([, field]) => {
        const rule = rules[field];
        return rule ? [{ field, ...rule }] : [];
      });
    },
    summary: async (task, _args, { loaders }) =>
      scoutSummary(task, (await loaders.load(progressLoader, task))?.states ?? {}),
    result: (task) => scoutsOf(task).result ?? null,
  },
  ScoutResult: {
    by: ({ by: subject }) => (subject === undefined ? null : { subject }),
    finishedCount: ({ finished }) => finished,
  },
  ScoutedShape: { finishedCount: ({ finished }) => finished },
  ScoutedAmount: { isOverridden: ({ isOverridden }) => isOverridden === true },
  ScoutUse: { measuredCount: ({ measured }) => measured },
};

function scoutsOf({ _id, scouts }: TaskFacts): StoredScouts {
  if (scouts) return scouts;
  throw new Error(`task ${_id} has no scouts`);
}

/** Access policies of the root fields of scouts. */
export const scoutPolicies: Policies = {
  'Mutation.endScouting': { action: 'job:hold' },
};
