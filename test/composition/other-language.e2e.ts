/** The contract is not TypeScript: a subgraph in Python keeps it, and joins a playground that runs. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import type { TypedDocumentNode } from '@rhizome/client';
import {
  leftovers,
  spawnProcess,
  testDatabase,
  testMongo,
  type TestProcess,
  waitFor,
} from '@rhizome/testkit';
import { parse } from 'graphql';
import { commandLineOf } from '../e2e/system/cli.js';
import { type PlaygroundSystem, root, startPlayground } from '../e2e/system/playground-system.js';

const wren = join(root, 'test/composition/wren');
let packages: string;

beforeAll(async () => {
  packages = await installed();
});

/**
 * Dependencies of Wren from PyPI, installed once for each state of its requirements, in this user's cache.
 */
async function installed(): Promise<string> {
  const requirements = readFileSync(join(wren, 'requirements.txt'));
  const version = createHash('sha256').update(requirements).digest('hex').slice(0, 16);
  const folder = join(homedir(), '.cache', 'rhizome', `python-${version}`);
  if (existsSync(folder)) return folder;
  const draft = `${folder}.${process.pid}`;
  leftovers.defer('the draft', () => rmSync(draft, { recursive: true, force: true }));
  const args = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', draft];
  const pip = spawnProcess({
    name: 'pip',
    command: 'python3',
    args: [...args, '-r', join(wren, 'requirements.txt')],
  });
  pip.end();
  const { code } = await pip.exited;
  if (code !== 0) throw new Error(`pip ended with ${code}:\n${pip.lines.join('\n')}`);
  renameSync(draft, folder);
  return folder;
}

interface RunningWren {
  readonly process: TestProcess;
  readonly url: string;
}

/** Wren as a process of its own, with a database of its own, that trusts the playground's tokens. */
async function startWren(system: PlaygroundSystem): Promise<RunningWren> {
  const db = await testDatabase('exp_wren');
  const running = spawnProcess({
    name: 'wren',
    command: 'python3',
    args: ['-m', 'wren'],
    cwd: wren,
    env: {
      PYTHONPATH: packages,
      PYTHONDONTWRITEBYTECODE: '1',
      WREN_MONGO_URI: (await testMongo()).uri,
      WREN_DATABASE: db.databaseName,
      WREN_WORDS: join(root, 'schema/shared.graphql'),
      WREN_JWKS_FILE: join(system.data, 'call-jwks.json'),
      WREN_PORT: '0',
    },
  });
  const [, url = ''] = await running.line(/listening on (\S+)/, 60_000);
  return { process: running, url };
}

async function startTestSystem(): Promise<PlaygroundSystem> {
  const system = await startPlayground();
  writeFileSync(join(system.data, 'call-jwks.json'), JSON.stringify(system.identities.calls.jwks()));
  return system;
}

interface Report {
  readonly kept: number;
  readonly findings: readonly { readonly outcome: string; readonly part: string }[];
}

describe('an experiment in Python', () => {
  it('keeps every promise of the contract, and drains', async () => {
    const system = await startTestSystem();
    const { process: running, url } = await startWren(system);
    const foreign = join(system.data, 'foreign.token');
    writeFileSync(foreign, await system.identities.service('egret'));
    const published = join(system.data, 'wren.graphql');
    const words = [join(root, 'schema/shared.graphql'), join(wren, 'wren/schema.graphql')];
    writeFileSync(published, words.map((one) => readFileSync(one, 'utf8')).join('\n'));
    const tested = await commandLineOf(system).run([
      ...['experiment', 'test', url, '--contract', join(wren, 'contract.yaml'), '--sdl', published],
      ...['--call-key-file', join(system.data, 'call-key.json')],
      ...['--refused-token-file', foreign, '--pid', String(running.pid), '--strict', '--json'],
    ]);
    expect(tested.stderr).toBe('');
    const { findings } = tested.json<Report>();
    expect(findings.filter(({ outcome }) => outcome !== 'passed')).toEqual([]);
    expect(new Set(findings.map(({ part }) => part)).size).toBe(9);
    expect(tested.exitCode).toBe(0);
    expect(await running.exited).toEqual({ code: 0, signal: null });
    await system.stop();
  });

  it('joins a running playground with its field, mutation and stream, next to those of core', async () => {
    const system = await startTestSystem();
    const cli = commandLineOf(system);
    const { url } = await startWren(system);
    const registerInput = { name: 'wren', title: 'Wren' };
    await system
      .api()
      .data(
        'mutation ($input: RegisterExperimentInput!) { registerExperiment(input: $input) { userErrors { message } } }',
        {
          input: registerInput,
        },
      );
    const registered = await cli.run(['schema', 'register', 'wren', '--endpoint', url, '--prefix', 'Wren']);
    expect([registered.exitCode, registered.stderr]).toEqual([0, '']);

    // The experiment's own service publishes its schema; another's may not.
    const own = join(system.data, 'wren.token');
    writeFileSync(own, await system.identities.service('wren'));
    const foreign = join(system.data, 'egret.token');
    writeFileSync(foreign, await system.identities.service('egret'));
    const refused = await cli.run(['--token-file', foreign, 'schema', 'publish', 'wren']);
    expect([refused.exitCode, refused.stderr]).toEqual([4, expect.stringContaining('egret')]);
    const published = await cli.run(['--token-file', own, 'schema', 'publish', 'wren']);
    expect([published.exitCode, published.stderr]).toEqual([0, '']);

    const submit =
      'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { jobs { id } userErrors { message } } }';
    const job = { name: 'ringing', payload: { command: 'true' } };
    const input = { idempotencyKey: 'wren-1', experiment: 'wren', jobs: [job] };
    const live = waitFor('the gateway serves the new words', untilServed(system), { deadlineMs: 6000 });
    const { submitJobs } = await system
      .api()
      .data<{ submitJobs: { jobs: { id: string }[]; userErrors: object[] } }>(submit, { input });
    expect(submitJobs.userErrors).toEqual([]);
    const jobId = submitJobs.jobs[0]?.id ?? '';
    await live;

    type Noted = {
      wrenJobNoted: {
        cursor: string;
        event: { job: { state: string; wren: object | null } } | null;
      };
    };
    const follow =
      'subscription ($id: ID!) { wrenJobNoted(jobId: $id) { cursor event { job { state wren { chicks } } } } }';
    const stream = system.client().subscribeResumable(
      parse(follow) as TypedDocumentNode<Noted, { id: string }>,
      { id: jobId },
      {
        cursorOf: ({ wrenJobNoted }) => wrenJobNoted.cursor,
      },
    );
    const next = () => waitFor('a message of the stream', stream.next(), { deadlineMs: 30_000 });
    expect((await next()).value).toMatchObject({ wrenJobNoted: { event: null } });
    const note =
      'mutation ($input: NoteWrenJobInput!) { noteWrenJob(input: $input) { job { name wren { nest } } userErrors { message } } }';
    expect(await system.api().data(note, { input: { jobId, nest: 'N-7', chicks: 3 } })).toEqual({
      noteWrenJob: { job: { name: 'ringing', wren: { nest: 'N-7' } }, userErrors: [] },
    });
    expect((await next()).value).toMatchObject({
      wrenJobNoted: { event: { job: { state: 'ACTIVATED', wren: { chicks: 3 } } } },
    });
    const bad = await system.api().data(note, { input: { jobId, nest: 'the oak', chicks: 3 } });
    expect(bad).toMatchObject({
      noteWrenJob: {
        userErrors: [
          { message: expect.stringContaining("nest: 'the oak' is not valid; must be") as unknown },
        ],
      },
    });
    await stream.return?.();

    const read = '{ wren { notedJobs { job { name state } details { chicks notedBy } } } }';
    expect(await system.api().data(read)).toEqual({
      wren: {
        notedJobs: [
          {
            job: { name: 'ringing', state: 'ACTIVATED' },
            details: { chicks: 3, notedBy: 'playground:newcomer' },
          },
        ],
      },
    });
    await system.stop();
  });
});

/**
 * Asks until the gateway knows the experiment's field; each question is one that it must answer in any case.
 */
async function untilServed(system: PlaygroundSystem): Promise<void> {
  const words = '{ __type(name: "Job") { fields { name } } }';
  for (;;) {
    const { __type } = await system.api().data<{ __type: { fields: { name: string }[] } }>(words);
    if (__type.fields.some(({ name }) => name === 'wren')) return;
  }
}
