/**
 * `npx rhizome-playground-token NAME`: a token of the playground's issuer for the service of an experiment that the playground does not
 * start itself, written to standard output. Who can read the data folder's key could sign one anyway.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { experimentName } from '@rhizome/schema/repository';
import { Command } from 'commander';
import { openIdentities } from './stack/identities.js';

const command = new Command('rhizome-playground-token')
  .description('Prints a token of the playground for the service principal of an experiment.')
  .argument('<experiment>', 'the name of the experiment, as heron')
  .option('--data <dir>', 'the data folder of the playground', '.rhizome')
  .parse(process.argv.slice(2), { from: 'user' });
const [experiment = ''] = command.args;
if (!experimentName.test(experiment)) {
  command.error(
    `error: ${JSON.stringify(experiment)} is no name of an experiment: expected lower-case letters and digits, as heron`,
  );
}
const data = resolve(command.opts<{ data: string }>().data);
if (!existsSync(join(data, 'token-key.json')))
  command.error(
    `error: ${data} holds no key of a playground: start it first (npm run playground), or name its folder with --data`,
  );
const identities = await openIdentities(data);
process.stdout.write(`${await identities.service(experiment)}\n`);
