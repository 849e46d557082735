import type { Logger } from '@rhizome/log';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { SupervisorClient } from './supervisor-client.js';
import type { SupervisorOptions } from './supervisor-options.js';

const program = fileURLToPath(new URL('./supervisor-main.js', import.meta.url));
/** The memory of a supervisor should stay small. */
const nodeOptions = ['--max-semi-space-size=1'];
/** Time until it must wait for its pilot. */
const longestStartMs = 60_000;

/**
 * Starts a supervisor, in a session of its own, and connects to it.
 * @throws Error if it does not start
 */
export async function startSupervisor(options: SupervisorOptions, log?: Logger): Promise<SupervisorClient> {
  const child = spawn(process.execPath, [...nodeOptions, program, JSON.stringify(options)], {
    detached: true,
    cwd: '/',
    env: { PATH: '/usr/bin:/bin' },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(child, 'spawn');
  const { stdout } = child;
  const [line] = await Promise.race([
    once(createInterface({ input: stdout }), 'line') as Promise<string[]>,
    once(child, 'exit').then((): string[] => []),
    pause(longestStartMs, [`it was not ready within ${longestStartMs / 1000} s`], { ref: false }),
  ]);
  stdout.destroy();
  child.unref();
  const client = line?.startsWith('/') ? await SupervisorClient.connect(line, log && { log }) : undefined;
  if (client === undefined) {
    child.kill('SIGKILL');
    throw new Error(`The supervisor of payloads did not start: ${line ?? 'it ended'}`);
  }
  return client;
}
