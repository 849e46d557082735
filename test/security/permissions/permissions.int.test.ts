// Who may do what: every root field of core, called by each role through a gateway. The verdicts are
// compared with the page of the reference, which `npm run generate -- --permissions` writes.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiClient } from '@rhizome/client';
import { isRhizomeApiError } from '@rhizome/client';
import { discoverSubgraphs } from '@rhizome/schema';
import { Kind, parse } from 'graphql';
import { document } from '../../experiments/test-system.js';
import { root } from '../../e2e/system/playground-system.js';
import { rows, type Row } from './rows.js';
import { type Caller, callers, startWorld, targets, type Target, type World } from './world.js';

/** Allowed; as if there were no such object; refused because of the rights. */
type Verdict = 'yes' | 'none' | 'no';
const marks: Readonly<Record<Verdict, string>> = { yes: '✓', none: '–', no: '✗' };
const page = join(root, 'docs', 'reference', 'permissions.md');

let world: World;
const clients = new Map<Caller, ApiClient>();
beforeAll(async () => {
  world = await startWorld();
  for (const [caller, token] of world.tokens) clients.set(caller, await world.system.client(token));
});

async function verdictOf(name: string, row: Row, caller: Caller, target: Target): Promise<Verdict> {
  const client = clients.get(caller);
  const variables = row.variables?.(world.objects(caller, target), caller, target) ?? {};
  if (!client) throw new Error(caller);
  try {
    const answer = name.startsWith('Subscription.')
      ? await first(client, row.text, variables)
      : ((await client.execute(document(row.text), variables, { idempotent: false })) as {
          data: Record<string, unknown> | null;
          errors: readonly { code: string }[];
        });
    if (answer.errors.length > 0) return ofCodes(answer.errors.map(({ code }) => code));
    return ofValue(name, Object.values(answer.data ?? {}).at(-1));
  } catch (error) {
    if (isRhizomeApiError(error)) return ofCodes(error.errors.map(({ code }) => code));
    throw error;
  }
}

async function first(
  client: ApiClient,
  text: string,
  variables: object,
): Promise<{ data: Record<string, unknown> | null; errors: readonly { code: string }[] }> {
  const stream = client.subscribe(document(text), variables);
  try {
    for await (const data of stream) return { data: data as Record<string, unknown>, errors: [] };
    throw new Error(`${text} ended without a message`);
  } finally {
    await stream.return?.();
  }
}

/** Errors of calls that were allowed, and refused for what they ask, or for the credential they lack. */
const allowedCodes: ReadonlySet<string> = new Set([
  'JOB_STATE_CONFLICT',
  'FENCE_STALE',
  'CREDENTIAL_REQUIRED',
]);

/** @throws Error for a code that is not known to mean one or the other */
function ofCodes(codes: readonly string[]): Verdict {
  if (codes.includes('FORBIDDEN')) return 'no';
  if (codes.some((code) => code.endsWith('_NOT_FOUND') || code === 'NOT_FOUND')) return 'none';
  const unknown = codes.filter((code) => !allowedCodes.has(code));
  if (unknown.length > 0) throw new Error(`Codes without a meaning for the table: ${unknown.join()}`);
  return 'yes';
}

/** Reports about a job that does not exist; they are allowed where the caller acts for the worker. */
const reports: ReadonlySet<string> = new Set(
  ['startJobs', 'finishJobs', 'failJobs', 'appendJobLog', 'redeemSecrets'].map(
    (field) => `Mutation.${field}`,
  ),
);

function ofValue(name: string, value: unknown): Verdict {
  if (value === null || value === undefined) return 'none';
  if (Array.isArray(value)) return value.length > 0 ? 'yes' : 'none';
  const { nodes, userErrors } = value as { nodes?: unknown[]; userErrors?: { code: string }[] };
  if (nodes) return nodes.length > 0 ? 'yes' : 'none';
  const codes = (userErrors ?? []).map(({ code }) => code);
  return ofCodes(reports.has(name) ? codes.filter((code) => code !== 'JOB_NOT_FOUND') : codes);
}

async function tableRow(name: string, row: Row): Promise<string> {
  const cells: string[] = [];
  for (const caller of callers) {
    let cell = '';
    for (const target of targets) cell += marks[await verdictOf(name, row, caller, target)];
    cells.push(cell);
  }
  return `| \`${name}\` | ${cells.join(' | ')} |`;
}

/** Text of the page before its table. */
const head = readFileSync(join(root, 'test', 'security', 'permissions', 'head.md'), 'utf8');
const tableHead = `| field | ${callers.join(' | ')} |\n| --- | ${callers.map(() => '---').join(' | ')} |\n`;

/** A page without the widths of its columns. */
const normal = (text: string): string =>
  text.replaceAll(/^\|.*$/gm, (line) => line.replaceAll(/ +/g, ' ').replaceAll(/-{3,}/g, '---'));

describe('permissions of the roles', () => {
  it('has a row for each root field of core', () => {
    const core = discoverSubgraphs(root).find(({ name }) => name === 'core');
    const fields = parse(core?.ownSdl ?? '').definitions.flatMap((definition) =>
      (definition.kind === Kind.OBJECT_TYPE_DEFINITION || definition.kind === Kind.OBJECT_TYPE_EXTENSION) &&
      ['Query', 'Mutation', 'Subscription'].includes(definition.name.value)
        ? (definition.fields ?? []).map(({ name }) => `${definition.name.value}.${name.value}`)
        : [],
    );
    expect(rows.map(([name]) => name).sort()).toEqual(fields.sort());
  });

  it('agrees with the page of the reference', async () => {
    const lines: string[] = [];
    for (const [name, row] of rows) lines.push(await tableRow(name, row));
    const found = `${head}\n${tableHead}${lines.join('\n')}\n`;
    if (process.env['RHIZOME_UPDATE_PERMISSIONS']) writeFileSync(page, found);
    expect(normal(readFileSync(page, 'utf8'))).toBe(normal(found));
  });
});
