/** `rhizome audit`: searches, exports and verifies the audit log. */
import type { AuditRecord, Head, VerificationReport } from '@rhizome/audit/verification';
import { type Command, Option } from 'commander';
import { type Session, type World, withSession } from '../command.js';
import { CliError, type ExitCode, exitCodes } from '../exit-codes.js';
import { fileLines } from '../files/file-lines.js';
import { type Finish, timeOf, wholeNumber } from '../flags/flags.js';
import {
  type AuditEntryFilter,
  CliAuditEntriesDocument,
  type CliAuditEntriesQuery,
} from '../operations.generated.js';
import { ago, type Output, printJson, printLine, printTable } from '../output.js';
import { auditKinds, auditResults } from '../states.js';

type Entry = NonNullable<CliAuditEntriesQuery['auditEntries']>['nodes'][number];

/** Adds the commands. */
export function addAudit(program: Command, world: World, finish: Finish): void {
  const group = program.command('audit').description('search, export and verify the audit log');
  const searching = withFilter(group.command('search'))
    .description('list entries, newest first')
    .option('-n, --limit <n>', 'largest number of rows, 1 to 100000', wholeNumber(1, 100_000), 50);
  searching.action(({ limit, ...filter }: AuditEntryFilter & { readonly limit: number }) =>
    finish(withSession(searching, world, (session) => search(session, filter, limit))),
  );
  const exporting = withFilter(group.command('export')).description(
    'print entries as JSON lines, newest first, as they are stored',
  );
  exporting.action((filter: AuditEntryFilter) =>
    finish(withSession(exporting, world, (session) => exportEntries(session, filter))),
  );
  const verifying = group
    .command('verify')
    .description('compute all hashes again, compare signed heads, and name what was changed')
    .option('--file <file>', 'verify this export instead of the log of the gateway')
    .option('--heads <folder>', 'folder of signed heads')
    .option('--key <file>', 'public key of the heads (default: public-key.json in the folder)');
  verifying.action((flags: VerifyFlags) =>
    finish(withSession(verifying, world, (session) => verify(session, flags))),
  );
}

function withFilter(command: Command): Command {
  return command
    .addOption(new Option('--kind <kind>', 'only this kind').choices(auditKinds))
    .option('--action <action>', 'only this action, such as Mutation.submitJobs')
    .option('--subject <subject>', 'only calls of this principal')
    .option('--human <subject>', 'only calls of this human and of agents that act for it')
    .option('-e, --experiment <name>', 'only calls that concern this experiment')
    .option('--target <id>', 'only calls with this identifier or name in their arguments')
    .option('--request-id <id>', 'only this request')
    .option('--address <address>', 'only this address of the client')
    .addOption(new Option('--result <result>', 'only this result').choices(auditResults))
    .option('--since <time>', 'earliest time, such as 2026-11-01 or 2026-11-01T10:00Z', timeOf)
    .option('--until <time>', 'latest time, exclusive', timeOf);
}

/** Entries of the gateway, the newest first. */
async function* entriesOf(
  { client }: Session,
  filter: AuditEntryFilter,
  size: number,
): AsyncGenerator<Entry> {
  for (let after: string | null = null; ;) {
    const page: CliAuditEntriesQuery = await client.query(CliAuditEntriesDocument, {
      filter,
      first: size,
      after,
    });
    const list = page.auditEntries;
    if (!list) throw new CliError(exitCodes.failed, 'the gateway has no audit log');
    yield* list.nodes;
    after = list.pageInfo.endCursor;
    if (!list.pageInfo.hasNextPage) return;
  }
}

const pageSize = 1_000;

async function search(session: Session, filter: AuditEntryFilter, limit: number): Promise<ExitCode> {
  const { output, now } = session;
  const found: Entry[] = [];
  for await (const entry of entriesOf(session, filter, Math.min(limit, pageSize))) {
    found.push(entry);
    if (found.length === limit) break;
  }
  if (output.json) {
    printJson(output, found);
    return exitCodes.ok;
  }
  const rows = found.map(({ at, action, result, codes, actor, targets, client, id, repeatCount }) => [
    ago(at, now()),
    actor === null
      ? ''
      : actor.human === null || actor.human.subject === actor.subject
        ? actor.subject
        : `${actor.subject} for ${actor.human.subject}`,
    action,
    `${result}${codes.length > 0 ? ` ${codes.join(' ')}` : ''}${repeatCount > 1 ? ` ×${repeatCount}` : ''}`,
    targets.count > 1 ? `${targets.count}: ${targets.ids.slice(0, 2).join(' ')}` : (targets.ids[0] ?? ''),
    client.address ?? '',
    id,
  ]);
  printTable(output, ['AGO', 'PRINCIPAL', 'ACTION', 'RESULT', 'TARGETS', 'ADDRESS', 'ENTRY'], rows);
  return exitCodes.ok;
}

async function exportEntries(session: Session, filter: AuditEntryFilter): Promise<ExitCode> {
  for await (const { record } of entriesOf(session, filter, pageSize)) {
    if (session.output.stream.write(`${record}\n`)) continue;
    await new Promise((resolve) => session.output.stream.once('drain', resolve));
  }
  return exitCodes.ok;
}

interface VerifyFlags {
  readonly file?: string;
  readonly heads?: string;
  readonly key?: string;
}

async function verify(session: Session, { file, heads: folder, key }: VerifyFlags): Promise<ExitCode> {
  const { readHeadFolder, readPublicKey, Verifier } = await import('@rhizome/audit/verification');
  const { output } = session;
  // Heads are read first: the log may be longer than they say, but not shorter.
  const read =
    folder === undefined ? undefined : await readHeadFolder(folder, await readPublicKey(folder, key));
  const verifier = new Verifier();
  if (file === undefined)
    for await (const { record } of entriesOf(session, {}, pageSize))
      verifier.add(JSON.parse(record) as AuditRecord);
  else
    for await (const line of fileLines(file))
      if (line.trim() !== '') verifier.add(JSON.parse(line) as AuditRecord);
  return print(output, verifier.report(read?.heads), { faults: read?.faults ?? [], heads: read?.heads });
}

function print(
  output: Output,
  report: VerificationReport,
  { faults, heads }: { readonly faults: readonly string[]; readonly heads: readonly Head[] | undefined },
): ExitCode {
  const isIntact = report.tampering.length === 0 && faults.length === 0;
  if (output.json) printJson(output, { ...report, headFaults: faults, isIntact });
  else {
    for (const { kind, chain, from, to, entry, detail } of report.tampering)
      printLine(
        output,
        `${kind} ${chain} ${from === to ? from : `${from}–${to}`}${entry === null ? '' : ` ${entry}`}: ${detail}`,
      );
    for (const fault of faults) printLine(output, `HEAD ${fault}`);
    for (const chain of report.unsigned)
      printLine(output, `no head names chain ${chain}; its end is not proven`);
    if (heads === undefined)
      printLine(output, 'no heads given (--heads): a missing end of a chain cannot be found');
    const places = report.tampering.length + faults.length;
    const summary = isIntact ? 'intact' : `${countOf(places, 'place')} where the log was changed`;
    const amounts = [
      countOf(report.entries, 'entry', 'entries'),
      countOf(report.chains, 'chain'),
      countOf(report.heads, 'head'),
    ];
    printLine(output, `${amounts.join(', ')}: ${summary}`);
  }
  return isIntact ? exitCodes.ok : exitCodes.failed;
}

function countOf(count: number, one: string, several = `${one}s`): string {
  return `${count} ${count === 1 ? one : several}`;
}
