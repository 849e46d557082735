/** `rhizome admin check`: what a deployment needs, and what to do about what is missing. */
import { resolve } from 'node:path';
import type { CheckRow } from '@rhizome/deployment';
import type { Command } from 'commander';
import type { World } from '../../command.js';
import { storeUri } from '../../config.js';
import { type ExitCode, exitCodes } from '../../exit-codes.js';
import type { Finish } from '../../flags/flags.js';
import { type Output, plural, printJson, printLine, printTable } from '../../output.js';
import { checkGateway } from './check-gateway.js';
import { keyNames } from './keys.js';
import { type DatabaseFlags, outputOf, withStoreFlags } from './store.js';

interface CheckFlags extends DatabaseFlags {
  readonly keys?: string;
  readonly gateway: boolean;
}

/** Adds the command. */
export function addCheck(group: Command, world: World, finish: Finish): void {
  const checking = withStoreFlags(
    group
      .command('check')
      .description('check MongoDB, the databases, keys and the gateway; changes nothing')
      .option('--keys <folder>', 'folder with the keys, as "rhizome admin keys" makes it')
      .option('--no-gateway', 'leave out the gateway and what is behind it'),
  );
  checking.action((flags: CheckFlags) => finish(check(flags, outputOf(checking, world), world, checking)));
}

async function check(flags: CheckFlags, output: Output, world: World, command: Command): Promise<ExitCode> {
  const { checkKeys } = await import('@rhizome/deployment');
  const rows = [
    ...(await checkDatabases(flags, world)),
    ...(flags.keys === undefined ? [] : await checkKeys(resolve(world.cwd, flags.keys), keyNames())),
    ...(flags.gateway ? await checkGateway(command, world) : []),
  ];
  const failed = rows.filter(({ state }) => state === 'FAIL').length;
  const warned = rows.filter(({ state }) => state === 'WARN').length;
  if (output.json) printJson(output, { failed, warned, checks: rows });
  else {
    printTable(
      output,
      ['PART', 'CHECK', 'STATE', 'FOUND'],
      rows.map((row) => [row.part, row.check, row.state, row.found]),
    );
    for (const { part, check: name, cure } of rows)
      if (cure !== '') printLine(output, `${part}, ${name}: ${cure}`);
    printLine(
      output,
      `${rows.length} ${plural(rows.length, 'check')}: ${failed} failed, ${warned} ${plural(warned, 'warning')}`,
    );
  }
  return failed > 0 ? exitCodes.failed : exitCodes.ok;
}

/** Checks of MongoDB; one row if it cannot be reached, so that the other parts are still checked. */
async function checkDatabases(flags: CheckFlags, { cwd, now }: World): Promise<readonly CheckRow[]> {
  const { openDeployment } = await import('@rhizome/deployment');
  const uri = storeUri(flags, cwd);
  try {
    const deployment = await openDeployment(uri);
    try {
      return await deployment.check(flags.database, now);
    } finally {
      await deployment.close();
    }
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    const cure = 'check the connection string, that mongod runs as a replica set, and the network to it';
    return [{ part: 'mongodb', check: 'reachable', state: 'FAIL', found, cure }];
  }
}
