/** `rhizome admin`: set up and maintain a deployment. */
import type { Command } from 'commander';
import type { World } from '../../command.js';
import type { Finish } from '../../flags/flags.js';
import { addBackup } from './backup.js';
import { addCheck } from './check.js';
import { addInit } from './init.js';
import { addKeys } from './keys.js';
import { addMigrations } from './migrations.js';

/** Adds the commands. */
export function addAdmin(program: Command, world: World, finish: Finish): void {
  const group = program.command('admin').description('set up and maintain a deployment');
  addCheck(group, world, finish);
  addInit(group, world, finish);
  addKeys(group, world, finish);
  addMigrations(group, world, finish);
  addBackup(group, world, finish);
}
