// A hostile payload tries to reach its pilot, other payloads and its host: in a sandbox, in an image, and
// with the default options of a pilot. Without isolation the same payload reaches all of it, so that the test
// shows something.
import { chown, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { pilotProgram } from '@rhizome/pilot';
import { playgroundQueue } from '@rhizome/playground';
import { leftovers, spawnProcess, type TestProcess, waitFor } from '@rhizome/testkit';
import { logOf, submit } from '../e2e/system/jobs.js';
import { type JobWatch, watchJobs } from '../e2e/system/job-watch.js';
import { type PlaygroundSystem, startPlayground } from '../e2e/system/playground-system.js';
import { allProcesses } from '../e2e/system/processes.js';
import { enrolled } from '../e2e/system/worker-credentials.js';
import { payloadImage, podmanWithImage } from './payload-image.js';
import { heldWithout, names, script } from './payload-attempts.js';

/** Not root: the kernel does not limit root's processes. */
const user = 65_534;
/** Isolation by the command line of the pilot. */
const isolation: Readonly<Record<Mode, readonly string[]>> = {
  sandbox: ['--isolation', 'required', '--network-isolation', 'true'],
  defaults: [],
  image: [],
  none: ['--isolation', 'none'],
};
const limits = ['--max-processes', '200', '--max-open-files', '200'];
const survivorSeconds = { sandbox: '30103', defaults: '30109', image: '30113', none: '30207' } as const;
type Mode = keyof typeof survivorSeconds;

let system: PlaygroundSystem;
let watch: JobWatch;
let base: string;
let socketName: string;

beforeAll(async () => {
  system = await startPlayground();
  watch = await watchJobs(system.client());
  base = await mkdtemp(join(tmpdir(), 'payload-isolation-'));
  leftovers.defer('the folder of the pilots', () => rm(base, { recursive: true, force: true }));
  await chown(base, user, user);
  socketName = `rhizome-test-${process.pid}`;
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(`\0${socketName}`, resolve));
  leftovers.defer(
    'an abstract socket',
    () => new Promise((resolve) => server.close(() => resolve(undefined))),
  );
});

async function ownFile(path: string, text: string): Promise<string> {
  await writeFile(path, text, { mode: 0o600 });
  await chown(path, user, user);
  return path;
}

async function ownFolder(path: string): Promise<string> {
  await mkdir(path, { recursive: true });
  await chown(path, user, user);
  return path;
}

interface Site {
  readonly pilot: TestProcess;
  readonly facts: Readonly<Record<string, string>>;
}

/** A pilot of an ordinary user, with everything that its payloads want to reach. */
async function startSite(mode: Mode): Promise<Site> {
  const folder = await ownFolder(join(base, mode));
  const home = await ownFolder(join(folder, 'home'));
  const store = await ownFolder(join(folder, 'store'));
  await ownFile(join(home, '.netrc'), 'password');
  await ownFile(join(store, 'canary'), 'canary');
  const worker = { name: mode, queue: playgroundQueue };
  const { credentialFile } = await enrolled(system, worker, join(folder, 'credential.json'));
  await chown(credentialFile, user, user);
  const shared = await ownFile(`/dev/shm/rhizome-${process.pid}-${mode}`, 'secret');
  leftovers.defer('files of /dev/shm', async () => {
    for (const path of [shared, `${shared}.forged`]) await rm(path, { force: true });
  });
  const scratch = join(folder, 'scratch');
  const pilot = spawnProcess({
    name: mode,
    ...(await starterOf(mode, folder)),
    args: [
      ...(mode === 'image' ? [] : [`--reuid=${user}`, `--regid=${user}`, '--clear-groups', process.execPath]),
      pilotProgram,
      ...['--credential-file', credentialFile, '--name', mode],
      ...['--scratch', scratch, '--store', store, '--cores', '4', '--memory-mib', '4096'],
      ...['--label', `site=${mode}`, ...limits, ...isolation[mode]],
    ],
  });
  await pilot.line(/"msg":"worker registered"/, 60_000);
  return {
    pilot,
    facts: {
      KEY_FILE: credentialFile,
      PILOT: String(pilot.pid),
      PILOT_GROUP: groupOf(pilot.pid),
      SCRATCH: scratch,
      STORE: store,
      PILOT_HOME: home,
      HOST_TMP_FILE: await ownFile(join(folder, 'in-tmp'), 'secret'),
      HOST_SHM_FILE: shared,
      GATEWAY_PORT: new URL(system.file.url).port,
      SOCKET_NAME: socketName,
      SURVIVOR: survivorSeconds[mode],
    },
  };
}

/** The program that starts a pilot, with its variables. Podman runs as the user that runs the test. */
async function starterOf(
  mode: Mode,
  folder: string,
): Promise<{ readonly command: string; readonly env: Readonly<Record<string, string>> }> {
  const env = { HOME: join(folder, 'home'), TMPDIR: '/tmp' };
  if (mode !== 'image') return { command: 'setpriv', env };
  const bin = await podmanWithImage(await ownFolder(join(base, 'podman')));
  return { command: 'node', env: { ...env, PATH: `${bin}:/usr/bin:/bin` } };
}

/** The process group, which is the fifth field of the file. */
const groupOf = (pid: number): string => readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[4] ?? '';

async function run(mode: Mode, facts: Site['facts'], shell: string): Promise<string> {
  const environment = Object.entries(facts).map(([name, value]) => ({ name, value }));
  const requirements = {
    memoryMiB: 512,
    diskMiB: 100,
    walltimeSeconds: 600,
    selector: `worker.labels["site"] == "${mode}"`,
  };
  const image = mode === 'image' ? { image: payloadImage } : {};
  const payload = { command: 'sh', arguments: ['-c', shell], environment, ...image };
  const [id = ''] = await submit(system.api(), [{ name: `${mode} payload`, requirements, payload }]);
  return id;
}

/** Runs the hostile payload next to another one. Returns what it reached. */
async function reached(mode: Mode): Promise<readonly string[]> {
  const { pilot, facts } = await startSite(mode);
  const victim = await run(mode, {}, 'echo topsecret > secret; echo ready; exec sleep 600');
  await watch.untilState(victim, 'RUNNING', 60_000);
  await waitFor(
    'the secret of the other payload',
    async () => (await logOf(system.api(), victim)) === 'ready\n',
    {
      deadlineMs: 60_000,
    },
  );
  const hostile = await run(mode, { ...facts, VICTIM: victim }, script);
  await watch.untilState(hostile, 'FINISHED', 120_000);
  const log = await logOf(system.api(), hostile);
  expect(log).toMatch(/done\n$/);
  const survivors = allProcesses().filter(({ commandLine }) => commandLine.includes(survivorSeconds[mode]));
  const found = [...log.matchAll(/^SUCCEEDED (.*)$/gm)].map(([, name = '']) => name);
  await pilot.kill('SIGINT');
  for (const { pid } of survivors) process.kill(pid, 'SIGKILL');
  const forged = [facts['HOST_TMP_FILE'], facts['HOST_SHM_FILE']].filter((path) =>
    existsSync(`${path}.forged`),
  );
  // Whatever else it reaches without a sandbox, it ends with its job.
  expect(survivors).toEqual([]);
  return [...found, ...forged.map((path) => `write to the host's ${path}`)];
}

/** The network of the host is reached unless it is isolated, which is not the default. */
const byNetwork = ['reach a service on loopback', 'see abstract sockets of the host'];
/** Podman's profile of system calls allows this, unlike the filter of a sandbox. */
const byProfile = ['use keys of the kernel'];
/** The kernel does not limit the processes of root. */
const byRoot = process.getuid?.() === 0 ? ['start more processes than allowed'] : [];

describe('a hostile payload', () => {
  it('reaches nothing from its sandbox', async () => {
    expect(await reached('sandbox')).toEqual([]);
    await expectUntouched('sandbox');
  });

  it('reaches only the network with the default options of a pilot', async () => {
    expect(await reached('defaults')).toEqual(byNetwork);
    await expectUntouched('defaults');
  });

  it('reaches only the network and keys of the kernel from an image, and more processes if the container runs as root', async () => {
    expect(await reached('image')).toEqual([...byNetwork, ...byProfile, ...byRoot]);
    await expectUntouched('image');
  });

  it('reaches without a sandbox everything except what limits prevent', async () => {
    const found = await reached('none');
    expect(names.filter((name) => !found.includes(name))).toEqual(heldWithout);
    expect(found.filter((name) => name.startsWith('write to the host'))).toHaveLength(2);
  });
});

/** The payload wrote into nothing that belongs to the pilot. */
async function expectUntouched(mode: Mode): Promise<void> {
  const folder = join(base, mode);
  expect((await readdir(folder)).sort()).toEqual(['credential.json', 'home', 'in-tmp', 'scratch', 'store']);
  expect(await readdir(join(folder, 'store'))).toEqual(['canary']);
}
