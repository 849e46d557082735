/** `rhizome secret`: stores, replaces, lists and deletes secrets. No command shows a value. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { type Session, type World, printChange, printErrors, withSession } from '../command.js';
import { CliError, type ExitCode, exitCodes } from '../exit-codes.js';
import { type Finish, pagesUpTo } from '../flags/flags.js';
import {
  CliCreateSecretDocument,
  CliDeleteSecretDocument,
  CliRotateSecretDocument,
  CliSecretsDocument,
  type CliSecretsQuery,
} from '../operations.generated.js';
import { printJson, printLine, printTable } from '../output.js';
import { readStandardInput } from '../standard-input.js';
import { utf8Text } from '../files/utf8-text.js';

interface HolderFlags {
  readonly experiment?: string;
}

interface ValueFlags extends HolderFlags {
  readonly fromFile?: string;
  readonly expires?: string;
}

type Secret = CliSecretsQuery['secrets']['nodes'][number];

/** A user or an experiment has fewer secrets. */
const maxListed = 1000;

/** Adds the commands. */
export function addSecret(program: Command, world: World, finish: Finish): void {
  const group = program.command('secret').description('store secrets for jobs, and list them without values');
  const creating = withValue(group.command('create').argument('<name>', 'name of the secret'));
  creating
    .description('store a secret; its value is read from standard input')
    .action((name: string, flags: ValueFlags) =>
      finish(withSession(creating, world, (session) => create(session, name, flags, world))),
    );
  const rotating = withValue(group.command('rotate').argument('<name>', 'name of the secret'));
  rotating
    .description('replace the value of a secret, read from standard input; later attempts receive it')
    .action((name: string, flags: ValueFlags) =>
      finish(withSession(rotating, world, (session) => rotate(session, name, flags, world))),
    );
  const listing = withHolder(group.command('list')).description('list secrets, without their values');
  listing.action((flags: HolderFlags) =>
    finish(withSession(listing, world, (session) => list(session, flags))),
  );
  const deleting = withHolder(group.command('delete').argument('<name>', 'name of the secret'));
  deleting
    .description('delete a secret; jobs that name it fail')
    .action((name: string, flags: HolderFlags) =>
      finish(withSession(deleting, world, (session) => remove(session, name, flags))),
    );
}

function withHolder(command: Command): Command {
  return command.option('-e, --experiment <name>', 'experiment that has the secret (default: you have it)');
}

function withValue(command: Command): Command {
  return withHolder(command)
    .option('--from-file <file>', 'file with the value, which is stored byte for byte')
    .option('--expires <time>', 'time at which the value expires, such as 2027-01-31T12:00:00Z');
}

/** The value. One line end after it is not part of it, because editors and `echo` add one. */
async function valueOf({ fromFile }: ValueFlags, { cwd }: Session, world: World): Promise<string> {
  if (fromFile === undefined)
    return (await readStandardInput(world, 'Type the value, then Enter and Ctrl-D: ')).replace(/\r?\n$/, '');
  return utf8Text(bytesOf(fromFile, cwd), `File ${fromFile}`);
}

function bytesOf(file: string, cwd: string): Uint8Array {
  try {
    return readFileSync(resolve(cwd, file));
  } catch {
    throw new CliError(exitCodes.usage, `File ${file} cannot be read`);
  }
}

const expiryOf = ({ expires }: ValueFlags): { readonly expiresAt?: string } =>
  expires === undefined ? {} : { expiresAt: expires };

async function create(session: Session, name: string, flags: ValueFlags, world: World): Promise<ExitCode> {
  const value = await valueOf(flags, session, world);
  const { experiment = null } = flags;
  const input = { name, value, experiment, ...expiryOf(flags) };
  const { createSecret } = await session.client.mutate(
    CliCreateSecretDocument,
    { input },
    { idempotent: false },
  );
  return printChange(session.output, createSecret.secret, createSecret.userErrors, secretText);
}

async function rotate(session: Session, name: string, flags: ValueFlags, world: World): Promise<ExitCode> {
  const { id } = await named(session, name, flags);
  const value = await valueOf(flags, session, world);
  const input = { id, value, ...expiryOf(flags) };
  const { rotateSecret } = await session.client.mutate(
    CliRotateSecretDocument,
    { input },
    { idempotent: false },
  );
  return printChange(session.output, rotateSecret.secret, rotateSecret.userErrors, secretText);
}

const secretText = ({ name, version }: Secret): string => `${name}  version ${version}`;

async function list(session: Session, flags: HolderFlags): Promise<ExitCode> {
  const { output } = session;
  const found = await secretsOf(session, flags);
  if (output.json) printJson(output, found);
  else
    printTable(
      output,
      ['NAME', 'VERSION', 'EXPIRES', 'LAST USED', 'ID'],
      found.map(({ name, version, expiresAt, lastUsedAt, id }) => [
        name,
        String(version),
        expiresAt ?? '',
        lastUsedAt ?? '',
        id,
      ]),
    );
  return exitCodes.ok;
}

async function remove(session: Session, name: string, flags: HolderFlags): Promise<ExitCode> {
  const { client, output } = session;
  const { id } = await named(session, name, flags);
  const { deleteSecret } = await client.mutate(
    CliDeleteSecretDocument,
    { input: { id } },
    { idempotent: true },
  );
  printErrors(output, deleteSecret.userErrors);
  if (deleteSecret.userErrors.length > 0) return exitCodes.failed;
  if (output.json) printJson(output, { id, isDeleted: deleteSecret.isDeleted });
  else printLine(output, `${name}  deleted`);
  return exitCodes.ok;
}

function secretsOf({ client }: Session, { experiment }: HolderFlags): Promise<readonly Secret[]> {
  return pagesUpTo(maxListed, async (first, after) => {
    const variables = { experiment: experiment ?? null, first, after };
    const { secrets } = await client.query(CliSecretsDocument, variables);
    return secrets;
  });
}

/** @throws CliError if there is no secret of this name */
async function named(session: Session, name: string, flags: HolderFlags): Promise<Secret> {
  const found = (await secretsOf(session, flags)).find((secret) => secret.name === name);
  if (found) return found;
  const where = flags.experiment === undefined ? '' : ` of experiment ${flags.experiment}`;
  throw new CliError(exitCodes.notFound, `Secret "${name}"${where} not found, or you may not see it.`);
}
