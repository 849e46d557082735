/** For tests: records what callers of core's services received, for the check of the history. */
import { recordAnswer, type TestDatabase } from '@rhizome/testkit';
import type { JobDomain } from '../../src/composition/job-domain.js';
import type { BulkService } from '../../src/jobs/bulk/bulk.service.js';
import type { SubmitService } from '../../src/jobs/submit/submit.service.js';
import type { GroupingTransitionWriter } from '../../src/jobs/transitions/transition-writer.js';
import { instead } from './instead.fixture.js';

/** A domain whose answers to submits and cancels are recorded. */
export function recordedDomain(db: TestDatabase, domain: JobDomain): JobDomain {
  const submit: SubmitService['submit'] = async (principal, input) => {
    const result = await domain.submits.submit(principal, input);
    const jobIds = result.jobs.map((job) => job?._id ?? '');
    const key = [principal.subject, input.onBehalfOf, input.experiment, input.idempotencyKey].join(' ');
    if (jobIds.some((id) => id !== '')) recordAnswer(db, { kind: 'SUBMIT', key, jobIds });
    return result;
  };
  const change: BulkService['change'] = async (principal, kind, input) => {
    const result = await domain.bulk.change(principal, kind, input);
    if (kind === 'CANCEL' && 'answer' in result)
      for (const jobId of result.answer.changedIds ?? []) recordAnswer(db, { kind: 'CANCEL', jobId });
    return result;
  };
  return { ...domain, submits: instead(domain.submits, { submit }), bulk: instead(domain.bulk, { change }) };
}

/** A writer whose applied cancels are recorded, as those of a caller. */
export function recordedWriter(db: TestDatabase, writer: GroupingTransitionWriter): GroupingTransitionWriter {
  return instead(writer, {
    async apply(requests) {
      const outcomes = await writer.apply(requests);
      for (const [index, { jobId, to, by }] of requests.entries())
        if (to === 'CANCELLED' && by === 'principal' && outcomes[index]?.applied)
          recordAnswer(db, { kind: 'CANCEL', jobId });
      return outcomes;
    },
  });
}
