/** Resolvers of diagnoses: unpack, call, map. */
import { DomainError } from '@rhizome/errors';
import { defineLoader } from '@rhizome/subgraph';
import type { Context } from '../../context.js';
import { explanationCaller } from '../../jobs/graphql/job-loader.js';
import type { JobDocument } from '../../jobs/model/job.types.js';
import type { Resolvers } from '../../types.generated.js';
import type { Diagnosis } from '../diagnosis.types.js';

/** Most jobs of one operation that are explained. */
const mostJobs = 20;

/** Jobs explained so far, by the loaders of their operations. */
const explained = new WeakMap<object, number>();

/** Diagnoses of jobs; those of a list are made together. */
const jobDiagnosis = defineLoader<JobDocument, Diagnosis, Context>({
  name: 'JobDiagnosis',
  cacheKey: ({ _id }) => _id,
  load: async (jobs, context) => {
    const before = explained.get(context.loaders) ?? 0;
    explained.set(context.loaders, before + jobs.length);
    const within = jobs.slice(0, Math.max(0, mostJobs - before));
    const caller = { ...explanationCaller(context), principal: context.principal };
    const found = within.length === 0 ? [] : await context.core.diagnoses.ofJobs(within, caller);
    return jobs.map((_, at) => found[at] ?? tooMany());
  },
});

function tooMany(): DomainError {
  const expected = `at most ${mostJobs} jobs`;
  const text = `diagnosis: the operation selects it for more jobs than allowed; must be ${expected}`;
  return new DomainError('OPERATION_TOO_COMPLEX', text, { field: 'diagnosis', expected });
}

/** Resolvers of this folder's SDL. */
export const diagnosisResolvers: Pick<
  Resolvers,
  'DiagnosisCause' | 'DiagnosisEvidence' | 'DiagnosisTarget' | 'DiagnosisAction'
> & {
  readonly Job: Pick<NonNullable<Resolvers['Job']>, 'diagnosis'>;
} = {
  Job: {
    diagnosis: (job, _args, { loaders }) => loaders.load(jobDiagnosis, job),
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
