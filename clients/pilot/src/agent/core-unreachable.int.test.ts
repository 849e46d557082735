import { describe, expect, it } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { payloadsOfThisProcess, pilotSetup } from '../testing/pilot-setup.js';

const setup = pilotSetup();

describe('a pilot that cannot reach core', () => {
  it('continues the job during the lease, and reports its end once core is back', async () => {
    setup.core.lease = { heartbeatSeconds: 0.2, leaseSeconds: 5 };
    const go = join(setup.folder, 'go');
    setup.core.add({ jobId: 'job_a', shell: `echo up; until test -e ${go}; do sleep 0.05; done; echo down` });
    setup.start();
    await setup.core.until('job_a is up', () => setup.core.logOf('job_a') === 'up\n');
    setup.core.mood = 'away';
    await writeFile(go, '');
    await pause(1500);
    setup.core.mood = 'here';
    await setup.core.until('job_a ends', setup.ended('job_a'));
    expect(setup.core.about('job_a')).toEqual(['sent', 'RUNNING', 'FINISHED']);
    expect(setup.core.logOf('job_a')).toBe('up\ndown\n');
  });

  it('repeats reports whose responses were lost, and they count once', async () => {
    setup.core.lease = { heartbeatSeconds: 0.2, leaseSeconds: 5 };
    const go = join(setup.folder, 'go');
    setup.core.add({ jobId: 'job_a', shell: `echo up; until test -e ${go}; do sleep 0.05; done; echo down` });
    setup.start();
    await setup.core.until('job_a is up', () => setup.core.logOf('job_a') === 'up\n');
    setup.core.mood = 'mute';
    await writeFile(go, '');
    await setup.core.until(
      'the log was sent twice',
      () => setup.core.calls.filter((call) => call === 'appendJobLog').length >= 4,
    );
    setup.core.mood = 'here';
    await setup.core.until(
      'the pilot has nothing left to say',
      () => payloadsOfThisProcess().length === 0 && setup.ended('job_a')(),
    );
    expect(setup.core.logOf('job_a')).toBe('up\ndown\n');
    expect(setup.core.about('job_a')).toEqual(['sent', 'RUNNING', 'FINISHED']);
  });

  it('ends its jobs after the lease, and comes back as another worker', async () => {
    setup.core.lease = { heartbeatSeconds: 0.2, leaseSeconds: 1 };
    setup.core.add({ jobId: 'job_a', shell: 'trap "" TERM; echo up; while :; do sleep 0.05; done' });
    setup.start();
    await setup.core.until('job_a is up', () => setup.core.logOf('job_a') === 'up\n');
    setup.core.mood = 'away';
    await setup.core.until('nothing of it runs', () => payloadsOfThisProcess().length === 0);
    setup.core.mood = 'here';
    setup.core.add({ jobId: 'job_b' });
    await setup.core.until('job_b ends', setup.ended('job_b'));
    expect(setup.core.about('job_a')).toEqual(['sent', 'RUNNING']);
    expect(setup.core.said.filter(({ what }) => what === 'registered')).toHaveLength(2);
  });

  it('does not report a job again after core refused its fence', async () => {
    const go = join(setup.folder, 'go');
    setup.core.add({ jobId: 'job_a', shell: `echo up; until [ -e ${go} ]; do sleep 0.02; done` });
    setup.core.lease = { heartbeatSeconds: 30, leaseSeconds: 60 };
    setup.start();
    await setup.core.until('job_a is up', () => setup.core.logOf('job_a') === 'up\n');
    setup.core.withdraw('job_a', 'DROP', false);
    await writeFile(go, '');
    await setup.core.until('its word was refused', () => setup.core.about('job_a').includes('refused'));
    setup.core.add({ jobId: 'job_b' });
    await setup.core.until('job_b ends', setup.ended('job_b'));
    expect(setup.core.about('job_a')).toEqual(['sent', 'RUNNING', 'refused']);
  });
});
