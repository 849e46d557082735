/**
 * `npx rhizome-playground-token NAME`: prints a token of the playground's issuer for the service of an
 * experiment that the playground does not start itself. Anyone who can read the key in the data folder could
 * sign one.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { experimentName } from '@rhizome/schema/repository';
import { Command } from 'commander';
import { openIdentities } from './stack/identities.js';

const command = new Command('rhizome-playground-token')
  .description('Prints a token of the playground for the service principal of an experiment.')
  .argument('<experiment>', 'name of the experiment, for example heron')
  .option('--data <dir>', 'data folder of the playground', '.rhizome')
  .parse(process.argv.slice(2), { from: 'user' });
const [experiment = ''] = command.args;
if (!experimentName.test(experiment)) {
  command.error(
    `error: ${JSON.stringify(experiment)} is not a name of an experiment; must be lower-case letters and digits, for example heron`,
  );
}
const data = resolve(command.opts<{ data: string }>().data);
if (!existsSync(join(data, 'token-key.json')))
  command.error(
    `error: ${data} contains no key of a playground; start the playground first (npm run playground), or pass its folder with --data`,
  );
const identities = await openIdentities(data);
process.stdout.write(`${await identities.service(experiment)}\n`);
