/**
 * From nothing to an experiment of one's own: the tutorial, done to the letter in a copy of the repository,
 * and one as a repository of its own.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createClient, type TypedDocumentNode } from '@rhizome/client';
import { openIdentities, type PlaygroundFile } from '@rhizome/playground';
import { leftovers, spawnProcess, waitFor } from '@rhizome/testkit';
import { parse } from 'graphql';
import { commandLineOf } from '../system/cli.js';
import { dataFolder, root } from '../system/playground-system.js';
import { applyEdit, snippetsOf } from './tutorial.js';

jest.setTimeout(1_800_000);

const page = readFileSync(join(root, 'docs/tutorials/first-experiment.md'), 'utf8');
const snippets = snippetsOf(page);
let copy: string;

beforeAll(async () => {
  copy = await copyOfRepository();
});

/** A copy of the checkout, built as this one is; nothing of it is shared but what npm has installed. */
async function copyOfRepository(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rhizome-copy-'));
  leftovers.defer('the copy', () => rm(folder, { recursive: true, force: true }));
  for (const name of readdirSync(root).filter((one) => !['node_modules', '.git', '.rhizome'].includes(one)))
    cpSync(join(root, name), join(folder, name), { recursive: true, preserveTimestamps: true });
  const modules = join(folder, 'node_modules');
  try {
    // Links are quick; on another file system they cannot be had.
    execFileSync('cp', ['-al', join(root, 'node_modules'), modules], { stdio: 'ignore' });
  } catch {
    execFileSync('cp', ['-a', join(root, 'node_modules'), `${modules}.whole`]);
    execFileSync('sh', ['-c', 'rm -rf "$1" && mv "$1.whole" "$1"', 'sh', modules]);
  }
  return folder;
}

/** Runs a shell command to its end; its output is shown if it failed. */
async function run(name: string, command: string, cwd: string): Promise<string> {
  const started = performance.now();
  const running = spawnProcess({ name, command: 'sh', args: ['-ec', command], cwd });
  running.end();
  const { code } = await running.exited;
  process.stdout.write(`${name}: ${((performance.now() - started) / 1000).toFixed(1)} s\n`);
  if (code !== 0) throw new Error(`${command}\nended with ${code}:\n${running.lines.join('\n')}`);
  return running.lines.join('\n');
}

/** The playground of the copy, with its services as processes, until it is ready. */
async function startPlayground(data: string): Promise<PlaygroundFile> {
  const args = ['--data', data, '--port', '0', '--transport', 'http', '--no-tour', '--pilots', '1'];
  const program = join(copy, 'deploy/playground/bundle/bin.js');
  const playground = spawnProcess({
    name: 'playground',
    command: 'node',
    args: [program, ...args],
    cwd: copy,
  });
  leftovers.defer('the playground of the copy', () => playground.kill('SIGINT'));
  await playground.line(/playground ready/, 300_000);
  return JSON.parse(readFileSync(join(data, 'playground.json'), 'utf8')) as PlaygroundFile;
}

const asked = (name: string): string => {
  const found = snippets.find((one) => one.kind === 'ask' && one.name === name);
  if (!found) throw new Error(`the page asks nothing called ${name}`);
  return found.text;
};
const documentOf = <TData>(text: string) => parse(text) as TypedDocumentNode<TData, { id?: string }>;

interface Seen {
  readonly bittern: {
    readonly observation: {
      readonly seeingArcseconds: number | null;
      readonly state: string;
      readonly task: {
        readonly jobs: {
          readonly nodes: readonly { readonly state: string; readonly bittern: object | null }[];
        };
      } | null;
    };
  };
}

describe('the tutorial of a first experiment', () => {
  it('has snippets of each kind, and a mark that is misspelled is not one', () => {
    expect(new Set(snippets.map(({ kind }) => kind))).toEqual(new Set(['run', 'edit', 'ask']));
    expect(snippets.filter(({ kind }) => kind === 'edit').length).toBeGreaterThan(12);
    const marked = [...page.matchAll(/^```\w+ .+$/gm)].length;
    expect(snippets).toHaveLength(marked);
  });

  it('leads from the command to jobs whose field answers through the gateway, and to an endpoint that keeps the contract', async () => {
    for (const snippet of snippets) {
      if (snippet.kind === 'run') await run(snippet.text.split('\n')[0] ?? '', snippet.text, copy);
      if (snippet.kind === 'edit') applyEdit(copy, snippet);
    }
    const data = await dataFolder();
    const file = await startPlayground(data);
    const client = leftovers.use(createClient({ url: file.url, wsUrl: file.wsUrl, token: file.token }));

    type Submitted = {
      submitBitternObservation: { observation: { id: string } | null; userErrors: object[] };
    };
    const { submitBitternObservation: submitted } = await client.mutate(
      documentOf<Submitted>(asked('submit')),
      {},
      { idempotent: true },
    );
    expect(submitted.userErrors).toEqual([]);
    const id = submitted.observation?.id ?? '';

    type Followed = { bitternSeeingChanged: { cursor: string; event: { arcseconds: number | null } | null } };
    const stream = client.subscribeResumable(
      documentOf<Followed>(asked('follow')),
      { id },
      {
        cursorOf: ({ bitternSeeingChanged }) => bitternSeeingChanged.cursor,
      },
    );
    const untilSeeing = async (): Promise<number> => {
      for await (const { bitternSeeingChanged } of stream) {
        const arcseconds = bitternSeeingChanged.event?.arcseconds ?? null;
        if (arcseconds !== null) return arcseconds;
      }
      throw new Error('the stream ended');
    };
    await stream.next();
    const followed = untilSeeing();
    type Recorded = { recordBitternSeeing: { observation: object | null; userErrors: object[] } };
    expect(await client.mutate(documentOf<Recorded>(asked('record')), { id }, { idempotent: true })).toEqual({
      recordBitternSeeing: { observation: { seeingArcseconds: 0.8 }, userErrors: [] },
    });
    expect(await waitFor('the seeing', followed, { deadlineMs: 30_000 })).toBe(0.8);

    const complete = async (): Promise<Seen['bittern']['observation'] | null> => {
      const { observation } = (await client.query(documentOf<Seen>(asked('read')), { id })).bittern;
      return observation.state === 'COMPLETE' ? observation : null;
    };
    const seen = await waitFor('the observation is complete', complete, { deadlineMs: 120_000 });
    expect(seen.seeingArcseconds).toBe(0.8);
    expect(seen.task?.jobs.nodes).toEqual(
      expect.arrayContaining([
        { state: 'FINISHED', bittern: { step: 'CALIBRATE', exposure: 0 } },
        { state: 'FINISHED', bittern: { step: 'CALIBRATE', exposure: 1 } },
        { state: 'FINISHED', bittern: { step: 'STACK', exposure: null } },
      ]),
    );
    await client.close();
    await keepsTheContract(data, file);
  });
});

/** `rhizome experiment it` on the running endpoint, with complete input, so that nothing is skipped. */
async function keepsTheContract(data: string, { pids }: PlaygroundFile): Promise<void> {
  const cli = commandLineOf({ data });
  const list = await cli.run(['subgraphs', '--json']);
  const subgraphs = list.json<readonly { readonly name: string; readonly endpoint: string }[]>();
  const url = subgraphs.find(({ name }) => name === 'bittern')?.endpoint ?? '';
  const foreign = join(data, 'egret.token');
  const identities = await openIdentities(data);
  writeFileSync(foreign, await identities.service('egret'));
  const sdl = join(data, 'bittern.graphql');
  const words = ['schema/shared.graphql', 'experiments/bittern/src/schema.graphql'];
  writeFileSync(sdl, words.map((one) => readFileSync(join(copy, one), 'utf8')).join('\n'));
  const tested = await cli.run([
    ...['experiment', 'test', url, '--contract', join(copy, 'experiments/bittern/contract.yaml')],
    ...[
      '--sdl',
      sdl,
      '--call-key-file',
      join(data, 'call-key.json'),
      '--issuer-alias',
      'playground',
      '--refused-token-file',
      foreign,
      '--pid',
      String(pids['bittern']),
      '--strict',
      '--json',
    ],
  ]);
  expect(tested.stderr).toBe('');
  const report = tested.json<{ readonly findings: readonly { readonly outcome: string }[] }>();
  expect(report.findings.filter(({ outcome }) => outcome !== 'passed')).toEqual([]);
  expect(tested.exitCode).toBe(0);
}

/** Registry packages in the lock file of a repository, as `name@version`. */
function versionsIn(repository: string): readonly string[] {
  type Locked = Readonly<Record<string, { readonly version?: string; readonly resolved?: string }>>;
  const lock = readFileSync(join(repository, 'package-lock.json'), 'utf8');
  const { packages } = JSON.parse(lock) as { readonly packages: Locked };
  return Object.entries(packages)
    .filter(([place, { resolved = '' }]) => place !== '' && !resolved.startsWith('file:'))
    .map(([place, { version }]) => `${place.split('node_modules/').at(-1)}@${version}`);
}

describe('a stand-alone experiment', () => {
  it('is made without a registry, of the versions locked here; it installs, builds and passes its tests on packages alone', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'rhizome-egret-'));
    leftovers.defer('the repository of egret', () => rm(folder, { recursive: true, force: true }));
    const begin = `node "${join(root, 'clients/cli/bin/rhizome.mjs')}" experiment new egret --standalone "${folder}"`;
    // Nobody listens on the discard port, and nothing is kept: all that is asked of a registry fails.
    const alone = `npm_config_registry=http://127.0.0.1:9 npm_config_fetch_retries=0 npm_config_cache="${await dataFolder()}"`;
    await run('experiment new --standalone', `${alone} ${begin}`, root);
    const built = ['bundle', 'dist', 'dist-test'].filter((name) => existsSync(join(folder, name)));
    expect(built).toEqual([]);
    expect(readFileSync(join(folder, 'package-lock.json'), 'utf8')).not.toContain(root);
    expect(versionsIn(folder).filter((one) => !versionsIn(root).includes(one))).toEqual([]);
    await run('npm ci', 'npm ci', folder);
    await run('generate --check', 'node tools/generate.mjs --check', folder);
    const output = await run('npm test', 'npm test', folder);
    expect(output).toMatch(/Tests: +\d+ passed/);
    for (const part of [
      'Dockerfile',
      '.github/workflows/ci.yml',
      'experiment.yaml',
      'contract.yaml',
      'README.md',
    ])
      expect([part, existsSync(join(folder, part))]).toEqual([part, true]);
  });

  it('is not begun in a folder that holds something, or under a name that does not do', async () => {
    const cli = commandLineOf({ data: await dataFolder() });
    const inRepository = { cwd: join(root, 'docs') };
    const taken = await cli.run(['experiment', 'new', 'egret', '--standalone', '.'], inRepository);
    expect([taken.exitCode, taken.stderr]).toEqual([2, expect.stringContaining('is not empty')]);
    for (const [name, why] of [
      ['Egret', 'must be 2 to 31 lower-case letters and digits'],
      ['job', 'core must not name an experiment'],
    ] as const) {
      const refused = await cli.run(['experiment', 'new', name], inRepository);
      expect([refused.exitCode, refused.stderr]).toEqual([2, expect.stringContaining(why)]);
    }
    const nowhere = await cli.run(['experiment', 'new', 'egret']);
    expect([nowhere.exitCode, nowhere.stderr]).toEqual([2, expect.stringContaining('is not in a checkout')]);
  });
});
