// Who may do what: every root field of the graph and every reference, called by each role. The verdicts are
// compared with the page of the reference, which `npm run generate -- --permissions` writes.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { discoverSubgraphs } from '@rhizome/schema';
import { type ConstDirectiveNode, Kind, parse } from 'graphql';
import { root } from '../../e2e/system/playground-system.js';
import { publicSchema, rootFields } from '../public-schema.js';
import { gatewayRows } from './gateway-rows.js';
import { makeObjects, type ObjectsOf } from './objects.js';
import { otherCallers, verdictsOfOthers } from './other-callers.js';
import { references } from './references.js';
import type { Rows } from './row.js';
import { rows } from './rows.js';
import { serviceRows } from './service-rows.js';
import { type Verdict, verdictOf } from './verdict.js';
import { callers, startWorld, targets, type World } from './world.js';

const marks: Readonly<Record<Verdict, string>> = { yes: '✓', none: '–', no: '✗' };
const page = join(root, 'docs', 'reference', 'permissions.md');
/** Tables of the page, by title. Those of later tables end objects of earlier ones. */
const tables: readonly (readonly [string, Rows])[] = [
  ['Core', rows],
  ['Experiments', serviceRows],
  ['References between subgraphs', references],
  ['Gateway', gatewayRows],
];

let world: World;
let objectsOf: ObjectsOf;
beforeAll(async () => {
  world = await startWorld();
  objectsOf = await makeObjects(world);
});

async function tableRow(row: Rows[number]): Promise<string> {
  const cells: string[] = [];
  // Backwards, because a caller may end its own tokens, and those of its agent.
  for (const caller of [...callers].reverse()) {
    const verdicts: string[] = [];
    for (const target of [...targets].reverse())
      verdicts.unshift(marks[await verdictOf(world, row, caller, target, objectsOf(caller, target))]);
    cells.unshift(verdicts.join(''));
  }
  return `| \`${row[0]}\` | ${cells.join(' | ')} |`;
}

/** Text of the page before its tables. */
const head = readFileSync(join(root, 'test', 'security', 'permissions', 'head.md'), 'utf8');
const tableHead = (columns: readonly string[]): string =>
  `| field | ${columns.join(' | ')} |\n| --- | ${columns.map(() => '---').join(' | ')} |\n`;

/** Rows of the calls that need more than a role in one experiment. */
async function otherRows(): Promise<string> {
  const verdicts = await verdictsOfOthers(world, objectsOf('ADMIN', 'own'));
  return verdicts
    .map(([name, found]) => `| \`${name}\` | ${found.map((one) => (one ? marks[one] : '')).join(' | ')} |\n`)
    .join('');
}

/** A page without the widths of its columns. */
const normal = (text: string): string =>
  text.replaceAll(/^\|.*$/gm, (line) => line.replaceAll(/ +/g, ' ').replaceAll(/-{3,}/g, '---'));

const namesOf = (all: Rows): readonly string[] => all.map(([name]) => name).sort();

/** Keys by which a subgraph resolves references, as in the names of rows. */
function keysOf({ name, ownSdl }: { readonly name: string; readonly ownSdl: string }): readonly string[] {
  return parse(ownSdl).definitions.flatMap((node) =>
    node.kind === Kind.OBJECT_TYPE_DEFINITION || node.kind === Kind.OBJECT_TYPE_EXTENSION
      ? (node.directives ?? []).flatMap((directive) =>
          resolvableKey(directive).map((key) => `${name}: ${node.name.value}(${key})`),
        )
      : [],
  );
}

function resolvableKey({ name, arguments: given = [] }: ConstDirectiveNode): readonly string[] {
  const valueOf = (wanted: string) => given.find((one) => one.name.value === wanted)?.value;
  const [fields, resolvable] = [valueOf('fields'), valueOf('resolvable')];
  const isResolvable = resolvable?.kind !== Kind.BOOLEAN || resolvable.value;
  return name.value === 'key' && isResolvable && fields?.kind === Kind.STRING ? [fields.value] : [];
}

describe('permissions of the roles', () => {
  it('has a row for each root field of the schema, and for each field that gathers those of a service', () => {
    const fields = rootFields(publicSchema());
    expect(namesOf([...rows, ...serviceRows, ...gatewayRows])).toEqual([...fields].sort());
  });

  it('has a row for each reference that a subgraph resolves', () => {
    const keys = discoverSubgraphs(root).flatMap(keysOf);
    expect(keys.length).toBeGreaterThan(10);
    expect(namesOf(references)).toEqual([...keys].sort());
  });

  it('agrees with the page of the reference', async () => {
    let found = head;
    for (const [title, all] of tables) {
      const lines: string[] = [];
      for (const row of all) lines.push(await tableRow(row));
      found += `\n## ${title}\n\n${tableHead(callers)}${lines.join('\n')}\n`;
    }
    found += `\n## Calls that need more than a role in one experiment\n\n${tableHead(otherCallers)}`;
    found += await otherRows();
    if (process.env['RHIZOME_UPDATE_PERMISSIONS']) writeFileSync(page, found);
    expect(normal(readFileSync(page, 'utf8'))).toBe(normal(found));
  });
});
