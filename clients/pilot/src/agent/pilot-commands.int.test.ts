import { describe, expect, test } from '@jest/globals';
import { payloadsOfThisProcess, pilotSetup } from '../testing/pilot-setup.js';

const setup = pilotSetup();

describe('orders', () => {
  test('KILL ends the payload within a second, and nothing more is said of the job', async () => {
    setup.core.add({ jobId: 'job_a', shell: 'echo up; sleep 30 & sleep 30' });
    setup.start();
    await setup.core.until('job_a is up', () => setup.core.logOf('job_a') === 'up\n');
    const before = performance.now();
    setup.core.take('job_a', 'KILL');
    await setup.core.until('nothing of it runs', () => payloadsOfThisProcess().length === 0);
    // A second is what is promised; a busy machine is given three.
    expect(performance.now() - before).toBeLessThan(3 * 1000);
    setup.core.add({ jobId: 'job_b', cores: 4 });
    await setup.core.until('its slots are free', setup.ended('job_b'));
    expect(setup.core.about('job_a')).toEqual(['sent', 'RUNNING']);
  });

  test('DROP ends also a payload that does not want to: after the grace it is killed', async () => {
    setup.core.add({ jobId: 'job_a', shell: 'trap "" TERM; echo up; while :; do sleep 0.05; done' });
    setup.start();
    await setup.core.until('job_a is up', () => setup.core.logOf('job_a') === 'up\n');
    const before = performance.now();
    setup.core.take('job_a', 'DROP');
    await setup.core.until('nothing of it runs', () => payloadsOfThisProcess().length === 0);
    expect(performance.now() - before).toBeGreaterThanOrEqual(500);
    setup.core.add({ jobId: 'job_b', cores: 4 });
    await setup.core.until('its slots are free', setup.ended('job_b'));
    expect(setup.core.about('job_a')).toEqual(['sent', 'RUNNING']);
  });

  test('a job that was taken away while its worker could not hear it is dropped at the next sign of life', async () => {
    setup.core.add({ jobId: 'job_a', shell: 'echo up; exec sleep 30' });
    setup.start();
    await setup.core.until('job_a is up', () => setup.core.logOf('job_a') === 'up\n');
    setup.core.take('job_a', 'DROP', false);
    await setup.core.until('nothing of it runs', () => payloadsOfThisProcess().length === 0);
    expect(setup.core.about('job_a')).toEqual(['sent', 'RUNNING']);
  });

  test('an order about an older assignment of the job does not touch this one', async () => {
    setup.core.add({ jobId: 'job_a', shell: 'echo up; sleep 0.5' });
    setup.start();
    await setup.core.until('job_a is up', () => setup.core.logOf('job_a') === 'up\n');
    setup.core.order({ kind: 'KILL', jobId: 'job_a', fence: 0, reason: 'late' });
    await setup.core.until('job_a ends', setup.ended('job_a'));
    expect(setup.core.about('job_a')).toEqual(['sent', 'RUNNING', 'FINISHED']);
  });

  test('DRAIN: the job ends, no other is taken, and the pilot says that it has ended', async () => {
    setup.core.add({ jobId: 'job_a', shell: 'echo up; sleep 0.5' });
    setup.start();
    await setup.core.until('job_a is up', () => setup.core.logOf('job_a') === 'up\n');
    setup.core.order({ kind: 'DRAIN', jobId: null, fence: null, reason: 'maintenance' });
    await setup.core.until('it drains', () => setup.core.said.some(({ what }) => what === 'draining'));
    setup.core.add({ jobId: 'job_b' });
    await setup.running;
    expect(setup.core.about('job_a').at(-1)).toBe('FINISHED');
    expect(setup.core.about('job_b')).toEqual([]);
    expect(setup.core.said.at(-1)).toEqual({ what: 'ended', detail: 'maintenance' });
  });
});

describe('the end of a pilot', () => {
  test('that drains lets its jobs end, and only then goes', async () => {
    setup.core.add({ jobId: 'job_a', shell: 'echo up; sleep 0.5; echo down' });
    setup.start();
    await setup.core.until('job_a is up', () => setup.core.logOf('job_a') === 'up\n');
    setup.pilot?.drain('SIGTERM');
    await setup.running;
    expect(setup.core.about('job_a').at(-1)).toBe('FINISHED');
    expect(setup.core.logOf('job_a')).toBe('up\ndown\n');
  });

  test('that may not take long drops what has not ended by then', async () => {
    setup.core.add({ jobId: 'job_a', shell: 'echo up; exec sleep 30' });
    setup.start({ drainSeconds: 0.3 });
    await setup.core.until('job_a is up', () => setup.core.logOf('job_a') === 'up\n');
    setup.pilot?.drain('SIGTERM');
    await setup.running;
    expect(setup.core.about('job_a')).toEqual(['sent', 'RUNNING']);
    expect(setup.core.said.at(-1)?.what).toBe('ended');
  });

  test('that is idle comes at once, with its last word', async () => {
    setup.start();
    await setup.core.until('the pilot waits for work', () => setup.core.calls.includes('heartbeat'));
    const before = performance.now();
    setup.pilot?.drain('SIGTERM');
    await setup.running;
    expect(performance.now() - before).toBeLessThan(2000);
    expect(setup.core.said.map(({ what }) => what)).toEqual(['registered', 'draining', 'ended']);
  });

  test('whose time is over comes by itself, and says how much is left when it asks for work', async () => {
    setup.start({ lifetimeSeconds: 1 });
    await setup.running;
    expect(setup.core.said.map(({ what }) => what)).toEqual(['registered', 'draining', 'ended']);
  });

  test('whom nobody answers when it comes up can be stopped', async () => {
    setup.core.mood = 'away';
    setup.start();
    await setup.core.until('it tried', () => setup.core.calls.length > 1);
    setup.pilot?.drain('SIGTERM');
    await setup.running;
    expect(setup.core.said).toEqual([]);
  });
});
