// `watch` and `logs -f` as people end them: by Ctrl-C, by a pipe that is closed, and when the gateway does not answer.
import { type AddressInfo, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { freePort } from '@rhizome/playground';
import { spawnProcess, type TestProcess } from '@rhizome/testkit';
import type { Api } from '../house/api.js';
import { type CommandLine, commandLineOf } from '../house/cli.js';
import { gateBeside } from '../house/gate.js';
import { experiment, submit } from '../house/jobs.js';
import { startPilot } from '../house/pilots.js';
import { root } from '../house/playground-house.js';
import { type ServiceHouse, startServices } from '../house/service-house.js';

/** Three times what a quiet machine may take. */
const soonMs = 20_000;

let house: ServiceHouse;
let api: Api;
let cli: CommandLine;
let pilot: TestProcess;

beforeAll(async () => {
  house = await startServices({ experiments: [experiment] });
  api = house.api();
  cli = commandLineOf(house);
  pilot = await startPilot(house, { name: 'steady' });
});

/** Flags and variables by which a command finds the house. */
const environment = (): Record<string, string> => ({ RHIZOME_URL: house.url, RHIZOME_TOKEN: house.token });

/** A job that writes a line to each of its streams, and two more when its gate is opened. */
async function talking(): Promise<{ readonly id: string; open(): void }> {
  const gate = gateBeside(house.data);
  const lines = 'echo out; echo err >&2';
  const [id = ''] = await submit(api, [{ name: 'talking', shell: `${lines}; ${gate.wait}; ${lines}` }]);
  return { id, open: () => gate.open() };
}

test.each([
  ['watch', /talking: RUNNING|→ RUNNING/],
  ['logs -f', /^out$/],
])('%s ends at once with Ctrl-C, with the exit code that shells have for it', async (command, shown) => {
  const { id, open } = await talking();
  const watching = cli.start([...command.split(' '), id], { env: environment() });
  await watching.line(shown, soonMs);
  watching.signal('SIGINT');
  expect(await watching.exited).toMatchObject({ code: 130 });
  open();
});

test('Ctrl-C ends a command that waits for a gateway that does not answer', async () => {
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

test.each(['watch', 'logs -f'])(
  '%s of a gateway that is not there ends with its exit code',
  async (command) => {
    const env = { ...environment(), RHIZOME_URL: `http://127.0.0.1:${await freePort()}/graphql` };
    const ended = await cli.run([...command.split(' '), 'job_any'], { env });
    expect(ended).toMatchObject({ exitCode: 5, stderr: expect.stringContaining('cannot be reached') });
  },
);

test.each(['| head -n 1', '2>&1 | head -n 1'])(
  'a reader that has enough ends `logs -f … %s` without a complaint',
  async (pipe) => {
    const { id, open } = await talking();
    const program = join(root, 'clients', 'cli', 'bin', 'rhizome.mjs');
    const shell = spawnProcess({
      name: 'a pipe',
      command: 'bash',
      args: ['-c', `set -o pipefail; node ${program} logs -f ${id} ${pipe}`],
      cwd: dirname(house.data),
      env: environment(),
    });
    await shell.line(/^(out|err)$/, soonMs);
    open();
    expect(await shell.exited).toMatchObject({ code: 0 });
    expect(shell.stderr.filter((line) => line !== 'err')).toEqual([]);
  },
);

test('ends with its house in order', async () => {
  expect(await pilot.kill('SIGTERM')).toMatchObject({ code: 0 });
});
