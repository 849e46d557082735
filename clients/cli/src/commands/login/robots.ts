/** `rhizome robot`: services and scripts that authenticate with a key pair of their own. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { printErrors, type Session, type World, withSession } from '../../command.js';
import { CliError, type ExitCode, exitCodes } from '../../exit-codes.js';
import { collectOneOf, type Finish, pagesUpTo, wholeNumber } from '../../flags.js';
import { createKeyFile } from '../../login/robot-key.js';
import {
  CliAddRobotKeyDocument,
  CliEndRobotKeyDocument,
  CliRegisterRobotDocument,
  type CliRobotFragment,
  CliRobotsDocument,
  type GrantableRole,
} from '../../operations.generated.js';
import { type Output, printJson, printLine, printTable } from '../../output.js';
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
    finish(
      withSession(registering, world, (session) => register(session, { experiment, name }, flags, world)),
    ),
  );
  const adding = withKey(group.command('add-key'))
    .argument('<robot>', 'robot id, such as svc_…')
    .description('add a key to a robot, to change to it');
  adding.action((robotId: string, flags: KeyFlags) =>
    finish(withSession(adding, world, (session) => addKey(session, robotId, flags, world))),
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
    return robots ?? { nodes: [], pageInfo: { endCursor: null, hasNextPage: false } };
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
  { client, output }: Session,
  named: { readonly experiment: string; readonly name: string },
  { role, ...key }: RegisterFlags,
  world: World,
): Promise<ExitCode> {
  const { publicKey, expiresAt: keyExpiresAt } = keyOf(key, world);
  const input = { ...named, roles: [...role], publicKey, keyExpiresAt };
  const { registerRobot } = await client.mutate(CliRegisterRobotDocument, { input }, { idempotent: false });
  printErrors(output, registerRobot.userErrors);
  return printRobot(output, registerRobot.robot);
}

async function addKey(
  { client, output }: Session,
  robotId: string,
  flags: KeyFlags,
  world: World,
): Promise<ExitCode> {
  const input = { robotId, ...keyOf(flags, world) };
  const { addRobotKey } = await client.mutate(CliAddRobotKeyDocument, { input }, { idempotent: false });
  printErrors(output, addRobotKey.userErrors);
  return printRobot(output, addRobotKey.robot);
}

function keyOf(
  { publicKey: file, days }: KeyFlags,
  { cwd }: World,
): { readonly publicKey: string; readonly expiresAt: string } {
  const expiresAt = new Date(Date.now() + days * dayMs).toISOString();
  const path = resolve(cwd, file);
  try {
    return { publicKey: readFileSync(path, 'utf8'), expiresAt };
  } catch {
    throw new CliError(exitCodes.usage, `Public key file ${path} cannot be read`);
  }
}

function printRobot(output: Output, robot: CliRobotFragment | null): ExitCode {
  if (!robot) return exitCodes.failed;
  if (output.json) printJson(output, robot);
  else printLine(output, `${robot.id}  ${robot.keys[0]?.id ?? ''}`);
  return exitCodes.ok;
}

async function endKey({ client, output }: Session, id: string): Promise<ExitCode> {
  const { endRobotKey } = await client.mutate(
    CliEndRobotKeyDocument,
    { input: { id } },
    { idempotent: true },
  );
  printErrors(output, endRobotKey.userErrors);
  if (!endRobotKey.key) return exitCodes.failed;
  if (output.json) printJson(output, endRobotKey.key);
  else printLine(output, `${endRobotKey.key.id}  ended`);
  return exitCodes.ok;
}
