/** Resolvers of diagnoses: unpack, call, map. */
import { DomainError } from '@rhizome/errors';
import { defineLoader } from '@rhizome/subgraph';
import type { GraphQLResolveInfo } from 'graphql';
import type { Context } from '../../context.js';
import { explanationCaller } from '../../jobs/graphql/job-loader.js';
import type { JobDocument } from '../../jobs/model/job.types.js';
import type { Resolvers } from '../../types.generated.js';
import type { DiagnosisCaller } from '../diagnoses.service.js';
import type { Diagnosis } from '../diagnosis.types.js';

/** Most jobs of one operation that are explained. */
const mostJobs = 20;

/** Most tasks, queues and sites of one operation that are explained. */
const mostGroups = 5;

/** Objects explained so far, by the loaders of their operations. */
const explained = new WeakMap<object, number>();
const explainedGroups = new WeakMap<object, number>();

/** Diagnoses of jobs; those of a list are made together. */
const jobDiagnosis = defineLoader<JobDocument, Diagnosis, Context>({
  name: 'JobDiagnosis',
  cacheKey: ({ _id }) => _id,
  load: async (jobs, context) => {
    const before = explained.get(context.loaders) ?? 0;
    explained.set(context.loaders, before + jobs.length);
    const within = jobs.slice(0, Math.max(0, mostJobs - before));
    const found = within.length === 0 ? [] : await context.core.diagnoses.ofJobs(within, callerOf(context));
    return jobs.map((_, at) => found[at] ?? tooMany(`${mostJobs} jobs`));
  },
});

/** Refuses to explain each event of a stream. @throws DomainError OPERATION_TOO_COMPLEX */
function assertNoStream({ operation }: Pick<GraphQLResolveInfo, 'operation'>): void {
  if (operation.operation !== 'subscription') return;
  const expected = 'part of a query';
  const text = `diagnosis: a subscription selects it; must be ${expected}, such as Query.job`;
  throw new DomainError('OPERATION_TOO_COMPLEX', text, { field: 'diagnosis', expected });
}

/** Counts an object of the operation. @throws DomainError OPERATION_TOO_COMPLEX */
function assertMayExplain({ loaders }: Context): void {
  const before = explainedGroups.get(loaders) ?? 0;
  if (before >= mostGroups) throw tooMany(`${mostGroups} tasks, queues and sites`);
  explainedGroups.set(loaders, before + 1);
}

function callerOf(context: Context): DiagnosisCaller {
  return { ...explanationCaller(context), principal: context.principal };
}

function tooMany(most: string): DomainError {
  const expected = `at most ${most}`;
  const text = `diagnosis: the operation selects it for more objects than allowed; must be ${expected}`;
  return new DomainError('OPERATION_TOO_COMPLEX', text, { field: 'diagnosis', expected });
}

/** Resolvers of this folder's SDL. */
export const diagnosisResolvers: Pick<
  Resolvers,
  'DiagnosisCause' | 'DiagnosisEvidence' | 'DiagnosisTarget' | 'DiagnosisAction'
> & {
  readonly Job: Pick<NonNullable<Resolvers['Job']>, 'diagnosis'>;
  readonly Task: Pick<NonNullable<Resolvers['Task']>, 'diagnosis'>;
  readonly Queue: Pick<NonNullable<Resolvers['Queue']>, 'diagnosis'>;
  readonly Site: Pick<NonNullable<Resolvers['Site']>, 'diagnosis'>;
} = {
  Job: {
    diagnosis: (job, _args, { loaders }, info) => {
      assertNoStream(info);
      return loaders.load(jobDiagnosis, job);
    },
  },
  Task: {
    diagnosis: (task, _args, context, info) => {
      assertNoStream(info);
      assertMayExplain(context);
      return context.core.groupDiagnoses.ofTask(task, callerOf(context));
    },
  },
  Queue: {
    diagnosis: (queue, _args, context, info) => {
      assertNoStream(info);
      assertMayExplain(context);
      return context.core.groupDiagnoses.ofQueue(queue, callerOf(context));
    },
  },
  Site: {
    diagnosis: ({ name }, _args, context, info) => {
      assertNoStream(info);
      assertMayExplain(context);
      const queues = context.core.queues.ofSite(name, context.principal);
      return context.core.groupDiagnoses.ofSite(name, queues, callerOf(context));
    },
  },
  DiagnosisCause: { share: ({ share }) => share ?? null },
  DiagnosisEvidence: {
    target: ({ target }) => target ?? null,
    count: ({ count }) => count ?? null,
    since: ({ since }) => since ?? null,
  },
  DiagnosisTarget: { queueName: ({ queueName }) => queueName ?? null },
  DiagnosisAction: {
    operation: ({ operation }) => operation ?? null,
    variables: ({ variables }) => variables ?? null,
  },
};
