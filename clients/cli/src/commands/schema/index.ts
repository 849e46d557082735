/** `rhizome schema`: registers, checks, publishes, rolls back and withdraws the schemas of subgraphs. */
import type { Command } from 'commander';
import type { World } from '../../command.js';
import type { Finish } from '../../flags/flags.js';
import { addDiff, addHistory, addUse } from './reading.js';
import { addCheck, addPublish, addRegister, addRollback, addWithdraw } from './writing.js';

/** Adds the commands. */
export function addSchema(program: Command, world: World, finish: Finish): void {
  const schema = program
    .command('schema')
    .description('check, publish, roll back and withdraw schemas of subgraphs; show their use');
  for (const add of [
    addRegister,
    addCheck,
    addPublish,
    addRollback,
    addWithdraw,
    addHistory,
    addDiff,
    addUse,
  ])
    add(schema, world, finish);
}
