// A hostile payload tries to reach its pilot, other payloads and its host. In a sandbox it reaches nothing;
// without one, the same payload reaches all of it, so that the test shows something.
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

/** Not root: the kernel does not limit root's processes. */
const user = 65_534;
const limits = ['--max-processes', '200', '--max-open-files', '200'];
const survivorSeconds = { sandbox: '30103', none: '30207' } as const;
type Mode = keyof typeof survivorSeconds;

let system: PlaygroundSystem;
let watch: JobWatch;
let base: string;
let socketName: string;

/**
 * Each line is a name and a shell condition that holds if the attempt succeeds. The variables are the
 * host's facts, so that a payload does not fail for want of knowledge.
 */
const attempts = `
read the pilot's token|grep -q . "$TOKEN_FILE"
read the token through the pilot's root|grep -q . "/proc/$PILOT/root$TOKEN_FILE"
read the token through any process|cat /proc/[0-9]*/root"$TOKEN_FILE" | grep -q .
read the pilot's environment|grep -q . "/proc/$PILOT/environ"
read the pilot's command line|grep -q token "/proc/$PILOT/cmdline"
list the pilot's open files|ls "/proc/$PILOT/fd" | grep -q .
read the pilot's memory map|grep -q . "/proc/$PILOT/maps"
signal the pilot|kill -0 "$PILOT"
signal the pilot's group|bash -c "kill -0 -- -$PILOT_GROUP"
see processes of the host|test "$(ls -d /proc/[0-9]* | wc -l)" -gt 15
list the pilot's scratch space|test "$(ls "$SCRATCH"/pilot-* | wc -l)" -gt 1
read another payload's file|cat "$SCRATCH"/pilot-*/*/w*/secret | grep -q topsecret
write into another payload's folder|for f in "$SCRATCH"/pilot-*/*/w*/secret; do echo forged > "$f.forged"; done; ls "$SCRATCH"/pilot-*/*/w*/secret.forged
read another payload's environment|cat /proc/[0-9]*/environ | grep -q "RHIZOME_JOB_ID=$VICTIM"
signal another payload|for p in $(grep -l "RHIZOME_JOB_ID=$VICTIM" /proc/[0-9]*/environ); do p=\${p#/proc/}; kill -0 "\${p%/environ}" && echo yes; done | grep -q yes
find the pipes of logs|ls "$SCRATCH"/pilot-*/pipe-*.out
read the store of other jobs|cat "$STORE"/canary | grep -q canary
write into the store|echo forged > "$STORE/forged"
read the home of the pilot's user|grep -q . "$PILOT_HOME/.netrc"
read the host's /tmp|grep -q . "$HOST_TMP_FILE"
read the host's /dev/shm|grep -q . "$HOST_SHM_FILE"
reach a service on loopback|bash -c ": < /dev/tcp/127.0.0.1/$GATEWAY_PORT"
see abstract sockets of the host|grep -q "$SOCKET_NAME" /proc/net/unix
make a user namespace|unshare --user true
mount a file system|unshare --user --map-root-user --mount mount -t tmpfs none /tmp
start more processes than allowed|(i=0; while [ $i -lt 400 ]; do sleep 4 & i=$((i+1)); done; echo all) | grep -q all
open more files than allowed|test "$(ulimit -Hn)" -gt 200
`;

const names = attempts
  .trim()
  .split('\n')
  .map((line) => line.split('|')[0] ?? '');

/** Limits that hold without a sandbox, too. */
const heldWithout = ['open more files than allowed'];

const script = [
  ...attempts
    .trim()
    .split('\n')
    .map((line) => {
      const [name = '', ...rest] = line.split('|');
      return `if ( ${rest.join('|')} ) >/dev/null 2>&1; then echo "SUCCEEDED ${name}"; fi`;
    }),
  // Leaves its session, its parents and its environment.
  'env -i PATH=/usr/bin:/bin setsid sh -c "setsid sleep $SURVIVOR & exit 0"',
  '(echo forged > "$HOST_TMP_FILE.forged"; echo forged > "$HOST_SHM_FILE.forged") 2>/dev/null; echo done',
].join('\n');

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
  const tokenFile = await ownFile(join(folder, 'token'), await system.identities.pilot(playgroundQueue));
  const shared = await ownFile(`/dev/shm/rhizome-${process.pid}-${mode}`, 'secret');
  leftovers.defer('files of /dev/shm', async () => {
    for (const path of [shared, `${shared}.forged`]) await rm(path, { force: true });
  });
  const scratch = join(folder, 'scratch');
  const isolation = mode === 'none' ? ['none'] : ['required', '--network-isolation', 'true'];
  const pilot = spawnProcess({
    name: mode,
    command: 'setpriv',
    args: [
      ...[`--reuid=${user}`, `--regid=${user}`, '--clear-groups', process.execPath, pilotProgram],
      ...['--url', system.file.url, '--token-file', tokenFile, '--queue', playgroundQueue, '--name', mode],
      ...['--scratch', scratch, '--store', store, '--cores', '4', '--memory-mib', '4096'],
      ...['--label', `site=${mode}`, ...limits, '--isolation', ...isolation],
    ],
    env: { HOME: home, TMPDIR: '/tmp' },
  });
  await pilot.line(/"msg":"worker registered"/, 60_000);
  return {
    pilot,
    facts: {
      TOKEN_FILE: tokenFile,
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

/** The process group, which is the fifth field of the file. */
const groupOf = (pid: number): string => readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[4] ?? '';

async function run(mode: Mode, facts: Site['facts'], shell: string, more: object = {}): Promise<string> {
  const environment = Object.entries(facts).map(([name, value]) => ({ name, value }));
  const requirements = {
    memoryMiB: 512,
    diskMiB: 100,
    walltimeSeconds: 600,
    selector: `worker.labels["site"] == "${mode}"`,
  };
  const payload = { command: 'sh', arguments: ['-c', shell], environment, ...more };
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

describe('a hostile payload', () => {
  it('reaches nothing from its sandbox', async () => {
    expect(await reached('sandbox')).toEqual([]);
    const folder = join(base, 'sandbox');
    expect((await readdir(folder)).sort()).toEqual(['home', 'in-tmp', 'scratch', 'store', 'token']);
    expect(await readdir(join(folder, 'store'))).toEqual(['canary']);
  });

  it('reaches all but other limits without a sandbox', async () => {
    const found = await reached('none');
    expect(names.filter((name) => !found.includes(name))).toEqual(heldWithout);
    expect(found.filter((name) => name.startsWith('write to the host'))).toHaveLength(2);
  });
});
