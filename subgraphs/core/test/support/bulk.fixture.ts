/** For tests: bulk changes of jobs in a domain of its own. */
import type { Principal } from '@rhizome/authz';
import { testPrincipal } from '@rhizome/testkit';
import type { BulkAnswer, BulkInput } from '../../src/jobs/bulk/bulk.service.js';
import type { BulkKind } from '../../src/jobs/bulk/bulk.types.js';
import type { JobSpec } from '../../src/jobs/submit/submit.types.js';
import {
  aSpec,
  freshKey,
  idsOf,
  someone,
  testDomain,
  type TestDomain,
  type TestProcess,
} from './job-domain.fixture.js';

/** A domain with one process, and calls of it. */
export interface BulkDomain {
  readonly shared: TestDomain;
  readonly process: TestProcess;
  /** Submits equal jobs. @returns their ids */
  readonly submit: (count: number, over?: Partial<JobSpec>, experiment?: string) => Promise<string[]>;
  /** Makes a change; by default as `someone` on {@link process}. @throws Error if it is refused as a whole */
  readonly change: (
    kind: BulkKind,
    input: BulkInput,
    principal?: Principal,
    on?: TestProcess,
  ) => Promise<BulkAnswer>;
}

/** Starts the domain. */
export async function bulkDomain(name: string): Promise<BulkDomain> {
  const shared = await testDomain(name);
  const process = await shared.process();
  return {
    shared,
    process,
    submit: async (count, over = {}, experiment = 'alpha') => {
      const jobs = Array.from({ length: count }, () => aSpec(over));
      const caller = testPrincipal({ subject: 'someone@example' });
      const input = { experiment, idempotencyKey: freshKey(), jobs };
      return idsOf((await process.domain.submits.submit(caller, input)).jobs);
    },
    change: async (kind, input, principal = someone, on = process) => {
      const result = await on.domain.bulk.change(principal, kind, input);
      if ('userErrors' in result) throw new Error(JSON.stringify(result.userErrors));
      return result.answer;
    },
  };
}

/** Input of a change of jobs by id. */
export const ofIds = (
  ids: readonly string[],
  parameters: BulkInput['parameters'] = {},
  idempotencyKey?: string,
): BulkInput => ({ selection: { ids }, parameters, idempotencyKey });
