import { describe, expect, test } from '@jest/globals';
import { payloadsOfThisProcess, pilotRoom } from '../testing/pilot-room.js';

const room = pilotRoom();

describe('orders', () => {
  test('KILL ends the payload within a second, and nothing more is said of the job', async () => {
    room.core.add({ jobId: 'job_a', shell: 'echo up; sleep 30 & sleep 30' });
    room.start();
    await room.core.until('job_a is up', () => room.core.logOf('job_a') === 'up\n');
    const before = performance.now();
    room.core.take('job_a', 'KILL');
    await room.core.until('nothing of it runs', () => payloadsOfThisProcess().length === 0);
    // A second is what is promised; a busy machine is given three.
    expect(performance.now() - before).toBeLessThan(3 * 1000);
    room.core.add({ jobId: 'job_b', cores: 4 });
    await room.core.until('its slots are free', room.ended('job_b'));
    expect(room.core.about('job_a')).toEqual(['sent', 'RUNNING']);
  });

  test('DROP ends also a payload that does not want to: after the grace it is killed', async () => {
    room.core.add({ jobId: 'job_a', shell: 'trap "" TERM; echo up; while :; do sleep 0.05; done' });
    room.start();
    await room.core.until('job_a is up', () => room.core.logOf('job_a') === 'up\n');
    const before = performance.now();
    room.core.take('job_a', 'DROP');
    await room.core.until('nothing of it runs', () => payloadsOfThisProcess().length === 0);
    expect(performance.now() - before).toBeGreaterThanOrEqual(500);
    room.core.add({ jobId: 'job_b', cores: 4 });
    await room.core.until('its slots are free', room.ended('job_b'));
    expect(room.core.about('job_a')).toEqual(['sent', 'RUNNING']);
  });

  test('a job that was taken away while its worker could not hear it is dropped at the next sign of life', async () => {
    room.core.add({ jobId: 'job_a', shell: 'echo up; exec sleep 30' });
    room.start();
    await room.core.until('job_a is up', () => room.core.logOf('job_a') === 'up\n');
    room.core.take('job_a', 'DROP', false);
    await room.core.until('nothing of it runs', () => payloadsOfThisProcess().length === 0);
    expect(room.core.about('job_a')).toEqual(['sent', 'RUNNING']);
  });

  test('an order about an older assignment of the job does not touch this one', async () => {
    room.core.add({ jobId: 'job_a', shell: 'echo up; sleep 0.5' });
    room.start();
    await room.core.until('job_a is up', () => room.core.logOf('job_a') === 'up\n');
    room.core.order({ kind: 'KILL', jobId: 'job_a', fence: 0, reason: 'late' });
    await room.core.until('job_a ends', room.ended('job_a'));
    expect(room.core.about('job_a')).toEqual(['sent', 'RUNNING', 'FINISHED']);
  });

  test('DRAIN: the job ends, no other is taken, and the pilot says that it has ended', async () => {
    room.core.add({ jobId: 'job_a', shell: 'echo up; sleep 0.5' });
    room.start();
    await room.core.until('job_a is up', () => room.core.logOf('job_a') === 'up\n');
    room.core.order({ kind: 'DRAIN', jobId: null, fence: null, reason: 'maintenance' });
    await room.core.until('it drains', () => room.core.said.some(({ what }) => what === 'draining'));
    room.core.add({ jobId: 'job_b' });
    await room.running;
    expect(room.core.about('job_a').at(-1)).toBe('FINISHED');
    expect(room.core.about('job_b')).toEqual([]);
    expect(room.core.said.at(-1)).toEqual({ what: 'ended', detail: 'maintenance' });
  });
});

describe('the end of a pilot', () => {
  test('that drains lets its jobs end, and only then goes', async () => {
    room.core.add({ jobId: 'job_a', shell: 'echo up; sleep 0.5; echo down' });
    room.start();
    await room.core.until('job_a is up', () => room.core.logOf('job_a') === 'up\n');
    room.pilot?.drain('SIGTERM');
    await room.running;
    expect(room.core.about('job_a').at(-1)).toBe('FINISHED');
    expect(room.core.logOf('job_a')).toBe('up\ndown\n');
  });

  test('that may not take long drops what has not ended by then', async () => {
    room.core.add({ jobId: 'job_a', shell: 'echo up; exec sleep 30' });
    room.start({ drainSeconds: 0.3 });
    await room.core.until('job_a is up', () => room.core.logOf('job_a') === 'up\n');
    room.pilot?.drain('SIGTERM');
    await room.running;
    expect(room.core.about('job_a')).toEqual(['sent', 'RUNNING']);
    expect(room.core.said.at(-1)?.what).toBe('ended');
  });

  test('that is idle comes at once, with its last word', async () => {
    room.start();
    await room.core.until('the pilot waits for work', () => room.core.calls.includes('heartbeat'));
    const before = performance.now();
    room.pilot?.drain('SIGTERM');
    await room.running;
    expect(performance.now() - before).toBeLessThan(2000);
    expect(room.core.said.map(({ what }) => what)).toEqual(['registered', 'draining', 'ended']);
  });

  test('whose time is over comes by itself, and says how much is left when it asks for work', async () => {
    room.start({ lifetimeSeconds: 1 });
    await room.running;
    expect(room.core.said.map(({ what }) => what)).toEqual(['registered', 'draining', 'ended']);
  });

  test('whom nobody answers when it comes up can be stopped', async () => {
    room.core.mood = 'away';
    room.start();
    await room.core.until('it tried', () => room.core.calls.length > 1);
    room.pilot?.drain('SIGTERM');
    await room.running;
    expect(room.core.said).toEqual([]);
  });
});
