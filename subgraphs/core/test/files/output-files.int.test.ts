/** Outputs of jobs: by folders and patterns, of failed attempts, and their addresses. */
import { describe, expect, it } from '@jest/globals';
import type { Answer } from '../support/core.fixture.js';
import {
  ada,
  bob,
  codesOf,
  core,
  finish,
  grantOf,
  report,
  sha256,
  sign,
  started,
  user,
  workerNamed,
  withFiles,
} from '../support/files.fixture.js';

withFiles();

describe('outputs by folders and patterns', () => {
  const declared = { command: 'true', outputs: ['plots/*.png', 'logs/'], keepOnFailure: ['logs/'] };

  it('accepts paths that are declared, and no others', async () => {
    const worker = await workerNamed('host-8');
    const held = await started(worker, { name: 'p', payload: declared });
    const good = { sizeBytes: 5, sha256 };
    for (const name of ['plots/old/a.png', 'plots/a.jpg', 'logs', 'logs/'])
      expect(codesOf(await sign(worker, held, { writes: [{ name, ...good }] }))).toEqual(['FILE_NOT_FOUND']);
    const outside = { name: 'logs/../../x', ...good };
    expect(codesOf(await sign(worker, held, { writes: [outside] }))).toEqual(['INVALID_VALUE']);
    expect(codesOf(await finish(worker, held, ['logs/fit.log']))).toEqual(['OUTPUT_MISSING']);
    expect(codesOf(await finish(worker, held, ['plots/a.png', 'plots/b.png']))).toEqual([]);
    const { job } = await core.ask(
      'query ($id: ID!) { job(id: $id) { outputFiles { name location url } } }',
      {
        id: held.id,
      },
    );
    const [first] = job?.['outputFiles'] as unknown as readonly { url: string; location: string }[];
    const path = `alpha/ada/jobs/${held.id}/${held.fence}/plots/a.png`;
    expect(first).toMatchObject({ name: 'plots/a.png', location: `rhizome://site/${path}` });
    expect(grantOf(first?.url ?? '')).toMatchObject({ method: 'GET', key: path });
  });

  it('registers what a failed attempt keeps, apart from the outputs of the job', async () => {
    const worker = await workerNamed('host-9');
    const held = await started(worker, { name: 'k', payload: declared });
    const location = (name: string): string =>
      `rhizome://site/alpha/ada/jobs/${held.id}/${held.fence}/${name}`;
    const output = (name: string): object => ({ name, location: location(name), sizeBytes: 5, sha256 });
    const error = { family: 'PAYLOAD', code: 'EXIT_CODE', message: 'exit code 3', isRetryable: false };
    const fail = async (name: string): Promise<Answer> =>
      report('failJobs', worker, { ...held, error, outputs: [output(name)] });
    expect(codesOf(await fail('plots/a.png'))).toEqual(['INVALID_VALUE']);
    expect(codesOf(await fail('logs/fit.log'))).toEqual([]);
    const text =
      'query ($id: ID!) { job(id: $id) { outputs { name } attempts { keptOutputs { name } } outputFiles { name } kept: outputFiles(attempt: 1) { name url } other: outputFiles(attempt: 2) { name } } }';
    const { job } = await core.ask(text, { id: held.id }, ada);
    expect(job).toMatchObject({
      ...{ outputs: [], outputFiles: [], other: [] },
      attempts: [{ keptOutputs: [{ name: 'logs/fit.log' }] }],
      kept: [{ name: 'logs/fit.log' }],
    });
    const [kept] = job?.['kept'] as unknown as readonly { url: string }[];
    expect(grantOf(kept?.url ?? '')).toMatchObject({
      method: 'GET',
      key: location('logs/fit.log').slice(15),
    });
  });
});

describe('Job.outputFiles', () => {
  it('has addresses for those who may read the job', async () => {
    const worker = await workerNamed('host-3');
    const held = await started(worker, { name: 'o', payload: { command: 'true', outputs: ['a', 'b'] } });
    await finish(worker, held, ['a', 'b']);
    const text = 'query ($id: ID!) { job(id: $id) { outputFiles { name sizeBytes sha256 url expiresAt } } }';
    const { job } = await core.ask(text, { id: held.id }, bob);
    const found = job?.['outputFiles'] as unknown as readonly { name: string; url: string }[];
    expect(found).toMatchObject(['a', 'b'].map((name) => ({ name, sizeBytes: 5, sha256 })));
    for (const { name, url } of found)
      expect(grantOf(url)).toMatchObject({
        ...{ method: 'GET', key: `alpha/ada/jobs/${held.id}/${held.fence}/${name}` },
      });
    expect(await core.ask(text, { id: held.id }, user('eve', 'beta'))).toEqual({ job: null });
  });
});
