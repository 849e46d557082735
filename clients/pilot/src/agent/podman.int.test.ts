/** Jobs in images, run by the real Podman. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testPilotOptions } from '../testing/pilot-options.js';
import { testImage, testPodman, type TestPodman } from '../testing/podman.js';
import { ScriptedCore, type ScriptedJob } from '../testing/scripted-core.js';
import { Pilot } from './pilot.js';

let folder: string;
let core: ScriptedCore;
let podman: TestPodman;
let pilot: Pilot;
let running: Promise<void>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'podman-'));
  core = new ScriptedCore();
  podman = await testPodman(folder);
  const host = { searchPath: `${podman.bin}:/usr/bin:/bin`, runtimeEnvironment: { HOME: folder } };
  pilot = new Pilot(core, testPilotOptions(folder, { host }), silentLogger());
  running = pilot.run();
});
afterEach(async () => {
  pilot.stop('the test is over');
  await running;
  await rm(folder, { recursive: true, force: true });
});

async function runInImage(job: Omit<ScriptedJob, 'jobId'>): Promise<string> {
  const payload = { image: testImage, ...job.payload };
  core.add({ jobId: 'job_a', ...job, payload });
  await core.until('job_a ends', () =>
    core.about('job_a').some((what) => what === 'FINISHED' || what === 'failed'),
  );
  return core.logOf('job_a');
}

async function storeInput(name: string, text: string): Promise<{ name: string; location: string }> {
  await mkdir(join(folder, 'store', 'in'), { recursive: true });
  await writeFile(join(folder, 'store', 'in', name), text);
  return { name, location: `in/${name}` };
}

const namesIn = (environment: string): readonly string[] =>
  environment.split('\0').flatMap((entry) => (entry === '' ? [] : [entry.slice(0, entry.indexOf('='))]));

/** Variables with which a loader or a container runtime runs other code or reads other files. */
const dangerous = [
  ...['LD_PRELOAD', 'LD_LIBRARY_PATH', 'LD_AUDIT', 'GCONV_PATH', 'LOCPATH', 'BASH_ENV', 'ENV', 'IFS'],
  ...['CONTAINERS_CONF', 'CONTAINERS_CONF_OVERRIDE', 'CONTAINERS_STORAGE_CONF', 'CONTAINERS_REGISTRIES_CONF'],
  ...['CONTAINER_HOST', 'CONTAINER_CONNECTION', 'DOCKER_HOST', 'REGISTRY_AUTH_FILE', 'STORAGE_OPTS'],
  ...[
    'XDG_CONFIG_HOME',
    'XDG_RUNTIME_DIR',
    'TMPDIR',
    'HTTP_PROXY',
    'SSL_CERT_FILE',
    'GODEBUG',
    'PODMAN_USERNS',
  ],
  ...['RHIZOME_OTHER', 'PATH'],
];

describe('a job in an image', () => {
  it('gets its variables, and Podman itself does not get them', async () => {
    const environment = dangerous.map((name) => ({ name, value: name === 'PATH' ? '/bin' : `./${name}` }));
    const shown = ['LD_PRELOAD', 'CONTAINERS_CONF', 'PATH'];
    const script = shown.map((name) => `echo "${name}=$${name}"`).join('; ');
    const log = await runInImage({ shell: script, payload: { environment } });
    const seen = namesIn(await readFile(podman.recorded.environment, 'utf8'));
    expect(seen.filter((name) => dangerous.includes(name))).toEqual(['PATH']);
    expect(await readFile(podman.recorded.arguments, 'utf8')).not.toContain('./CONTAINERS_CONF');
    expect(log).toMatch(/^LD_PRELOAD=\.\/LD_PRELOAD$/m);
    expect(log).toMatch(/^CONTAINERS_CONF=\.\/CONTAINERS_CONF$/m);
    expect(log).toMatch(/^PATH=\/bin$/m);
  });

  it('cannot configure Podman by a file among its inputs', async () => {
    const input = await storeInput('containers.conf', '[containers]\nenv = ["CONFIGURED_BY=payload"]\n');
    const environment = [{ name: 'CONTAINERS_CONF', value: './containers.conf' }];
    const log = await runInImage({ shell: 'env', payload: { environment, inputs: [input] } });
    expect(log).toMatch(/^CONTAINERS_CONF=\.\/containers\.conf$/m);
    expect(log).not.toContain('CONFIGURED_BY');
  });

  it('starts Podman outside the scratch space', async () => {
    await runInImage({ shell: 'true' });
    expect((await readFile(podman.recorded.folder, 'utf8')).trim()).toBe('/');
  });

  it('gets values with line breaks, spaces, quotes and marks of comments as they are', async () => {
    const values = {
      LINES: 'one\ntwo\n\n# three\n',
      RETURN: 'a\r',
      QUOTED: `it's "so" \\ $HOME \`id\` #`,
      EMPTY: '',
      SPACED: '  a  b  ',
      LONG: 'x'.repeat(100_000),
    };
    const environment = Object.entries(values).map(([name, value]) => ({ name, value }));
    const outputs = Object.keys(values);
    const script = outputs.map((name) => `printf %s "$${name}" > "$RHIZOME_OUTPUTS/${name}"`).join('; ');
    await runInImage({ shell: script, payload: { environment, outputs } });
    const stored = core.said.find(({ what }) => what === 'FINISHED')?.detail as {
      outputs: { name: string; location: string }[];
    };
    const found = await Promise.all(
      stored.outputs.map(async ({ name, location }) => [
        name,
        await readFile(join(folder, 'store', location), 'utf8'),
      ]),
    );
    expect(Object.fromEntries(found)).toEqual(values);
  });

  it('leaves no file with its variables', async () => {
    await runInImage({
      shell: 'ls "$(dirname "$RHIZOME_OUTPUTS")" || ls "$RHIZOME_OUTPUTS/.."',
      payload: { environment: [{ name: 'SECRET', value: 'xyzzy' }] },
    });
    pilot.drain('enough');
    await running;
    expect(await readdir(join(folder, 'scratch'))).toEqual([]);
  });
});
