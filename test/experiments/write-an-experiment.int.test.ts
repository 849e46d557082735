import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, jest, test } from '@jest/globals';
import { createClient } from '@rhizome/client';
import * as library from '@rhizome/experiment';
import { silentLogger } from '@rhizome/log';
import { createIds, systemClock } from '@rhizome/mongo';
import { checkExperimentSchema, compose, definedTypes, discoverSubgraphs } from '@rhizome/schema';
import { leftovers, testDatabase } from '@rhizome/testkit';

jest.setTimeout(120_000);

const root = join(fileURLToPath(import.meta.url), '..', '..', '..', '..');
const page = readFileSync(join(root, 'docs/write-an-experiment.md'), 'utf8');

/** Compiles a package against what is built here, without its project references. */
function buildAlone(folder: string): void {
  const compilerOptions = { rootDir: 'src', outDir: 'dist', composite: false, incremental: false };
  const config = { extends: '../../tsconfig.base.json', compilerOptions, files: ['src/index.ts'] };
  writeFileSync(join(folder, 'tsconfig.alone.json'), JSON.stringify(config));
  const compiler = join(root, 'node_modules/typescript-native/bin/tsc');
  const { status, stdout } = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.alone.json'], {
    cwd: folder,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stdout);
}

describe('the page on writing an experiment', () => {
  test('names files that are there', () => {
    const named = [...page.matchAll(/`((?:src|experiments|test|lib|schema)\/[\w./-]+)`/g)].map(
      ([, path]) => path ?? '',
    );
    expect(named.length).toBeGreaterThan(15);
    const missing = named.filter(
      (path) => !existsSync(join(root, path)) && !existsSync(join(root, 'experiments/larkspur', path)),
    );
    expect(missing).toEqual([]);
  });

  test('names functions that are there', () => {
    for (const name of ['createSubmissions', 'InputCheck', 'workerLabel', 'jobDetails']) {
      expect(page).toContain(name);
      expect(library).toHaveProperty(name);
    }
  });

  test('tells how to copy larkspur, and what comes of it builds and composes with core', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rhizome-copy-'));
    leftovers.defer('the copy', () => rmSync(folder, { recursive: true, force: true }));
    for (const part of [
      'experiments/larkspur',
      'schema/shared.graphql',
      'subgraphs/core/src',
      'tsconfig.base.json',
    ]) {
      mkdirSync(join(folder, part, '..'), { recursive: true });
      cpSync(join(root, part), join(folder, part), {
        recursive: true,
        filter: (path) => !/\/(dist|node_modules)$/.test(path),
      });
    }
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    const [, commands] = /```sh\n([\s\S]*?)```/.exec(page) ?? [];
    execFileSync('sh', ['-c', commands ?? 'false'], { cwd: folder });

    const found = discoverSubgraphs(folder);
    expect(found.map(({ name }) => name)).toEqual(['core', 'heron', 'larkspur']);
    expect(compose(found)).toMatchObject({ ok: true });
    const heron = found.find(({ name }) => name === 'heron');
    const coreTypes = definedTypes(found.find(({ name }) => name === 'core')?.ownSdl ?? '');
    expect(
      checkExperimentSchema(heron?.ownSdl ?? '', { name: 'heron', typePrefix: 'Heron' }, coreTypes),
    ).toEqual([]);

    buildAlone(join(folder, 'experiments/heron'));
    const { experiment } = (await import(
      pathToFileURL(join(folder, 'experiments/heron/dist/index.js')).href
    )) as {
      experiment: library.ExperimentModule;
    };
    const core = leftovers.use(createClient({ url: 'http://127.0.0.1:9/graphql', token: 'none' }));
    const db = await testDatabase('heron');
    const service = await experiment.build({
      db,
      clock: systemClock,
      ids: createIds(),
      log: silentLogger(),
      core,
    });
    expect(service.subgraph.doors.map(({ name }) => name)).toContain('Mutation.submitHeronObservation');
    await service.stop();
  });
});
