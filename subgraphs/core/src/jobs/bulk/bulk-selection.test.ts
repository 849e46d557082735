import { describe, expect, it } from '@jest/globals';
import { canaryOwner } from '../model/canary-owner.js';
import type { JobCriteria } from '../model/job-filter.js';
import { planSelection } from './bulk-selection.js';

const ownersOf = (criteria: JobCriteria) =>
  planSelection(criteria, '*', ['alpha']).branches.map(({ owner }) => owner);

describe('a filter of a change', () => {
  it.each<[string, JobCriteria]>([
    ['states', { states: ['FAILED'] }],
    ['experiments', { experiments: ['alpha'] }],
    ['queues', { queueIds: ['queue_1'] }],
  ])('leaves out canary jobs if it names %s', (_name, criteria) => {
    const owners = ownersOf(criteria);
    expect(owners).toEqual(owners.map(() => ({ $ne: canaryOwner })));
    expect(owners.length).toBeGreaterThan(0);
  });

  it('selects canary jobs by their owner or id', () => {
    expect(JSON.stringify(ownersOf({ owners: [canaryOwner] }))).toContain(canaryOwner);
    expect(JSON.stringify(ownersOf({ owners: [canaryOwner] }))).not.toContain('$ne');
    expect(ownersOf({ ids: ['job_1'] })).toEqual([undefined]);
  });
});
