/**
 * Jobs in container images, from the assignment to the last report. The runtimes are small programs that take
 * the real command line, where it concerns them, and run the payload on this host: not every machine that
 * runs the tests has real ones.
 */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testPilotOptions } from '../testing/pilot-options.js';
import { ScriptedCore } from '../testing/scripted-core.js';
import { Pilot } from './pilot.js';

let folder: string;
let core: ScriptedCore;
let pilot: Pilot;
let running: Promise<void>;

/**
 * Records how it was called, then runs the image's program with the variables that the real one would pass.
 */
const apptainer = `#!/bin/sh
echo "$0 $*" > "$(dirname "$0")/called"
[ "$1" = exec ] || exit 255
shift
while :; do case "$1" in
  --cleanenv|--containall|--pid|--ipc|--no-privs|--nv|--rocm) shift;;
  --home) home=$2; shift 2;;
  --pwd) cd "$2"; shift 2;;
  --bind|--workdir) shift 2;;
  *) break;;
esac; done
echo "image $1"
shift
env | sed -n "s/^APPTAINERENV_//p" > "$home/inside"
exec env -i HOME="$home" PATH=/usr/bin:/bin $(cat "$home/inside") "$@"
`;
const podman = `#!/bin/sh
echo "$0 $*" > "$(dirname "$0")/called"
[ "$1" = run ] || exit 125
shift
inside=""
while :; do case "$1" in
  --rm|--read-only|--read-only-tmpfs=false) shift;;
  --workdir) cd "$2"; shift 2;;
  --env-file) inside=$(cat "$2"); shift 2;;
  --*) shift 2;;
  *) break;;
esac; done
echo "image $1"
shift
exec env -i PATH=/usr/bin:/bin $inside "$@"
`;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'containers-'));
  core = new ScriptedCore();
});
afterEach(async () => {
  pilot.stop('the test is over');
  await running;
  await rm(folder, { recursive: true, force: true });
});

async function start(programs: Readonly<Record<string, string>>): Promise<void> {
  const bin = join(folder, 'bin');
  await mkdir(bin);
  for (const [name, text] of Object.entries(programs)) {
    await writeFile(join(bin, name), text);
    await chmod(join(bin, name), 0o755);
  }
  const host = {
    searchPath: `${bin}:/usr/bin:/bin`,
    runtimeEnvironment: { HOME: '/home/of-the-pilot' },
  };
  pilot = new Pilot(core, testPilotOptions(folder, { host }), silentLogger());
  running = pilot.run();
}

const ended = (jobId: string) => (): boolean =>
  core.about(jobId).some((what) => what === 'FINISHED' || what === 'failed');
const detailOf = (jobId: string): object =>
  core.said.find((one) => one.jobId === jobId && (one.what === 'failed' || one.what === 'FINISHED'))
    ?.detail as object;

describe('a pilot with container runtimes', () => {
  it.each([
    ['apptainer', { apptainer }, 'image docker://debian:12'],
    ['podman', { podman }, 'image debian:12'],
  ])(
    'runs a job in its image by %s, with outputs, exit code and its own variables',
    async (name, programs, image) => {
      await start(programs);
      core.add({
        jobId: 'job_a',
        shell: 'env | sort; pwd; echo made > "$RHIZOME_OUTPUTS/out"',
        payload: { image: 'debian:12', outputs: ['out'], environment: [{ name: 'SECRET', value: 'xyzzy' }] },
      });
      core.add({ jobId: 'job_b', shell: 'exit 7', payload: { image: 'debian:12' } });
      await core.until('both end', () => ended('job_a')() && ended('job_b')());
      const log = core.logOf('job_a');
      expect(log).toContain(image);
      expect(log).toMatch(/^HOME=.*\/work$/m);
      expect(log).toMatch(/^SECRET=xyzzy$/m);
      expect(log).toMatch(/^RHIZOME_ATTEMPT_ID=att_job_a/m);
      expect(log).not.toContain('of-the-pilot');
      expect(detailOf('job_a')).toMatchObject({ exitCode: 0, outputs: [{ name: 'out', sizeBytes: 5 }] });
      expect(detailOf('job_b')).toMatchObject({
        exitCode: 7,
        error: { family: 'PAYLOAD', code: 'EXIT_CODE' },
      });
      const called = await readFile(join(folder, 'bin', 'called'), 'utf8');
      expect(called).toMatch(new RegExp(`/bin/${name} `));
      expect(called).not.toContain('xyzzy');
    },
  );

  it('reports its runtimes, and gets only jobs that they can run', async () => {
    await start({ apptainer, podman, docker: podman });
    await core.until('it registers', () => core.said.some(({ what }) => what === 'registered'));
    expect(core.said.find(({ what }) => what === 'registered')?.detail).toMatchObject({
      facts: { containerRuntimes: ['apptainer', 'podman'] },
    });
    core.add({
      jobId: 'job_a',
      shell: 'sleep 30 & setsid sleep 30 & wait',
      payload: { image: 'debian:12' },
      containerRuntime: 'podman',
      walltimeSeconds: 0.5,
    });
    await core.until('it is over its walltime', ended('job_a'));
    expect(detailOf('job_a')).toMatchObject({ error: { code: 'WALLTIME_EXCEEDED' } });
  });
});
