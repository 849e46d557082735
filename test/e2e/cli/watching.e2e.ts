// `watch` and `logs -f` as people end them: by Ctrl-C, by a pipe that is closed, and when the gateway does
// not answer.
import { type AddressInfo, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { beforeAll, expect, it } from '@jest/globals';
import { freePort } from '@rhizome/mongo';
import { spawnProcess, type TestProcess } from '@rhizome/testkit';
import type { Api } from '../system/api.js';
import { type CommandLine, commandLineOf } from '../system/cli.js';
import { createGate } from '../system/gated-payload.js';
import { experiment, submit } from '../system/jobs.js';
import { startPilot } from '../system/pilots.js';
import { root } from '../system/playground-system.js';
import { type ServiceSystem, startServices } from '../system/service-system.js';

/** Three times the usual time on an idle machine. */
const soonMs = 20_000;

let system: ServiceSystem;
let api: Api;
let cli: CommandLine;
let pilot: TestProcess;

beforeAll(async () => {
  system = await startServices({ experiments: [experiment] });
  api = system.api();
  cli = commandLineOf(system);
  pilot = await startPilot(system, { name: 'steady' });
});

/** Flags and variables by which a command finds the system. */
const environment = (): Record<string, string> => ({ RHIZOME_URL: system.url, RHIZOME_TOKEN: system.token });

/** A job that writes a line to each of its streams, and two more when its gate is opened. */
async function talking(): Promise<{ readonly id: string; open(): void }> {
  const gate = createGate(system.data);
  const lines = 'echo out; echo err >&2';
  const [id = ''] = await submit(api, [{ name: 'talking', shell: `${lines}; ${gate.wait}; ${lines}` }]);
  return { id, open: () => gate.open() };
}

it.each([
  ['watch', /talking: RUNNING|→ RUNNING/],
  ['logs -f', /^out$/],
])('ends %s immediately on Ctrl-C, with the usual exit code of shells', async (command, shown) => {
  const { id, open } = await talking();
  const watching = cli.start([...command.split(' '), id], { env: environment() });
  await watching.line(shown, soonMs);
  watching.signal('SIGINT');
  expect(await watching.exited).toMatchObject({ code: 130 });
  open();
});

it('ends a command that waits for a silent gateway on Ctrl-C', async () => {
  const silent = createServer();
  const asked = new Promise<void>((resolve) => {
    silent.on('connection', (socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => resolve());
    });
  });
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  const env = { ...environment(), RHIZOME_URL: `http://127.0.0.1:${port}/graphql` };
  const waiting = cli.start(['show', 'job_any'], { env });
  await asked;
  waiting.signal('SIGINT');
  expect(await waiting.exited).toMatchObject({ code: 130 });
  expect(waiting.stderr).toEqual([]);
  silent.close();
});

it.each(['watch', 'logs -f'])('ends %s with its exit code if there is no gateway', async (command) => {
  const env = { ...environment(), RHIZOME_URL: `http://127.0.0.1:${await freePort()}/graphql` };
  const ended = await cli.run([...command.split(' '), 'job_any'], { env });
  expect(ended).toMatchObject({ exitCode: 5, stderr: expect.stringContaining('cannot be reached') });
});

it.each(['| head -n 1', '2>&1 | head -n 1'])(
  'ends `logs -f … %s` silently when its reader closes the pipe',
  async (pipe) => {
    const { id, open } = await talking();
    const program = join(root, 'clients', 'cli', 'bin', 'rhizome.mjs');
    const shell = spawnProcess({
      name: 'a pipe',
      command: 'bash',
      args: ['-c', `set -o pipefail; node ${program} logs -f ${id} ${pipe}`],
      cwd: dirname(system.data),
      env: environment(),
    });
    await shell.line(/^(out|err)$/, soonMs);
    open();
    expect(await shell.exited).toMatchObject({ code: 0 });
    expect(shell.stderr.filter((line) => line !== 'err')).toEqual([]);
  },
);

it('ends with its system in order', async () => {
  expect(await pilot.kill('SIGTERM')).toMatchObject({ code: 0 });
});
