import { describe, expect, it } from '@jest/globals';
import { payloadsOfThisProcess, pilotSetup } from '../testing/pilot-setup.js';

const setup = pilotSetup();

describe('commands to a pilot', () => {
  it('ends the payload on KILL, and nothing more is reported about the job', async () => {
    setup.core.add({ jobId: 'job_a', shell: 'echo up; sleep 600 & sleep 600' });
    setup.start();
    await setup.core.until('job_a is up', () => setup.core.logOf('job_a') === 'up\n');
    setup.core.withdraw('job_a', 'KILL');
    await setup.core.until('nothing of it runs', () => payloadsOfThisProcess().length === 0);
    setup.core.add({ jobId: 'job_b', cores: 4 });
    await setup.core.until('its slots are free', setup.ended('job_b'));
    expect(setup.core.about('job_a')).toEqual(['sent', 'RUNNING']);
  });

  it('kills a payload on DROP that ignores SIGTERM after the grace period', async () => {
    setup.core.add({ jobId: 'job_a', shell: 'trap "" TERM; echo up; while :; do sleep 0.05; done' });
    setup.start();
    await setup.core.until('job_a is up', () => setup.core.logOf('job_a') === 'up\n');
    const before = performance.now();
    setup.core.withdraw('job_a', 'DROP');
    await setup.core.until('nothing of it runs', () => payloadsOfThisProcess().length === 0);
    expect(performance.now() - before).toBeGreaterThanOrEqual(500);
    setup.core.add({ jobId: 'job_b', cores: 4 });
    await setup.core.until('its slots are free', setup.ended('job_b'));
    expect(setup.core.about('job_a')).toEqual(['sent', 'RUNNING']);
  });

  it('drops a job that was taken away while the worker could not hear it, at the next heartbeat', async () => {
    setup.core.add({ jobId: 'job_a', shell: 'echo up; exec sleep 30' });
    setup.start();
    await setup.core.until('job_a is up', () => setup.core.logOf('job_a') === 'up\n');
    setup.core.withdraw('job_a', 'DROP', false);
    await setup.core.until('nothing of it runs', () => payloadsOfThisProcess().length === 0);
    expect(setup.core.about('job_a')).toEqual(['sent', 'RUNNING']);
  });

  it('ignores a command about an older assignment of the job', async () => {
    setup.core.add({ jobId: 'job_a', shell: 'echo up; sleep 0.5' });
    setup.start();
    await setup.core.until('job_a is up', () => setup.core.logOf('job_a') === 'up\n');
    setup.core.order({ kind: 'KILL', jobId: 'job_a', fence: 0, newFence: null, reason: 'late' });
    await setup.core.until('job_a ends', setup.ended('job_a'));
    expect(setup.core.about('job_a')).toEqual(['sent', 'RUNNING', 'FINISHED']);
  });

  it('lets the job end on DRAIN, takes no other, and reports the end of the pilot', async () => {
    setup.core.add({ jobId: 'job_a', shell: 'echo up; sleep 0.5' });
    setup.start();
    await setup.core.until('job_a is up', () => setup.core.logOf('job_a') === 'up\n');
    setup.core.order({ kind: 'DRAIN', jobId: null, fence: null, newFence: null, reason: 'maintenance' });
    await setup.core.until('it drains', () => setup.core.said.some(({ what }) => what === 'draining'));
    setup.core.add({ jobId: 'job_b' });
    await setup.running;
    expect(setup.core.about('job_a').at(-1)).toBe('FINISHED');
    expect(setup.core.about('job_b')).toEqual([]);
    expect(setup.core.said.at(-1)).toEqual({ what: 'ended', detail: 'maintenance' });
  });
});

describe('the end of a pilot', () => {
  it('waits for its jobs when it drains', async () => {
    setup.core.add({ jobId: 'job_a', shell: 'echo up; sleep 0.5; echo down' });
    setup.start();
    await setup.core.until('job_a is up', () => setup.core.logOf('job_a') === 'up\n');
    setup.pilot?.drain('SIGTERM');
    await setup.running;
    expect(setup.core.about('job_a').at(-1)).toBe('FINISHED');
    expect(setup.core.logOf('job_a')).toBe('up\ndown\n');
  });

  it('drops jobs that have not ended in the drain time', async () => {
    setup.core.add({ jobId: 'job_a', shell: 'echo up; exec sleep 30' });
    setup.start({ drainSeconds: 0.3 });
    await setup.core.until('job_a is up', () => setup.core.logOf('job_a') === 'up\n');
    setup.pilot?.drain('SIGTERM');
    await setup.running;
    expect(setup.core.about('job_a')).toEqual(['sent', 'RUNNING']);
    expect(setup.core.said.at(-1)?.what).toBe('ended');
  });

  it('comes when it is idle, with a last report', async () => {
    setup.start();
    await setup.core.until('the pilot waits for work', () => setup.core.calls.includes('heartbeat'));
    setup.pilot?.drain('SIGTERM');
    await setup.running;
    expect(setup.core.said.map(({ what }) => what)).toEqual(['registered', 'draining', 'ended']);
  });

  it('comes when its lifetime is over, and limits the work it asks for', async () => {
    setup.start({ lifetimeSeconds: 4 });
    await setup.running;
    expect(setup.core.said.map(({ what }) => what)).toEqual(['registered', 'draining', 'ended']);
  });

  it('comes although nobody answers its registration', async () => {
    setup.core.mood = 'away';
    setup.start();
    await setup.core.until('it tried', () => setup.core.calls.length > 1);
    setup.pilot?.drain('SIGTERM');
    await setup.running;
    expect(setup.core.said).toEqual([]);
  });
});
