import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { enrolCommand } from './credential/enrol-command.js';
import { readConfig, type PilotConfig } from './config.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pilot-config-'));
  await writeFile(join(folder, 'token'), 'secret');
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

function read(env: NodeJS.ProcessEnv, ...options: string[]): PilotConfig {
  const required = [
    '--url',
    'http://127.0.0.1:4000/graphql',
    '--queue',
    'q',
    '--token-file',
    join(folder, 'token'),
  ];
  return readConfig(['node', 'rhizome-pilot', ...required, ...options], env);
}

describe('readConfig', () => {
  it("keeps npm's folders out of the payloads' PATH", () => {
    const npm = [
      '/clone/node_modules/.bin',
      '/node_modules/.bin',
      '/usr/lib/node_modules/npm/bin/node-gyp-bin',
    ];
    const env = { PATH: [...npm, '/opt/tools/bin', '/usr/bin', '/bin'].join(':') };
    expect(read(env).pilot.host.searchPath).toBe('/opt/tools/bin:/usr/bin:/bin');
  });

  it('has a default PATH if none of its own remains', () => {
    expect(read({ PATH: '/clone/node_modules/.bin' }).pilot.host.searchPath).toBe(
      '/usr/local/bin:/usr/bin:/bin',
    );
    expect(read({}).pilot.host.searchPath).toBe('/usr/local/bin:/usr/bin:/bin');
  });

  it('takes the batch job of the environment, unless an option names another one', () => {
    expect(read({}).pilot.batchJobId).toBeUndefined();
    expect(read({ SLURM_JOB_ID: '815' }).pilot.batchJobId).toBe('815');
    expect(read({ SLURM_JOB_ID: '815' }, '--batch-job-id', '816').pilot.batchJobId).toBe('816');
  });

  it.each(['s3://bucket', 'root://eos.test//store'])('refuses %s as a file store', (store) => {
    expect(() => read({}, '--store', store)).toThrow(/--store.*expected a path or an http\(s\) URL/s);
  });

  it('requires TLS for a gateway on another host, unless plain text is permitted', () => {
    const far = ['--url', 'http://rhizome.example/graphql'];
    expect(() => read({}, ...far)).toThrow(/not secure.*insecureTransport/s);
    expect(read({}, ...far, '--insecure-transport', 'true').url).toBe('http://rhizome.example/graphql');
    expect(read({}, '--url', 'https://rhizome.example/graphql').url).toContain('https:');
  });

  it('requires TLS to enrol at a gateway on another host, and makes no key before', async () => {
    const credentialFile = join(folder, 'pilot.json');
    const far = ['--url', 'http://rhizome.invalid/graphql', '--queue', 'north', '--code', 'rhi_x'];
    const enrol = (...more: string[]) =>
      enrolCommand([...far, '--credential-file', credentialFile, ...more], () => undefined);
    await expect(enrol()).rejects.toThrow('RHIZOME_PILOT_INSECURE_TRANSPORT=true');
    expect(existsSync(credentialFile)).toBe(false);
    // The host does not exist, so the request itself fails.
    await expect(enrol('--insecure-transport')).rejects.toThrow(/rhizome\.invalid|fetch failed/);
    expect(existsSync(credentialFile)).toBe(true);
  });
});
