/** Processes that want to outlive their job, with and without a sandbox. */
import { describe, expect, it } from '@jest/globals';
import { processesWith } from '../testing/command-lines.js';
import { testIsolation, withoutIsolation } from '../testing/pilot-options.js';
import { pilotSetup } from '../testing/pilot-setup.js';

const setup = pilotSetup();

describe.each([
  ['a sandbox', testIsolation],
  ['no sandbox', withoutIsolation],
])('a job in %s', (_, isolation) => {
  it.each([
    ['a new session without variables', '311', 'env -i setsid sh -c "sleep 311 & exit 0"'],
    ['an open output', '312', 'env -i setsid sh -c "setsid sleep 312 &" & wait'],
    ['the id of another attempt', '313', 'RHIZOME_ATTEMPT_ID=att_other setsid sh -c "sleep 313 &" & wait'],
    ['a lowered mark', '314', 'env -i /usr/bin/prlimit --locks=7:7 setsid sh -c "sleep 314 &" & wait'],
  ])('leaves no process behind: %s', async (_name, argument, shell) => {
    setup.core.add({ jobId: 'job_a', shell });
    setup.start({ isolation });
    await setup.core.until('job_a ends', setup.ended('job_a'));
    expect(setup.core.about('job_a')).toContain('FINISHED');
    expect(processesWith(argument)).toEqual([]);
  });
});
