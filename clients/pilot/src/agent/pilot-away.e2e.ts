import { describe, expect, test } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { payloadsOfThisProcess, pilotRoom } from '../testing/pilot-room.js';

const room = pilotRoom();

describe('when core cannot be reached', () => {
  test('for less than the lease, the job goes on and its end is told once core is back', async () => {
    room.core.lease = { heartbeatSeconds: 0.2, leaseSeconds: 5 };
    const go = join(room.folder, 'go');
    room.core.add({ jobId: 'job_a', shell: `echo up; until test -e ${go}; do sleep 0.05; done; echo down` });
    room.start();
    await room.core.until('job_a is up', () => room.core.logOf('job_a') === 'up\n');
    room.core.mood = 'away';
    await writeFile(go, '');
    await pause(1500);
    room.core.mood = 'here';
    await room.core.until('job_a ends', room.ended('job_a'));
    expect(room.core.about('job_a')).toEqual(['sent', 'RUNNING', 'FINISHED']);
    expect(room.core.logOf('job_a')).toBe('up\ndown\n');
  });

  test('and its answers are lost, what was said twice counts once', async () => {
    room.core.lease = { heartbeatSeconds: 0.2, leaseSeconds: 5 };
    const go = join(room.folder, 'go');
    room.core.add({ jobId: 'job_a', shell: `echo up; until test -e ${go}; do sleep 0.05; done; echo down` });
    room.start();
    await room.core.until('job_a is up', () => room.core.logOf('job_a') === 'up\n');
    room.core.mood = 'mute';
    await writeFile(go, '');
    await room.core.until(
      'the log was sent twice',
      () => room.core.calls.filter((call) => call === 'appendJobLog').length >= 4,
    );
    room.core.mood = 'here';
    await room.core.until(
      'the pilot has nothing left to say',
      () => payloadsOfThisProcess().length === 0 && room.ended('job_a')(),
    );
    expect(room.core.logOf('job_a')).toBe('up\ndown\n');
    expect(room.core.about('job_a')).toEqual(['sent', 'RUNNING', 'FINISHED']);
  });

  test('for longer than the lease, its jobs end unsaid and it comes back as another worker', async () => {
    room.core.lease = { heartbeatSeconds: 0.2, leaseSeconds: 1 };
    room.core.add({ jobId: 'job_a', shell: 'trap "" TERM; echo up; while :; do sleep 0.05; done' });
    room.start();
    await room.core.until('job_a is up', () => room.core.logOf('job_a') === 'up\n');
    room.core.mood = 'away';
    const before = performance.now();
    await room.core.until('nothing of it runs', () => payloadsOfThisProcess().length === 0);
    // The lease counts from the last sign of life that was answered; after it SIGTERM, the grace, SIGKILL.
    expect(performance.now() - before).toBeLessThan(1000 + 500 + 1500);
    room.core.mood = 'here';
    room.core.add({ jobId: 'job_b' });
    await room.core.until('job_b ends', room.ended('job_b'));
    expect(room.core.about('job_a')).toEqual(['sent', 'RUNNING']);
    expect(room.core.said.filter(({ what }) => what === 'registered')).toHaveLength(2);
  });

  test('a job that ended while its fence was raised is not told: core refuses it, once', async () => {
    const go = join(room.folder, 'go');
    room.core.add({ jobId: 'job_a', shell: `echo up; until [ -e ${go} ]; do sleep 0.02; done` });
    room.core.lease = { heartbeatSeconds: 30, leaseSeconds: 60 };
    room.start();
    await room.core.until('job_a is up', () => room.core.logOf('job_a') === 'up\n');
    room.core.take('job_a', 'DROP', false);
    await writeFile(go, '');
    await room.core.until('its word was refused', () => room.core.about('job_a').includes('refused'));
    room.core.add({ jobId: 'job_b' });
    await room.core.until('job_b ends', room.ended('job_b'));
    expect(room.core.about('job_a')).toEqual(['sent', 'RUNNING', 'refused']);
  });
});
