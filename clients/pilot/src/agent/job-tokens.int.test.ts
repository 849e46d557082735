import { describe, expect, it } from '@jest/globals';
import { pauseProcess } from '@rhizome/testkit';
import type { FailReport } from '../protocol/core-protocol.js';
import { pilotSetup, supervisorsOfThisProcess } from '../testing/pilot-setup.js';

const setup = pilotSetup();

describe('the token of a job', () => {
  it('is hidden in its log if it is renewed while the payload starts', async () => {
    const { core } = setup;
    const tokens = ['first-token-of-job', 'second-token-of-job'];
    let continueSupervisor: () => void = () => undefined;
    core.attemptToken = async () => {
      const token = tokens.shift() ?? 'another-token';
      if (token.startsWith('first')) {
        const [supervisor = 0] = supervisorsOfThisProcess();
        continueSupervisor = await pauseProcess(supervisor);
        return { token, expiresInSeconds: 2, storages: [] };
      }
      await core.until('job_a starts', setup.isRunning('job_a'));
      // The pilot handles the token before the answer of the supervisor.
      setImmediate(continueSupervisor);
      return { token, expiresInSeconds: 1200, storages: [] };
    };
    core.add({
      jobId: 'job_a',
      shell:
        'until grep -q second "$RHIZOME_JOB_TOKEN_FILE"; do sleep 0.1; done; cat "$RHIZOME_JOB_TOKEN_FILE"',
      payload: { isTokenRequired: true },
    });
    setup.start();
    await core.until('job_a ends', setup.ended('job_a'));
    expect(setup.detailOf<FailReport>('failed', 'job_a')).toBeUndefined();
    expect(core.logOf('job_a')).toBe('***');
  });
});
