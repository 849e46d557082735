/** `rhizome subgraphs`: the services behind the gateway, and their state. */
import type { Command } from 'commander';
import { type Session, type World, withSession } from '../command.js';
import { type ExitCode, exitCodes } from '../exit-codes.js';
import type { Finish } from '../flags/flags.js';
import { CliSubgraphsDocument } from '../operations.generated.js';
import { ago, printLine, printJson, printTable } from '../output.js';

/** Adds the command. */
export function addSubgraphs(program: Command, world: World, finish: Finish): void {
  const command = program
    .command('subgraphs')
    .description('list subgraphs and their state as seen by the gateway');
  command.action(() => finish(withSession(command, world, subgraphs)));
}

async function subgraphs({ client, output, now }: Session): Promise<ExitCode> {
  const found = (await client.query(CliSubgraphsDocument, {})).subgraphs;
  if (output.json) {
    printJson(output, found);
    return exitCodes.ok;
  }
  const rows = found.map((one) => [
    one.name,
    one.isLive ? one.state : 'NOT LIVE',
    ago(one.stateSince, now()),
    `${one.runningCalls}${one.callLimit === null ? '' : `/${one.callLimit}`}`,
    String(one.calls),
    String(one.failedCalls),
    String(one.refusedCalls),
    one.schemaVersion === null ? '' : String(one.schemaVersion),
    one.publishedBy?.subject ?? '',
    one.endpoint ?? '',
  ]);
  const head = [
    'SUBGRAPH',
    'STATE',
    'SINCE',
    'RUNNING',
    'CALLS',
    'FAILED',
    'REFUSED',
    'VERSION',
    'BY',
    'ENDPOINT',
  ];
  printTable(output, head, rows);
  for (const { name, state, lastError, lastErrorAt } of found) {
    if (state === 'UP' || lastError === null || lastErrorAt === null) continue;
    printLine(output, `${name}, ${ago(lastErrorAt, now())} ago: ${lastError}`);
  }
  return exitCodes.ok;
}
