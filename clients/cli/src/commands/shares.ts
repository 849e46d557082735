/** `rhizome shares`: lists fair shares, and replaces those of an experiment. */
import type { Command } from 'commander';
import { z } from 'zod';
import { type Session, type World, printErrors, withSession } from '../command.js';
import { type ExitCode, exitCodes } from '../exit-codes.js';
import { type Finish, pagesUpTo } from '../flags/flags.js';
import {
  CliSetSharesDocument,
  type CliShareLineFragment,
  CliSharesDocument,
} from '../operations.generated.js';
import { type Output, printJson, printTable } from '../output.js';
import { readYamlFile } from '../files/yaml-file.js';

/** The file of `shares set`; the API validates the values. */
const sharesFile = z.strictObject({
  shares: z.array(
    z.strictObject({
      leaf: z.string(),
      nominalCores: z.int(),
      borrowLimitCores: z.int().optional(),
      nominalGpus: z.number().optional(),
      borrowLimitGpus: z.number().optional(),
      weight: z.number().optional(),
      ownerLimitCores: z.int().optional(),
    }),
  ),
});

/** Adds the commands. */
export function addShares(program: Command, world: World, finish: Finish): void {
  const command = program
    .command('shares')
    .description('list fair shares with their usage')
    .option('-e, --experiment <name>', 'only this experiment');
  command.action((flags: { readonly experiment?: string }) =>
    finish(withSession(command, world, (session) => list(session, flags.experiment))),
  );
  const setting = command
    .command('set')
    .description('replace the shares of an experiment')
    .argument('<name>', 'name of the experiment')
    .requiredOption(
      '-f, --file <file>',
      'YAML file with `shares`: leaf, nominalCores and the other fields of ShareInput',
    );
  setting.action((experiment: string, { file }: { readonly file: string }) =>
    finish(withSession(setting, world, (session) => set(session, experiment, file))),
  );
}

async function list({ client, output }: Session, experiment: string | undefined): Promise<ExitCode> {
  const shares = await pagesUpTo(
    10_000,
    async (first, after) =>
      (await client.query(CliSharesDocument, { experiment: experiment ?? null, first, after })).shares,
  );
  printShares(output, shares);
  return exitCodes.ok;
}

async function set({ client, output, cwd }: Session, experiment: string, file: string): Promise<ExitCode> {
  const { shares } = readYamlFile(file, cwd, sharesFile, 'list of shares');
  const input = { experiment, shares };
  const { setShares } = await client.mutate(CliSetSharesDocument, { input }, { idempotent: true });
  printErrors(output, setShares.userErrors);
  if (setShares.userErrors.length > 0) return exitCodes.failed;
  printShares(output, setShares.shares);
  return exitCodes.ok;
}

function printShares(output: Output, shares: readonly CliShareLineFragment[]): void {
  if (output.json) return printJson(output, shares);
  const rows = shares.map((share) => [
    share.path,
    String(share.weight),
    String(share.nominalCores),
    share.borrowLimitCores === null ? '' : String(share.borrowLimitCores),
    share.ownerLimitCores === null ? '' : String(share.ownerLimitCores),
    String(share.usedCores),
    String(Number(share.usedGpus.toFixed(3))),
    String(share.readyJobs),
  ]);
  const head = ['SHARE', 'WEIGHT', 'CORES', 'BORROW', 'PER OWNER', 'USED', 'GPUS USED', 'READY'];
  printTable(output, head, rows);
}
