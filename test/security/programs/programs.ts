/** Security programs of others: clairvoyance, which guesses schemas, and schemathesis, which fuzzes. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ProcessExit, spawnProcess, type TestProcess } from '@rhizome/testkit';
import { root } from '../../e2e/system/playground-system.js';
import { temporaryFolder } from '../../e2e/system/temporary-folder.js';
import type { AttackSystem } from '../attack/attack-system.js';
import type { Caller } from '../attack/attackers.js';

const folder = join(root, 'test', 'security', 'programs');

/** A program that the test command has installed from PyPI. */
function program(name: string): string {
  const path = join(root, '.cache', 'python', 'bin', name);
  if (!existsSync(path))
    throw new Error(`${path} does not exist; \`npm test\` installs it: node tools/python.mjs`);
  return path;
}

/** A record that a collector got. */
export interface ReceivedRecord {
  readonly service: string;
  /** Nanoseconds since 1970. */
  readonly time: number;
  readonly severity: number;
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly body: { readonly type: 'ENTRY' | 'OUTCOME'; readonly _id: string };
}

/** A collector of OTLP that decodes what it gets with OpenTelemetry's own protocol buffers. */
export interface OtlpReceiver {
  readonly url: string;
  /** The records so far. */
  received(): readonly ReceivedRecord[];
  /** Requests that it could not decode. */
  refused(): readonly string[];
}

/** Starts a collector; it ends with the file. */
export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const process = spawnProcess({
    name: 'otlp-receiver',
    command: program('python'),
    args: [join(folder, 'otlp-receiver.py')],
    cwd: folder,
    env: {},
  });
  const [, port = ''] = await process.line(/^listening (\d+)$/, 60_000);
  const linesOf = (word: string): readonly string[] =>
    process.lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));
  return {
    url: `http://127.0.0.1:${port}/v1/logs`,
    received: () => linesOf('record').map((line) => JSON.parse(line) as ReceivedRecord),
    refused: () => linesOf('refused'),
  };
}

interface Finished extends ProcessExit {
  readonly process: TestProcess;
}

async function run(
  name: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Finished> {
  const process = spawnProcess({
    name,
    command: program(name),
    args,
    cwd: await temporaryFolder('programs'),
    env,
  });
  process.end();
  return { process, ...(await process.exited) };
}

/** Options of {@link guessedFields}. */
export interface GuessOptions {
  readonly url: string;
  readonly token?: string | undefined;
  /** File with words near to the names of fields. */
  readonly words: string;
}

/** Fields of any type that clairvoyance has guessed, as `Type.field`. */
export async function guessedFields({ url, token, words }: GuessOptions): Promise<readonly string[]> {
  const output = join(await temporaryFolder('programs'), 'schema.json');
  const header = token === undefined ? [] : ['-H', `Authorization: Bearer ${token}`];
  await run('clairvoyance', ['-w', words, '-o', output, '-c', '4', '-m', '2', ...header, url]);
  // Where it learns nothing at all, it ends with an error and writes no schema.
  if (!existsSync(output)) return [];
  const { data } = JSON.parse(await readFile(output, 'utf8')) as {
    data: { __schema: { types: { name: string; fields?: { name: string }[] | null }[] } };
  };
  return data.__schema.types.flatMap(({ name, fields }) =>
    // Types without known fields get this one.
    (fields ?? []).filter((field) => field.name !== 'dummy').map((field) => `${name}.${field.name}`),
  );
}

/** Mutations that change the graph itself: the schema is the same for all calls. */
const graphMutations = '^Mutation\\.(publishSchema|rollbackSchema|withdrawSubgraph|registerSubgraph)$';

/** Options of {@link schemathesis}. */
export interface SchemathesisOptions {
  /** Examples of each field. */
  readonly examples: number;
  /** Length of a run that repeats its examples, with the start of the program; one round by default. */
  readonly seconds?: number;
  readonly seed: number;
}

/** Result of schemathesis. */
export interface SchemathesisResult extends ProcessExit {
  /** Requests that were made. */
  readonly generated: number;
  /** Its report. */
  readonly report: string;
}

/** Runs schemathesis as a caller, always from the same seed. */
export async function schemathesis(
  system: AttackSystem,
  as: Exclude<Caller, 'nobody'>,
  { examples, seconds, seed }: SchemathesisOptions,
): Promise<SchemathesisResult> {
  const kinds = ['token', 'key', 'secret', ...(as === 'everything' ? [] : ['environment'])];
  const secrets = kinds.flatMap((kind) => system.evidence.secrets(kind));
  const args = [
    ...['run', join(root, 'schema', 'public.graphql'), '--url', `${system.origin('gateway')}/graphql`],
    ...['-H', `Authorization: Bearer ${await system.tokenOf(as)}`, '--phases', 'fuzzing', '--mode', 'all'],
    ...[
      '--max-examples',
      String(examples),
      ...(seconds === undefined ? [] : ['--max-time', String(seconds)]),
    ],
    ...['--workers', '1', '--seed', String(seed), '--no-shrink', '--continue-on-failure'],
    ...['--checks', 'errors_have_codes', '--warnings', 'off', '--no-color'],
    ...['--exclude-name-regex', graphMutations, '--request-timeout', '120', '--suppress-health-check', 'all'],
  ];
  const env = { SCHEMATHESIS_HOOKS: 'hooks', PYTHONPATH: folder, CANARIES: secrets.join(',') };
  const { process, ...exit } = await run('schemathesis', args, env);
  const report = process.lines.join('\n');
  return { ...exit, report, generated: Number(/(\d+) generated/.exec(report)?.[1] ?? 0) };
}

/** Words that are one slip away from names of fields, and from nothing else. */
export const nearWords = join(folder, 'near-words.txt');
/** The names of all root fields and some others: a stranger with the schema at hand. */
export const realWords = join(folder, 'real-words.txt');
/** Principals as which schemathesis runs. */
export const principals = ['everything', 'user', 'pilot', 'agent', 'service'] as const;
