import { spawn } from 'node:child_process';
import { afterEach, expect, it } from '@jest/globals';
import { pauseProcess, threadStates } from './pause-process.js';
import { waitFor } from './wait-for.js';

const busy = spawn(process.execPath, ['-e', 'setInterval(() => process.stdout.write("."), 1)']);
afterEach(async () => {
  const ended = new Promise((resolve) => busy.once('exit', resolve));
  busy.kill('SIGKILL');
  await ended;
});

it('stops all threads of a process until it may run again', async () => {
  let written = 0;
  busy.stdout.on('data', ({ length }: Buffer) => (written += length));
  await waitFor('the first output', () => written > 0, { deadlineMs: 10_000 });
  const resume = await pauseProcess(busy.pid ?? 0);
  const states = threadStates(busy.pid ?? 0);
  expect(states.length).toBeGreaterThan(1);
  expect(new Set(states)).toEqual(new Set(['T']));
  const before = written;
  resume();
  // What was in the pipe comes first: 64 KiB at most.
  await waitFor('later output', () => written > before + 100, { deadlineMs: 10_000 });
});
