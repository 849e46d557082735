import { describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './repository.js';

const types = `
interface Criteria { readonly taskIds?: readonly string[]; readonly states?: readonly string[] }
interface Job { readonly taskId: string; readonly error?: { readonly code: string } }
type Filter<T> = { readonly [K in keyof T]?: unknown } & Readonly<Record<string, unknown>>;
declare function list(criteria: Criteria): void;
declare function run(input: { readonly filter: Criteria }): void;
declare function find(filter: Filter<Job>): void;
declare const given: string | undefined;
`;

const firstLine = types.split('\n').length;

/** Result of the check of a project with this text. */
function check(text: string): { readonly status: number | null; readonly lines: readonly string[] } {
  const folder = mkdtempSync(join(tmpdir(), 'literals-'));
  try {
    const options = { strict: true, target: 'ES2022', module: 'NodeNext', types: [] };
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: options, files: ['a.ts'] }),
    );
    writeFileSync(join(folder, 'a.ts'), `${types}${text}\nexport {};\n`);
    const { status, stderr } = spawnSync(
      process.execPath,
      ['tools/lint/object-literals.mjs', join(folder, 'tsconfig.json')],
      { cwd: root, encoding: 'utf8' },
    );
    return { status, lines: stderr.split('\n').filter((line) => line !== '') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Each line with the name that it must report. */
const faults = [
  ['taskId', 'const a: Criteria = { ...(given ? { taskId: given } : {}) };'],
  ['task', "const b: Criteria = { states: [], ...(given && { 'task': 1 }) };"],
  ['state', 'const c = (): Criteria => { return { ...(given ? {} : { state: 1 }) }; };'],
  ['task', 'find({ task: given });'],
  ['fault.code', "find({ taskId: '1', 'fault.code': 1 });"],
  ['job', 'const d = { ...(given ? { job: given } : {}) }; list(d);'],
  ['jobs', 'const filter = { states: [], ...(given ? { jobs: given } : {}) }; run({ filter });'],
  ['owner', 'find({ ...(given ? { owner: given } : {}) });'],
] as const;

describe('the check of object literals', () => {
  it('reports unknown properties of conditional spreads and of filters', () => {
    const { status, lines } = check(faults.map(([, text]) => text).join('\n'));
    expect(status).toBe(1);
    expect(
      lines.map((line) => /:(\d+): "(.*)" is not a property of (Criteria|Job)$/.exec(line)?.slice(1, 3)),
    ).toEqual(faults.map(([name], at) => [String(at + firstLine), name]));
  });

  it('accepts the properties of the type, operators and open types', () => {
    const { status, lines } = check(`
      const a: Criteria = { ...(given ? { taskIds: [given] } : {}), ...(given && { states: [] }) };
      const open: Record<string, unknown> = { ...(given ? { any: a } : {}) };
      const constant = { ...(given ? { taskIds: [given] } : {}) };
      list(constant);
      run({ filter: { ...constant, states: [] } });
      find({ taskId: '1', 'error.code': 'X', $or: [open], _id: 1 });`);
    expect({ status, lines }).toEqual({ status: 0, lines: [] });
  });
});
