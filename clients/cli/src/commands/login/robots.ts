/** `rhizome robot`: services and scripts that authenticate with a key pair of their own. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { printChange, type Session, type World, withSession } from '../../command.js';
import { CliError, type ExitCode, exitCodes } from '../../exit-codes.js';
import { collectOneOf, type Finish, pagesUpTo, wholeNumber } from '../../flags/flags.js';
import { createKeyFile } from '../../login/robot-key.js';
import {
  CliAddRobotKeyDocument,
  CliEndRobotKeyDocument,
  CliRegisterRobotDocument,
  type CliRobotFragment,
  CliRobotsDocument,
  type GrantableRole,
} from '../../operations.generated.js';
import { printJson, printTable } from '../../output.js';
import { grantableRoles } from '../../states.js';

const maxListed = 1000;
const dayMs = 86_400_000;

interface KeyFlags {
  readonly publicKey: string;
  readonly days: number;
}

interface RegisterFlags extends KeyFlags {
  readonly role: readonly GrantableRole[];
}

/** Adds the commands. */
export function addRobots(program: Command, world: World, finish: Finish): void {
  const group = program.command('robot').description('manage robots: services that log in with a key pair');
  group
    .command('key')
    .argument('<file>', 'new file for the private key')
    .description('make a key pair; print its public key')
    .action((file: string) => finish(makeKey(file, world)));
  const listing = group.command('list').description('list robots with their keys, the newest first');
  listing.action(() => finish(withSession(listing, world, list)));
  const registering = withKey(group.command('register'))
    .argument('<experiment>', 'experiment of the robot; "*" for all')
    .argument('<name>', 'name of the robot')
    .description('register a robot with its roles and its first key')
    .option('--role <role>', 'role in the experiment; may be repeated', collectOneOf(grantableRoles), []);
  registering.action((experiment: string, name: string, flags: RegisterFlags) =>
    finish(withSession(registering, world, (session) => register(session, { experiment, name }, flags))),
  );
  const adding = withKey(group.command('add-key'))
    .argument('<robot>', 'robot id, such as svc_…')
    .description('add a key to a robot, so that the robot can switch to it');
  adding.action((robotId: string, flags: KeyFlags) =>
    finish(withSession(adding, world, (session) => addKey(session, robotId, flags))),
  );
  const ending = group
    .command('end-key')
    .argument('<key>', 'key id, such as rbk_…')
    .description('end a key; its tokens are refused within seconds');
  ending.action((id: string) => finish(withSession(ending, world, (session) => endKey(session, id))));
}

function withKey(command: Command): Command {
  return command
    .requiredOption('--public-key <file>', 'file with the public key, as JSON Web Key or in PEM')
    .option('--days <n>', 'days after which the key ends', wholeNumber(1, 400), 90);
}

async function makeKey(file: string, world: World): Promise<ExitCode> {
  const publicKey = createKeyFile(resolve(world.cwd, file));
  world.stdout.write(`${JSON.stringify(publicKey)}\n`);
  return exitCodes.ok;
}

async function list({ client, output }: Session): Promise<ExitCode> {
  const found = await pagesUpTo(maxListed, async (first, after) => {
    const { robots } = await client.query(CliRobotsDocument, { first, after });
    return robots;
  });
  if (output.json) printJson(output, found);
  else
    printTable(
      output,
      ['ROBOT', 'EXPERIMENT', 'NAME', 'KEY', 'THUMBPRINT', 'LAST USE', 'END'],
      found.flatMap(({ id, experimentName, name, keys }) =>
        (keys.length > 0 ? keys : [undefined]).map((key) => [
          ...[id, experimentName, name, key?.id ?? '', key?.thumbprint ?? ''],
          ...[key?.lastUsedAt ?? '', key?.endedAt ?? key?.expiresAt ?? ''],
        ]),
      ),
    );
  return exitCodes.ok;
}

async function register(
  { client, output, cwd }: Session,
  named: { readonly experiment: string; readonly name: string },
  { role, ...key }: RegisterFlags,
): Promise<ExitCode> {
  const { publicKey, expiresAt: keyExpiresAt } = keyOf(key, cwd);
  const input = { ...named, roles: [...role], publicKey, keyExpiresAt };
  const { registerRobot } = await client.mutate(CliRegisterRobotDocument, { input }, { idempotent: false });
  return printChange(output, registerRobot.robot, registerRobot.userErrors, robotText);
}

async function addKey({ client, output, cwd }: Session, robotId: string, flags: KeyFlags): Promise<ExitCode> {
  const input = { robotId, ...keyOf(flags, cwd) };
  const { addRobotKey } = await client.mutate(CliAddRobotKeyDocument, { input }, { idempotent: false });
  return printChange(output, addRobotKey.robot, addRobotKey.userErrors, robotText);
}

function keyOf(
  { publicKey: file, days }: KeyFlags,
  cwd: string,
): { readonly publicKey: string; readonly expiresAt: string } {
  const expiresAt = new Date(Date.now() + days * dayMs).toISOString();
  const path = resolve(cwd, file);
  try {
    return { publicKey: readFileSync(path, 'utf8'), expiresAt };
  } catch {
    throw new CliError(exitCodes.usage, `Public key file ${path} cannot be read`);
  }
}

function robotText({ id, keys }: CliRobotFragment): string {
  return `${id}  ${keys[0]?.id ?? ''}`;
}

async function endKey({ client, output }: Session, id: string): Promise<ExitCode> {
  const { endRobotKey } = await client.mutate(
    CliEndRobotKeyDocument,
    { input: { id } },
    { idempotent: true },
  );
  return printChange(output, endRobotKey.key, endRobotKey.userErrors, (key) => `${key.id}  ended`);
}
