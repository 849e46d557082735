import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
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

  describe('--writable-folder', () => {
    let root: string;
    const offer = (...paths: readonly string[]): (() => readonly string[]) => {
      const options = paths.flatMap((path) => ['--writable-folder', path]);
      const env = { PATH: join(root, 'tools/bin'), HOME: join(root, 'home') };
      const readable = ['--readable-folder', join(root, 'data'), '--readable-folder', join(root, 'software')];
      const places = ['--scratch', join(root, 'pilot/scratch'), '--store', join(root, 'store'), ...readable];
      return () => read(env, ...places, ...options).pilot.isolation.writable;
    };

    beforeEach(async () => {
      root = await realpath(folder);
      const names = ['data/shared/inner', 'pilot/scratch/x', 'store/x', 'software', 'tools/bin', 'home/x'];
      for (const name of names) await mkdir(join(root, name), { recursive: true });
      await symlink(join(root, 'home'), join(root, 'data/link'));
      await symlink(join(root, 'data'), join(root, 'way'));
    });

    it('is a folder of its own, which may be in one that payloads read', () => {
      expect(offer(join(root, 'data/shared'))()).toEqual([join(root, 'data/shared')]);
    });

    it.each([
      ['/', 'is the whole host'],
      ['/usr/share', 'is in /usr, a folder of the operating system'],
      ['/tmp', 'is the folder for temporary files'],
      ['/dev/shm', 'is in /dev'],
    ])('is not %s', (path, problem) => {
      expect(offer(path)).toThrow(`--writable-folder: ${path} ${problem}`);
    });

    it.each([
      ['.', 'contains ROOT/pilot/scratch, the scratch folder'],
      ['pilot', 'contains ROOT/pilot/scratch, the scratch folder'],
      ['pilot/scratch', 'is the scratch folder'],
      ['pilot/scratch/x', 'is in ROOT/pilot/scratch, the scratch folder'],
      ['store/x', 'is in ROOT/store, the file store'],
      ['home', 'is HOME of the pilot'],
      ['home/x', 'is in ROOT/home, HOME of the pilot'],
      ['tools', 'contains ROOT/tools/bin, a folder of programs (PATH)'],
      ['software', 'is a folder that payloads only read'],
      ['data/link', 'is a link to ROOT/home'],
      ['way/shared', 'is a link to ROOT/data/shared, or in one'],
      ['token', 'is not a folder'],
      ['none', 'cannot be opened (ENOENT)'],
    ])('is not %s of the host', (path, problem) => {
      expect(offer(join(root, path))).toThrow(problem.replaceAll('ROOT', root));
    });

    it('is a plain path, and contains no other', () => {
      expect(offer(`${root}/data/../home`)).toThrow('is not a plain path');
      const shared = join(root, 'data/shared');
      expect(offer(shared, join(shared, 'inner'))).toThrow(`contains ${join(shared, 'inner')}`);
    });

    it('does not contain what a file of the pilot is linked to', async () => {
      await writeFile(join(root, 'data/shared/key'), 'secret');
      await rm(join(root, 'token'));
      await symlink(join(root, 'data/shared/key'), join(root, 'token'));
      expect(offer(join(root, 'data/shared'))).toThrow(/contains .*\/key, a file of the pilot/);
    });
  });

  it('accepts networks, addresses and host names with --allow-network, and nothing else', () => {
    const networks = ['10.1.0.0/16', '127.0.0.1', 'fd12::/48', 'minio.site.example'];
    const options = networks.flatMap((network) => ['--allow-network', network]);
    expect(read({}, ...options).pilot.allowedNetworks).toEqual(networks);
    for (const wrong of ['10.0.0.0/40', 'http://minio', '10.1', ''])
      expect(() => read({}, '--allow-network', wrong)).toThrow(/a network such as 10.0.0.0/);
  });

  it('has a cache of inputs in the scratch space, or in a folder that pilots share, if it has a size', () => {
    expect(read({}).pilot.inputCache).toBeUndefined();
    expect(read({}, '--cache-mib', '500').pilot.inputCache).toMatchObject({
      ...{ folder: expect.stringMatching(/\/input-cache$/), limitMiB: 500 },
    });
    const shared = read({}, '--cache-mib', '500', '--cache-folder', '/var/cache/rhizome');
    expect(shared.pilot.inputCache?.folder).toBe('/var/cache/rhizome');
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
