/** `rhizome schema history`, `diff` and `use`. */
import type { Command } from 'commander';
import { type Session, type World, withSession } from '../../command.js';
import { CliError, type ExitCode, exitCodes } from '../../exit-codes.js';
import { type Finish, pagesUpTo, wholeNumber } from '../../flags/flags.js';
import {
  CliSchemaDiffDocument,
  CliSchemaHistoryDocument,
  CliSchemaLiveDocument,
  CliSchemaUseDocument,
} from '../../operations.generated.js';
import { ago, printLine, printJson, printTable } from '../../output.js';
import { printChanges, useText } from './print-findings.js';

/** Adds `schema history`. */
export function addHistory(schema: Command, world: World, finish: Finish): void {
  const command = schema
    .command('history')
    .description('list versions of the graph, newest first')
    .option('--limit <n>', 'number of versions', wholeNumber(1, 10_000), 20);
  command.action(({ limit }: { limit: number }) =>
    finish(withSession(command, world, (session) => history(session, limit))),
  );
}

/** Adds `schema diff`. */
export function addDiff(schema: Command, world: World, finish: Finish): void {
  const number = wholeNumber(1, 1_000_000_000);
  const command = schema
    .command('diff')
    .description('show changes between two versions of the graph')
    .argument('[from]', 'earlier version (default: the one before the later)', number)
    .argument('[to]', 'later version (default: the live one)', number);
  command.action((from: number | undefined, to: number | undefined) =>
    finish(withSession(command, world, (session) => diff(session, from, to))),
  );
}

/** Adds `schema use`. */
export function addUse(schema: Command, world: World, finish: Finish): void {
  const command = schema
    .command('use')
    .description('show clients that used a schema coordinate in the last 30 days')
    .argument('<coordinate>', 'Type, Type.field or Type.field(argument:)');
  command.action((coordinate: string) =>
    finish(withSession(command, world, (session) => use(session, coordinate))),
  );
}

async function history({ client, output, now }: Session, limit: number): Promise<ExitCode> {
  const found = await pagesUpTo(limit, async (first, after) => {
    const { schemaVersions } = await client.query(CliSchemaHistoryDocument, { first, after });
    return schemaVersions;
  });
  if (output.json) {
    printJson(output, found);
    return exitCodes.ok;
  }
  const rows = found.map((version) => {
    const { breaking, dangerous, safe } = version.changeCounts;
    const what = version.restoredFrom === null ? version.kind : `${version.kind} to ${version.restoredFrom}`;
    return [
      `${version.number}${version.isLive ? ' *' : ''}`,
      what,
      version.subgraphName ?? 'all',
      version.publishedBy.subject,
      ago(version.publishedAt, now()),
      `${breaking}/${dangerous}/${safe}`,
      version.note ?? '',
    ];
  });
  printTable(output, ['VERSION', 'KIND', 'SUBGRAPH', 'BY', 'AGE', 'BREAKING/DANGEROUS/SAFE', 'NOTE'], rows);
  return exitCodes.ok;
}

async function diff(
  { client, output }: Session,
  givenFrom: number | undefined,
  givenTo: number | undefined,
): Promise<ExitCode> {
  const to = givenTo ?? (await client.query(CliSchemaLiveDocument, {})).schemaVersion?.number ?? 1;
  const from = givenFrom ?? Math.max(1, to - 1);
  const { schemaDiff } = await client.query(CliSchemaDiffDocument, { from, to });
  if (!schemaDiff) throw new CliError(exitCodes.notFound, `Version ${from} or version ${to} not found.`);
  if (output.json) printJson(output, { from, to, changes: schemaDiff });
  else {
    printLine(output, `From version ${from} to version ${to}: ${schemaDiff.length || 'no'} changes.`);
    printChanges(output, schemaDiff);
  }
  return exitCodes.ok;
}

async function use({ client, output }: Session, coordinate: string): Promise<ExitCode> {
  const { schemaUse } = await client.query(CliSchemaUseDocument, { coordinate });
  if (output.json) printJson(output, schemaUse);
  else
    printLine(
      output,
      `${coordinate}: ${schemaUse ? useText(schemaUse) : 'Use is not recorded by this gateway.'}`,
    );
  return exitCodes.ok;
}
