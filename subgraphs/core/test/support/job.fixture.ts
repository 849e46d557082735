/** Jobs for tests. */
import { normaliseRequirements, normaliseRetry } from '../../src/jobs/submit/normalise.js';
import { newJobDocument, type NewJob } from '../../src/jobs/model/new-job.js';
import type { JobDocument } from '../../src/jobs/model/job.types.js';

/** Document of a small job of the experiment "alpha", with changes. */
export function aJob(
  id: string,
  over: Partial<NewJob> & { readonly document?: Partial<JobDocument> } = {},
  now = new Date('2030-01-01T00:00:00Z'),
): JobDocument {
  const { document, ...job } = over;
  const made = newJobDocument(
    {
      id,
      createdAt: now,
      experiment: 'alpha',
      name: `job ${id}`,
      owner: 'someone@example',
      share: 'alpha/default',
      priority: 0,
      labels: [],
      requirements: normaliseRequirements({}),
      classId: 'class_test',
      payload: { command: 'true', arguments: [], environment: [], inputs: [], outputs: [] },
      retry: normaliseRetry(null),
      dependsOn: [],
      waitingFor: [],
      ...job,
    },
    now,
  );
  return { ...made, ...document };
}
