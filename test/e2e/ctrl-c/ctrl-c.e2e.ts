// The end of a playground, and its next beginning: in order, by force, and where it cannot begin at all.
import { existsSync } from 'node:fs';
import { mkdir, writeFile, readFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { leftovers, spawnProcess, waitFor } from '@rhizome/testkit';
import { jobOf, submit } from '../system/jobs.js';
import {
  dataFolder,
  type PlaygroundSystem,
  root,
  spawnPlayground,
  startPlayground,
} from '../system/playground-system.js';
import {
  alive,
  allProcesses,
  describe as describeProcesses,
  processesWith,
  treeOf,
  untilGone,
} from '../system/processes.js';
import { ctrlCStories, endWithinMs } from './ctrl-c.stories.js';

/** Kills a process that must be there: no id, and 0 above all, stands for others than the one meant. */
function killHard(pid: number | undefined): number {
  if (!pid) throw new Error('the process to kill is not there');
  process.kill(pid, 'SIGKILL');
  return pid;
}

ctrlCStories('http');

describe('starting the playground', () => {
  it('reports a port that is in use before anything is started', async () => {
    const server = leftovers.use(createServer());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const data = await dataFolder();
    const playground = spawnPlayground('playground', ['--port', String(port), '--data', data]);
    expect(await playground.exited).toMatchObject({ code: 1 });
    expect(playground.stderr.join('\n')).toContain(`Port ${port} of 127.0.0.1 is in use`);
    expect(playground.stdout).toEqual([]);
    expect(existsSync(join(data, 'mongo'))).toBe(false);
    expect(describeProcesses(processesWith(data))).toBe('none');
  });

  it('refuses --reset for an external store', async () => {
    const data = await dataFolder();
    const elsewhere = { MONGODB_URI: 'mongodb://127.0.0.1:9/?replicaSet=theirs' };
    const playground = spawnPlayground('playground', ['--reset', '--port', '0', '--data', data], elsewhere);
    expect(await playground.exited).toMatchObject({ code: 1 });
    expect(playground.stderr.join('\n')).toContain('no --reset together with MONGODB_URI');
  });
});

// As above: one folder, and each test goes on with the system of the one before it.
describe('a playground over the life of its data', () => {
  let system: PlaygroundSystem;
  let id: string;

  it('refuses a second playground on the same data, also with --reset; the first continues', async () => {
    system = await startPlayground({ pilots: 1 });
    [id = ''] = await submit(system.api(), [{}]);
    const second = spawnPlayground('second', ['--reset', '--port', '0', '--data', system.data]);
    expect(await second.exited).toMatchObject({ code: 1 });
    expect(second.stderr.join('\n')).toContain(
      `${system.data} is in use by the playground of process ${system.process.pid}`,
    );
    expect(await jobOf(system.api(), id)).toMatchObject({ id });
  });

  it('reports a pilot that dies, to the user and to core, and continues', async () => {
    const workerIn = async (state: string) => {
      const text = `{ workers(filter: { states: [${state}] }) { nodes { name } } }`;
      const { workers } = await system.api().data<{ workers: { nodes: readonly object[] } }>(text, {});
      return workers.nodes[0];
    };
    await waitFor('the pilot is registered', () => workerIn('READY'), { deadlineMs: 10_000 });
    killHard(system.file.pids['pilot-1']);
    await system.process.line(
      /pilot-1 \(process \d+\) was ended by SIGKILL; its jobs go to other pilots/,
      5_000,
    );
    await waitFor('core has ended its worker', () => workerIn('ENDED'), { deadlineMs: 5_000 });
    expect(await submit(system.api(), [{}])).toHaveLength(1);
    expect(await system.stop()).toMatchObject({ code: 0 });
  });

  it('deletes only its own data with --reset', async () => {
    const first = system;
    const other = join(first.data, 'notes.txt');
    await writeFile(other, 'not of the playground\n');
    system = await startPlayground({ data: first.data, args: ['--reset'] });
    const { job } = await system
      .api()
      .data<{ job: null }>('query ($id: ID!) { job(id: $id) { id } }', { id });
    expect(job).toBeNull();
    expect(await readFile(other, 'utf8')).toBe('not of the playground\n');
    // The key is new as well: a token of the time before is none any more.
    expect(await system.api(first.file.token).post('{ viewer { subject } }')).toMatchObject({ status: 401 });
  });

  it('ends with a clear message when the store dies', async () => {
    const mongod = processesWith(system.data).find(({ commandLine }) =>
      /^\S*mongod --dbpath/.test(commandLine),
    );
    killHard(mongod?.pid);
    expect(await system.process.exited).toMatchObject({ code: 1 });
    expect(system.process.stderr.join('\n')).toMatch(/mongod on port \d+ ended with status 137: Killed/);
  });
});

describe('a running playground', () => {
  it('ends with a clear message and leaves nothing behind when a service dies', async () => {
    const system = await startPlayground({ transport: 'http' });
    const everything = [...treeOf(system.process.pid), ...processesWith(system.data)];
    const core = killHard(system.file.pids['core']);
    expect(await system.process.exited).toMatchObject({ code: 1 });
    expect(system.process.stderr.join('\n')).toContain(`core (process ${core}) was ended by SIGKILL`);
    await untilGone(everything, endWithinMs);
  });

  it('ends on SIGTERM to npm as well', async () => {
    const data = await dataFolder();
    await mkdir(dirname(data), { recursive: true });
    const args = ['--no-tour', '--pilots', '0', '--port', '0', '--data', data];
    const npm = spawnProcess({
      name: 'npm',
      command: 'npm',
      args: ['run', 'playground', '--', ...args],
      cwd: root,
    });
    await npm.line(/playground ready/, 30_000);
    const everything = [...treeOf(npm.pid), ...processesWith(data)];
    npm.signal('SIGTERM');
    await untilGone(everything, endWithinMs);
    expect(alive(everything)).toEqual([]);
    expect(allProcesses().length).toBeGreaterThan(0);
  });
});

it('ends on Ctrl-C while it starts', async () => {
  const data = await dataFolder();
  const playground = spawnPlayground('playground', [
    '--no-tour',
    '--pilots',
    '0',
    '--port',
    '0',
    '--data',
    data,
  ]);
  await waitFor(
    'a mongod',
    () => processesWith(data).some(({ commandLine }) => /mongod --dbpath/.test(commandLine)),
    {
      deadlineMs: 20_000,
    },
  );
  const everything = [...treeOf(playground.pid), ...processesWith(data)];
  playground.signal('SIGINT');
  await playground.exited;
  await untilGone(everything, endWithinMs);
  expect(playground.stdout.join('\n')).not.toContain('playground ready');
});
